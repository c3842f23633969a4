"""More processes on one machine: speed-up, what a rebalance costs, and how lag goes away after a burst."""
