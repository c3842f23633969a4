# The one entry: `make help` lists the targets. Each does its own set-up in .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
AUDIT  := build/audit
PIP    := $(BIN)/python -m pip --disable-pip-version-check
DEMO_ARGS  ?=
TEST_ARGS  ?=
BENCH_ARGS ?=
CHAOS_ARGS ?=
SOAK_ARGS  ?=

.PHONY: help demo dev chaos test lint format bench soak bench-worker bench-read screenshots lock clean reference docs audit sbom
help:            ## this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/: .*## /\t/' | expand -t 18

demo: $(VENV)/.demo    ## start everything on this machine and watch events become answers
	@$(BIN)/precompute demo $(DEMO_ARGS)

dev: $(VENV)/.demo     ## the whole system, until Ctrl-C
	@$(BIN)/precompute dev

test: $(VENV)/.dev     ## unit, integration, e2e and chaos tests on a real broker and cache
	@$(BIN)/python -m pytest $(TEST_ARGS)

chaos: $(VENV)/.dev    ## the long chaos run: CHAOS_ARGS="--jobs 100000 --seed 7 --json"
	@$(BIN)/python -m tests.chaos $(CHAOS_ARGS)

lint: $(VENV)/.dev     ## style, types, architecture rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev   ## rewrite the files in the project's style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

charts: $(VENV)/.dev   ## write the dashboards and the chart's goldens anew
	@$(BIN)/python -m tools.dashboards
	@$(BIN)/python -m tools.charts.rendering

check-charts: $(VENV)/.dev ## the chart, its dashboards and alerts, without a cluster (part of test)
	@$(BIN)/python -m pytest tests/charts $(TEST_ARGS)

reference: $(VENV)/.dev ## write docs/reference/ anew, after a change of settings, metrics, commands or types
	@$(BIN)/python -m tools.reference
	@$(BIN)/python -m tools.compatibility --accept

docs: $(VENV)/.dev     ## the site of docs/ into build/site; a broken link is an error
	@$(BIN)/zensical build --strict --clean

audit: $(AUDIT)/.done  ## components of the image (build/sbom.cdx.json) and what is known to be vulnerable; 3: not asked
	@$(AUDIT)/bin/python tools/audit.py

sbom: $(AUDIT)/.done   ## the components alone; asks nobody
	@$(AUDIT)/bin/python tools/audit.py --sbom-only

bench: $(VENV)/.dev    ## every benchmark, with an index in docs/benchmarks: BENCH_ARGS=--quick for a short one
	@$(BIN)/python -m bench $(BENCH_ARGS)

soak: $(VENV)/.dev      ## hours of mixed load with restarts; fails if anything is lost or grows: SOAK_ARGS="--minutes 10"
	@$(BIN)/python -m bench.soak $(SOAK_ARGS)

bench-worker: $(VENV)/.dev ## the worker next to other job queues: BENCH_ARGS=--quick for a short one
	@$(BIN)/python -m bench.worker $(BENCH_ARGS)

bench-read: $(VENV)/.dev   ## the client, waiting readers and the API next to redis-py and cashews
	@$(BIN)/python -m bench.read $(BENCH_ARGS)

screenshots: $(VENV)/.dev  ## every screen of the console into docs/images/console (needs Chromium)
	@PRECOMPUTE_SCREENSHOTS=1 $(BIN)/python -m pytest -q tests/browser -k fits

bench-predictor: $(VENV)/.dev ## the predictor on public logs, with plots, into docs/benchmarks
	@$(BIN)/python -m bench.predictor $(BENCH_ARGS)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "precompute needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# A demo needs less than the tests; either leaves what the other installed in place.
$(VENV)/.demo: requirements/demo.txt pyproject.toml | $(BIN)/python
	@echo "installing what the demo needs into $(VENV) (once)"
	@$(PIP) install --quiet --require-hashes -r requirements/demo.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "installing what tests and linters need into $(VENV) (once)"
	@$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.demo

$(AUDIT)/.done: requirements/audit.txt
	@$(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/audit.txt
	@touch $@

UV_LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock"
UV_COMPILE = $(UV_LOCK) pyproject.toml
lock:            ## compile the pinned, hashed requirement files (needs uv)
	$(UV_COMPILE) --all-extras --group dev -o requirements/dev.txt
	$(UV_COMPILE) --extra video --extra captions --extra forest --extra local --group build -c requirements/dev.txt -o requirements/demo.txt
	$(UV_COMPILE) --extra video --extra captions --extra forest --extra tracing --group build -c requirements/dev.txt -o requirements/runtime.txt
	$(UV_LOCK) --group audit -o requirements/audit.txt

clean:           ## remove what make made here
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist *.egg-info
