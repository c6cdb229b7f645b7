# What a newcomer types. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Root needs no sudo, and a bare machine has none.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PACKAGES := $(shell sed 's/\#.*//' dev/packages.debian)

# Tests of one file share what they have brought up, so they run in one process.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help build test lint bench docs packages packages-long clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

build: $(VENV)/build ## set up what is needed and compile examples/sns-pisa/site.yaml
	$(BIN)/3rc-build examples/sns-pisa/site.yaml

test: packages lint ## set up everything, Debian packages included, and run all tests
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

lint: $(VENV)/dev ## formatting, style, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/dev ## measure build time and memory; writes docs/performance.md
	$(BIN)/python dev/bench.py

docs: $(VENV)/dev ## write the generated reference pages anew
	$(BIN)/python dev/reference.py
	$(BIN)/python dev/rules.py
	$(BIN)/python dev/recovery.py
	$(BIN)/python dev/scenarios.py

packages: ## install the Debian packages that the tests need (root or sudo)
	@missing=$$(for p in $(PACKAGES); do \
	  dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  $(SUDO) apt-get update -q && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; \
	fi

packages-long: PACKAGES += $(shell sed 's/\#.*//' dev/packages-long.debian)
packages-long: packages ## install also those of the tests that take long

clean: ## remove what make made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info dist
	rm -rf examples/*/out examples/*/.out.generations

$(VENV)/build: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/dev: $(VENV)/build
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
