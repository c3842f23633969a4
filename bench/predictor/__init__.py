"""How well the next action is predicted, on public logs: `python -m bench.predictor`."""
