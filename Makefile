# make demo   sets everything up, runs the quickstart, prints where the report is
# make test   sets everything up, runs linters, type checks and the whole test suite
# make bench    measures seconds per interval by stage, transactions against bare engines, memory
# make fuzz     runs the contracts' state machines, and malformed files and results, for longer: FUZZ=2000 examples
# make forge    forges every field of a scenario, and looks whether cosim verify finds it (minutes)
# make year   plays a year, and fails if it takes over 15 minutes, 1 GiB or a report of 10 MB: DAYS=30 for less
# make region  imports a region of 5 141 connection points and plays some intervals: INTERVALS=4 FIRST=24
# make test-resume  kills a run at random moments, and goes on: KILLS=20 processes
# make analyse  proves all that the contracts promise, with halmos; make test, what changed since
# make mutants  finds out which changes to the contracts no test notices (hours)
# make contracts  compiles the Vyper sources anew, into the files that are shipped next to them
# make lock   writes requirements.lock anew (needs uv)

export OPENBLAS_NUM_THREADS ?= 1
# compiled once, not by each of the hundred processes that the tests start
unexport PYTHONDONTWRITEBYTECODE

VENV   ?= .venv
BIN     = $(VENV)/bin
# the first interpreter that really runs and is from one version on and below another
first = $(shell for p in $(1); do \
	$$p -c 'import sys; sys.exit(not $(2) <= sys.version_info[:2] < $(3))' 2>/dev/null \
	&& { command -v $$p; break; }; done)
# one that has wheels of the fast EVM engine, or that uv can bring; else any, for the slow engine
PYTHON ?= $(or $(call first,python3.11 python3.12 python3 python,(3$(comma) 11),(3$(comma) 13)),\
	$(shell uv python install --quiet 3.12 2>/dev/null; uv python find 3.12 2>/dev/null),\
	$(call first,python3.13 python3 python python3.14,(3$(comma) 11),(4$(comma))))
comma := ,
OTHER_PYTHON ?= $(call first,python3.13 $(wildcard $(HOME)/.pyenv/versions/3.13.*/bin/python),\
	(3$(comma) 13),(3$(comma) 14))
OTHER_VENV    = .venv-other
JOBS   ?= 2

.DEFAULT_GOAL = help
.PHONY: help setup demo test lint unit bench browser node lock clean fuzz forge analyse analysis-tools mutants contracts \
	test-resume year region \
	other-python

help:
	@sed -n 's/^# //p' Makefile | head -12

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "cosim needs Python 3.11 or newer on the PATH, or PYTHON=..." >&2; exit 2; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version); this takes a minute or two"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $@

demo: setup
	$(BIN)/cosim run scenarios/quickstart.yaml --force

browser:
	@command -v chromium >/dev/null 2>&1 && command -v chromedriver >/dev/null 2>&1 || { \
	  if command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ]; then \
	    echo "installing chromium and chromium-driver"; \
	    apt-get update -qq >/dev/null 2>&1; \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium chromium-driver >/dev/null 2>&1 \
	      || echo "no Chromium here: the browser tests will be skipped"; \
	  else echo "no Chromium here: the browser tests will be skipped"; fi; }

ANVIL     = .node/node_modules/.bin/anvil
NO_ANVIL  = the tests against a node will be skipped

# anvil, an Ethereum node from npm; the tests look for it here
node:
	@if [ -n "$$COSIM_ANVIL" ] || $(ANVIL) --version >/dev/null 2>&1; then :; \
	elif command -v npm >/dev/null 2>&1; then \
	  echo "installing anvil, an Ethereum node, into .node"; \
	  npm install --no-save --no-package-lock --no-audit --no-fund --loglevel=error --fetch-retries=1 \
	    --prefix .node @foundry-rs/anvil@1.7.1 >/dev/null \
	    && $(ANVIL) --version >/dev/null 2>&1 \
	    || { rm -rf .node; echo "anvil cannot be installed here: $(NO_ANVIL)"; }; \
	else echo "no npm here: $(NO_ANVIL)"; fi

ANALYSIS = .analysis

# halmos and its solvers, in a place of their own; the tests look for them here
analysis-tools: $(ANALYSIS)/.installed

$(ANALYSIS)/.installed: tests/analysis/requirements.txt
	@echo "setting up $(ANALYSIS), the analysis tools"
	@rm -rf $(ANALYSIS); $(PYTHON) -m venv $(ANALYSIS) \
	  && $(ANALYSIS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
	    -r tests/analysis/requirements.txt \
	  && $(ANALYSIS)/bin/halmos --version && touch $@ \
	  || { rm -rf $(ANALYSIS); echo "halmos cannot be installed here: its proofs will be skipped"; }

analyse: setup analysis-tools
	$(BIN)/python tests/analysis/prove.py

FUZZ ?= 2000

fuzz: setup
	COSIM_FUZZ_EXAMPLES=$(FUZZ) $(BIN)/python -m pytest -n $(JOBS) tests/property -k "machine or malformed or damaged"

forge: setup
	COSIM_FORGE=all $(BIN)/python -m pytest tests/unit/verify/test_forged_scenario.py

mutants: setup
	$(BIN)/python tests/analysis/mutants.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup browser node analysis-tools lint other-python
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

# plays the quickstart on a Python without the fast engine, and compares the bytes of its tables
other-python: setup
	@if [ -n "$(OTHER_PYTHON)" ]; then \
	  $(MAKE) --no-print-directory $(OTHER_VENV)/.installed \
	  && $(BIN)/python tests/other_python.py $(OTHER_VENV)/bin/python; \
	else echo "SKIPPED the quickstart on another Python: there is no Python 3.13 here"; fi

$(OTHER_VENV)/.installed: requirements.lock pyproject.toml
	@echo "setting up $(OTHER_VENV) with $$($(OTHER_PYTHON) --version)"
	@rm -rf $(OTHER_VENV); $(OTHER_PYTHON) -m venv $(OTHER_VENV)
	@$(OTHER_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(OTHER_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

KILLS ?= 20
test-resume: setup
	KILLS=$(KILLS) $(BIN)/python -m pytest -q tests/e2e/test_resume.py -k killed

DAYS ?= 366

year: setup
	$(BIN)/python -m benchmarks.year --days $(DAYS)

INTERVALS ?= 4
FIRST ?= 24

region: setup
	$(BIN)/python -m benchmarks.region --intervals $(INTERVALS) --first $(FIRST)

bench: setup
	$(BIN)/python -m benchmarks

contracts: setup
	$(BIN)/python -c "from cosim.evm.contracts import ship_contracts; ship_contracts()"

COMPILE = uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --no-annotate --quiet --upgrade

lock:
	$(COMPILE) pyproject.toml --all-extras --group inspect --override requirements.overrides.txt \
	  --constraint requirements.constraints.txt -o requirements.lock
	$(COMPILE) requirements.inspect.in --no-deps --constraint requirements.lock \
	  -o cosim/requirements.inspect.txt

clean:
	rm -rf $(VENV) $(OTHER_VENV) build dist *.egg-info
