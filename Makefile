# Targets are documented by the `##` behind them: `make help`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DAGSTER_HOME ?= $(CURDIR)/dagster_home
export PYTHONWARNINGS ?= ignore::DeprecationWarning
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help run ui test test-daemon lint format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/runtime.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, not " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@echo "Setting up $(VENV) (a few minutes the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --constraint constraints.txt torch
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/runtime.stamp
	@$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@

run: $(VENV)/runtime.stamp ## build what is out of date, print the figures and an example
	@$(BIN)/crossrec run

ui: $(VENV)/runtime.stamp ## Dagster's web server and daemon on http://localhost:3000
	@# Web server and daemon would both set up a fresh home, and get in each other's way.
	@$(BIN)/python -c 'from crossrec_pipeline.defs.home import *; open_instance(prepare_home()).dispose()'
	@exec $(BIN)/dagster dev --workspace workspace.yaml --port 3000

test: $(VENV)/dev.stamp ## run the tests (real data too, where CROSSREC_REAL_DATA names it)
	@$(BIN)/python -m pytest -q -n 2 --dist loadgroup -m 'not daemon'

test-daemon: $(VENV)/dev.stamp ## the lineage matrix under a real daemon (minutes)
	@$(BIN)/python -m pytest -q -m daemon

lint: $(VENV)/dev.stamp ## ruff, pyright and the import contract
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports

format: $(VENV)/dev.stamp ## let ruff format and fix
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## delete everything the pipeline made; sources, the sample and the venv stay
	@find data -mindepth 1 -maxdepth 1 ! -name sample -exec rm -rf {} +
	@find dagster_home -mindepth 1 -maxdepth 1 ! -name dagster.yaml -exec rm -rf {} +
