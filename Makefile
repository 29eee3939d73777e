# On a machine with nothing but make and Python 3.11 or newer: `make demo` shows Sesame at work, `make test` tests it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CLIENTS := $(VENV)/.clients
BENCHMARKS := edge price_basket apply_code claims pricing live codes growth overload
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --constraint constraints.txt

# Each process that a test starts would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

PROCESSES ?= 3
SIDE_BY_SIDE := -n $(PROCESSES)
# Of what the tests run in their own process; the number to hold stands in pyproject.toml.
COVERED := $(if $(COVERAGE),--cov --cov-report=term)

.PHONY: help setup demo test test-fast test-random test-all attack chaos check schema bench clean

help:
	@echo "make demo     serve the example on http://127.0.0.1:8000; Ctrl-C stops it"
	@echo "make test     run the tests side by side, and alone what must be alone; COVERAGE=1 measures what they run"
	@echo "make test-fast    without server processes and what must be alone, for the inner loop"
	@echo "make test-random  the tests in another order each time"
	@echo "make test-all     the tests on every Python of 3.11 to 3.14 that this machine has"
	@echo "make attack   what an adversary or a bad day does, and all that takes long"
	@echo "make chaos    sell while everything is being killed, with twelve seeds; 10,000 lives of baskets"
	@echo "make check    formatting, lint, types, import contracts, dead code"
	@echo "make schema   export schema/schema.graphql from the code"
	@echo "make bench    run the benchmarks"
	@echo "make setup    only make .venv; the others do it by themselves"
	@echo "make clean    remove .venv and what the tools left; data folders stay"

setup: $(READY)

# Without build isolation, so that what builds the package is pinned too.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Sesame needs Python 3.11 or newer: make PYTHON=…")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation --editable '.[dev]'
	@touch $@

# Node, where this machine has none, and the libraries by which pages subscribe. The test that wants them says what it lacks.
$(CLIENTS): $(READY) tests/clients/package-lock.json
	-$(BIN)/python -m tests.node && touch $@

demo: $(READY)
	@$(BIN)/sesame demo

test: $(READY) $(CLIENTS)
	$(BIN)/pytest $(SIDE_BY_SIDE) $(COVERED) -m "not alone and not long"
	$(BIN)/pytest $(COVERED) $(if $(COVERAGE),--cov-append) -m "alone and not long"

test-fast: $(READY) $(CLIENTS)
	$(BIN)/pytest $(SIDE_BY_SIDE) -m "not alone and not processes and not long"

test-random: $(READY) $(CLIENTS)
	$(BIN)/pytest $(SIDE_BY_SIDE) --random-order --random-order-bucket=module -m "not alone and not long"
	$(BIN)/pytest --random-order --random-order-bucket=module -m "alone and not long"

test-all:
	bash .ci/every_python

attack: $(READY)
	$(BIN)/pytest tests/attack
	$(BIN)/pytest -m long --ignore tests/attack

chaos: $(READY)
	LIVES=10000 $(BIN)/pytest $(SIDE_BY_SIDE) tests/pricing/test_held_terms.py
	$(BIN)/python -m tests.chaos --seeds 12

check: $(READY)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture

schema: $(READY)
	$(BIN)/sesame schema > schema/schema.graphql.new
	mv schema/schema.graphql.new schema/schema.graphql

bench: $(READY)
	set -e; for program in $(BENCHMARKS); do $(BIN)/python -m benchmarks.$$program; done

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -prune -exec rm -rf {} +
