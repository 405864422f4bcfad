# Everything sets up what it needs by itself: a virtual environment in .venv, from Python >= 3.11 and the package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test system simulation lint types coverage bench interop news format clean

help:
	@echo "make demo       run a node, a sample service and an agent, until Ctrl-C"
	@echo "make test       run the unit tests"
	@echo "make system     run the system tests: real processes and sockets (needs nginx)"
	@echo "make simulation run the long simulations of many members in memory (some minutes)"
	@echo "make lint       check style and formatting"
	@echo "make types      check types"
	@echo "make coverage   run the unit tests and show which branches they miss"
	@echo "make bench      measure beside nginx (needs nginx and wrk)"
	@echo "make interop    run against Go's yamux and WebSocket libraries (needs go)"
	@echo "make clean      remove what these targets have made"

$(STAMP): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Pico needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
	  echo "Name another one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@echo "making the virtual environment $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@echo "installing Pico and its tools ..."
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[test,lint,types]' \
	  --config-settings editable_mode=compat >$(VENV)/install.log 2>&1 || { cat $(VENV)/install.log; exit 1; }
	@touch $@

demo: $(STAMP)
	@exec $(BIN)/pico demo

test: $(STAMP)
	@$(BIN)/python -m twisted.trial --random=0 --reporter=text $$($(BIN)/python -m tests.units)

system: $(STAMP)
	@$(BIN)/python -m twisted.trial --reporter=verbose tests.system

simulation: $(STAMP)
	@$(BIN)/python -m twisted.trial --reporter=verbose tests.simulation

lint: $(STAMP)
	@$(BIN)/ruff check pico twisted tests && $(BIN)/ruff format --check pico twisted tests

format: $(STAMP)
	@$(BIN)/ruff check --fix -q pico twisted tests; $(BIN)/ruff format -q pico twisted tests

types: $(STAMP)
	@$(BIN)/mypy

coverage: $(STAMP)
	@$(BIN)/coverage run -m twisted.trial --reporter=text $$($(BIN)/python -m tests.units) && $(BIN)/coverage report --skip-covered

bench: $(STAMP)
	@$(BIN)/pico bench --docs docs/benchmarks.md --output bench-results/latest.json

interop: $(STAMP)
	@$(BIN)/python -m tests.interop.run

news:
	@$(BIN)/pip install -q towncrier && $(BIN)/towncrier build --draft

clean:
	@rm -rf $(VENV) build dist *.egg-info _trial_temp* .mypy_cache .ruff_cache .hypothesis .coverage*
