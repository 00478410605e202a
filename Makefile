# Everything a person does with this repository. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/trainingjob
UV_VERSION := 0.13.8
UV := $(CACHE)/uv-$(UV_VERSION)/bin/uv
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help
help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(UV):
	@echo "setting up uv $(UV_VERSION) in $(CACHE)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=/path/to/python3") if sys.version_info < (3, 11) else 0'
	@$(PYTHON) -m venv $(CACHE)/uv-$(UV_VERSION)
	@$(CACHE)/uv-$(UV_VERSION)/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(READY): pyproject.toml requirements/all.txt | $(UV)
	@echo "setting up the Python environment from requirements/all.txt (PyTorch is large: minutes the first time)"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	@$(UV) pip sync --python $(BIN)/python --require-hashes requirements/all.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

.PHONY: environment
environment: $(READY) ## the Python environment in .venv, from the lock file

LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml
.PHONY: lock
lock: | $(UV) ## write requirements/*.txt anew from pyproject.toml (add ARGS=--upgrade to move versions)
	@$(LOCK) --all-extras $(ARGS) -o requirements/all.txt
	@$(LOCK) --extra operator -c requirements/all.txt -o requirements/operator.txt
	@$(LOCK) --extra trainer -c requirements/all.txt -o requirements/trainer.txt
