# Everything sets up what it needs by itself: a virtual environment in .venv, from Python >= 3.11 and the package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.docs-installed
MANIFESTS_STAMP := $(VENV)/.manifests-installed
COMPILED := .venv-compiled
COMPILED_STAMP := $(COMPILED)/.installed
# The system tests, a job for each module. Those of the first list are about times that a busy machine cannot keep, and
# run one after the other; those of the second install packages from the index.
SYSTEM_ALONE := $(addprefix system-test_,faults)
SYSTEM_OUTSIDE := $(addprefix system-test_,image manual)
SYSTEM_JOBS := $(filter-out $(SYSTEM_ALONE),$(patsubst tests/system/%.py,system-%,$(wildcard tests/system/test_*.py)))
COMPILED_JOBS := compiled-units $(addprefix compiled-test_,bodies endings failures nginx sharing streaming upgrade)
# Jobs side by side have ports and interfaces of their own, each in a network namespace; where that cannot be, because
# that takes Linux and root, they are not side by side.
APART := $(if $(shell unshare --net true 2>/dev/null && echo yes),unshare --net sh -c 'ip link set lo up && exec "$$@"' apart)
JOBS ?= $(if $(APART),$(shell expr $$(nproc) + 1),1)
TOGETHER = $(MAKE) --no-print-directory --keep-going --output-sync --jobs=$(JOBS)
# How they ended is said again when all have.
JOB = $(BIN)/python -m tests.job $@
ENDED := $(VENV)/.ended
SIMULATIONS ?= tests.simulation
# NO_SKIPS=1 is for machines that have all that tests need: there a test that is skipped fails.
NO_SKIPS ?=
TRIAL := -m tests.trial $(if $(NO_SKIPS),--no-skips)
# What is installed with Pico at first; `make tools` installs all of it at once.
EXTRAS := test,lint,types
ALL_EXTRAS := test,lint,types,docs,manifests
SOURCES := setup.py $(shell find pico -name '*.py')

.PHONY: help tools demo test system simulation docs compiled test-compiled lint types coverage bench interop news format clean \
  image lock test-image helm-rendered deb test-package $(SYSTEM_JOBS) $(SYSTEM_ALONE) $(COMPILED_JOBS)

help:
	@printf "make %-14s%s\n" demo "run a node, a sample service and an agent, until Ctrl-C"
	@printf "make %-14s%s\n" tools "install all that these targets need in $(VENV)"
	@printf "make %-14s%s\n" test "run the unit tests"
	@printf "make %-14s%s\n" system "run the system tests: real processes and sockets (needs root, nginx, prometheus, logrotate, nftables)"
	@printf "make %-14s%s\n" system-test_x "run one module of them, tests/system/test_x.py"
	@printf "make %-14s%s\n" simulation "run the long simulations of many members in memory (some minutes)"
	@printf "make %-14s%s\n" docs "build the manual as a site, into docs/_build/html"
	@printf "make %-14s%s\n" helm-rendered "render the Helm charts anew, for the tests (needs Helm, HELM=...)"
	@printf "make %-14s%s\n" compiled "install Pico with its hot modules compiled, into $(COMPILED) (needs a C compiler)"
	@printf "make %-14s%s\n" test-compiled "run the unit tests against it, and the system tests of the proxy's ways"
	@printf "make %-14s%s\n" lint "check style and formatting"
	@printf "make %-14s%s\n" types "check types"
	@printf "make %-14s%s\n" coverage "run the unit tests and show which branches they miss"
	@printf "make %-14s%s\n" bench "measure beside nginx (needs nginx and wrk)"
	@printf "make %-14s%s\n" interop "run against Go's yamux and WebSocket libraries (needs go)"
	@printf "make %-14s%s\n" image "build the container image, pico:latest (needs docker)"
	@printf "make %-14s%s\n" test-image "do what the Dockerfile says in clean roots, and run what comes of it (needs root, mmdebstrap)"
	@printf "make %-14s%s\n" deb "build the Debian package, into dist (needs a C compiler; PICO_COMPILE=0 does without)"
	@printf "make %-14s%s\n" test-package "build it, and install and remove it in a clean root (needs root, mmdebstrap)"
	@printf "make %-14s%s\n" lock "write anew which versions of packages the image has"
	@printf "make %-14s%s\n" clean "remove what these targets have made"

$(STAMP): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Pico needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
	  echo "Name another one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@echo "making the virtual environment $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@echo "installing Pico and its tools ..."
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[$(EXTRAS)]' \
	  --config-settings editable_mode=compat >$(VENV)/install.log 2>&1 || { cat $(VENV)/install.log; exit 1; }
	@touch $@ $(if $(filter $(ALL_EXTRAS),$(EXTRAS)),$(DOCS_STAMP) $(MANIFESTS_STAMP))

tools:
	@$(MAKE) --silent EXTRAS=$(ALL_EXTRAS) $(STAMP) && $(MAKE) --silent $(DOCS_STAMP) $(MANIFESTS_STAMP)

# The same code with the modules of the hot path compiled, installed as a user would install it.
$(COMPILED_STAMP): $(STAMP) $(SOURCES)
	@test -x $(COMPILED)/bin/python || { echo "making the virtual environment $(COMPILED) ..."; \
	  $(PYTHON) -m venv $(COMPILED) && $(COMPILED)/bin/pip install -q --disable-pip-version-check -U setuptools wheel '.[test,types]' \
	  >$(COMPILED)/install.log 2>&1 || { cat $(COMPILED)/install.log; exit 1; }; }
	@echo "compiling (about a minute; needs a C compiler and Python's headers) ..."
	@rm -rf build  # it may hold modules that are compiled no more, and would install them
	@PICO_COMPILE=1 MYPY_CACHE_DIR=$(abspath $(COMPILED))/mypy $(COMPILED)/bin/pip install -q --disable-pip-version-check --no-build-isolation --no-deps \
	  --force-reinstall . >$(COMPILED)/install.log 2>&1 || { cat $(COMPILED)/install.log; exit 1; }
	@touch $@

compiled: $(COMPILED_STAMP)
	@echo "$(COMPILED)/bin/pico is Pico, compiled"

test-compiled: $(COMPILED_STAMP)
	@$(TOGETHER) $(COMPILED_JOBS)

# From a directory where the source is not: there Python would take it instead of what is installed. The tests that are
# left out read the source.
$(COMPILED_JOBS): $(COMPILED)/tree
compiled-units:
	@cd $(COMPILED)/tree && ../bin/python $(TRIAL) --jobs=auto --reporter=text \
	  $$(../bin/python -m tests.units | tr ' ' '\n' | grep -Ev '^tests\.(deploy\..*|test_(house|imports|.*_page))$$')

$(filter compiled-test_%,$(COMPILED_JOBS)): compiled-%:
	@cd $(COMPILED)/tree && $(APART) ../bin/python $(TRIAL) --reporter=timing tests.system.$*

$(COMPILED)/tree: $(COMPILED_STAMP)
	@mkdir -p $@ && for part in tests docs etc; do ln -sfn ../../$$part $@/$$part; done
	@cd $@ && ../bin/python -c 'from pico.wire.compiled import COMPILED; assert COMPILED'
	@touch $@

demo: $(STAMP)
	@exec $(BIN)/pico demo

test: $(STAMP)
	@$(BIN)/python $(TRIAL) --jobs=auto --random=0 --reporter=text $$($(BIN)/python -m tests.units)

# The schemas of Kubernetes are large, and only what is to be installed there needs them.
$(MANIFESTS_STAMP): $(STAMP)
	@echo "installing the schemas of Kubernetes ..."
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[manifests]' \
	  --config-settings editable_mode=compat >$(VENV)/install.log 2>&1 || { cat $(VENV)/install.log; exit 1; }
	@touch $@

system: $(STAMP) $(MANIFESTS_STAMP)
	@rm -f $(ENDED); export CI_ENDED=$(ENDED); status=0; \
	  $(TOGETHER) $(SYSTEM_JOBS) || status=1; $(TOGETHER) --jobs=1 $(SYSTEM_ALONE) || status=1; \
	  grep FAILED $(ENDED); exit $$status

$(SYSTEM_JOBS) $(SYSTEM_ALONE): system-%: $(STAMP) $(MANIFESTS_STAMP)
	@$(JOB) $(if $(filter $@,$(SYSTEM_OUTSIDE)),,$(APART)) $(BIN)/python $(TRIAL) --reporter=timing tests.system.$*

# Only who builds the manual needs Sphinx.
$(DOCS_STAMP): $(STAMP)
	@echo "installing Sphinx ..."
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[docs]' \
	  --config-settings editable_mode=compat >$(VENV)/install.log 2>&1 || { cat $(VENV)/install.log; exit 1; }
	@touch $@

# A link that leads nowhere, an unknown anchor and a page that nobody can find are errors.
docs: $(DOCS_STAMP)
	@$(BIN)/sphinx-build -q -E -W --keep-going -n -b html docs docs/_build/html
	@echo "docs/_build/html/index.html is the manual"

# Helm 3: https://helm.sh/docs/intro/install, or go install helm.sh/helm/v3/cmd/helm@v3.16.4
HELM ?= helm
helm-rendered: $(STAMP)
	@$(BIN)/python -m tests.deploy.charts $(HELM)

simulation: $(STAMP)
	@$(BIN)/python $(TRIAL) --reporter=timing $(SIMULATIONS)

lint: $(STAMP)
	@$(BIN)/ruff check pico twisted tests setup.py && $(BIN)/ruff format --check pico twisted tests setup.py
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec etc/demo/compose.yaml
	@if test -x $(BIN)/hadolint; then $(BIN)/hadolint Dockerfile; \
	  else echo "no hadolint for this machine: Dockerfile not read"; test -z "$(NO_SKIPS)"; fi

format: $(STAMP)
	@$(BIN)/ruff check --fix -q pico twisted tests; $(BIN)/ruff format -q pico twisted tests

types: $(STAMP)
	@$(BIN)/mypy

coverage: $(STAMP)
	@$(BIN)/coverage run -m twisted.trial --reporter=text $$($(BIN)/python -m tests.units) && $(BIN)/coverage report --skip-covered

bench: $(COMPILED_STAMP)
	@$(COMPILED)/bin/pico bench nginx --docs docs/benchmarks.md --output bench-results/latest.json

interop: $(STAMP)
	@$(BIN)/python -m tests.interop.run

IMAGE ?= pico
image:
	@docker build --tag $(IMAGE) .

# A small Debian, in the place of the base image, and as the machine that the package is installed on. Of Python it has
# what python:3.11-slim has, headers too.
CLEAN_ROOT := .clean-root/bookworm.tar
$(CLEAN_ROOT):
	@command -v mmdebstrap >/dev/null || { echo "it needs mmdebstrap: apt install mmdebstrap"; exit 1; }
	@echo "making a clean root ..."
	@mkdir -p $(dir $@) && mmdebstrap --quiet --variant=minbase --include=python3-venv,libpython3-dev,ca-certificates bookworm $@

test-image: $(STAMP) $(CLEAN_ROOT)
	@CLEAN_ROOT=$(abspath $(CLEAN_ROOT)) $(BIN)/python -m twisted.trial --reporter=verbose tests.image

deb:
	@etc/debian/build dist $(PYTHON)

# Not compiled, which takes long and is tested elsewhere: what is to be seen here is the package.
test-package: $(STAMP) $(CLEAN_ROOT)
	@rm -rf .clean-root/package && PICO_COMPILE=0 etc/debian/build .clean-root/package $(PYTHON)
	@CLEAN_ROOT=$(abspath $(CLEAN_ROOT)) PACKAGE=$$(ls $(abspath .clean-root)/package/*.deb) \
	  $(BIN)/python -m twisted.trial --reporter=verbose tests.package

# Versions with hashes: what runs in the image, and what makes its wheel.
LOCK := .venv-lock
LOCKED := --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --no-emit-index-url --no-emit-options --upgrade
lock:
	@test -x $(LOCK)/bin/pip-compile || { $(PYTHON) -m venv $(LOCK) && $(LOCK)/bin/pip install -q --disable-pip-version-check pip-tools; }
	@$(LOCK)/bin/pip-compile $(LOCKED) --output-file etc/docker/requirements.txt setup.cfg
	@cd etc/docker && ../../$(LOCK)/bin/pip-compile $(LOCKED) --output-file build-requirements.txt build-requirements.in

news:
	@$(BIN)/pip install -q towncrier && $(BIN)/towncrier build --draft

clean:
	@rm -rf $(VENV) $(COMPILED) $(LOCK) .clean-root build dist docs/_build *.egg-info _trial_temp* .mypy_cache .ruff_cache .hypothesis .coverage*
