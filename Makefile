# Targets are documented by the `##` behind them: `make help`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DAGSTER_HOME ?= $(CURDIR)/dagster_home
export PYTHONWARNINGS ?= ignore::DeprecationWarning
PAGE := crossrec_pipeline/serving/page/index.html
PAGE_SOURCES := $(shell find web -path web/node_modules -prune -o -path web/e2e -prune -o -path web/test-results -prune -o -type f -print)
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
export CHROMIUM
HAS_NODE := node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit((a === 20 && b >= 19) || (a === 22 && b >= 12) || a > 22 ? 0 : 1)' 2>/dev/null && npm --version >/dev/null 2>&1
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help run ui serve web web-test test test-daemon lint format clean

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
	@$(PIP) install --constraint constraints.txt --editable '.[dev,llm,postgres]'
	@touch $@

run: $(VENV)/runtime.stamp ## build what is out of date, print the figures and an example
	@$(BIN)/crossrec run

ui: $(VENV)/runtime.stamp ## Dagster's web server and daemon on http://localhost:3000
	@# Web server and daemon would both set up a fresh home, and get in each other's way.
	@$(BIN)/python -m crossrec_pipeline.defs.home
	@exec $(BIN)/dagster dev --workspace workspace.yaml --port 3000

serve: $(VENV)/runtime.stamp ## the service and its page on http://localhost:8000
	@if $(HAS_NODE) && $(MAKE) --no-print-directory web; then :; \
	elif test -f $(PAGE); then echo "Serving the page as it was built before."; \
	else echo "Serving without the page: it takes Node 20.19 or newer and npm to build it."; fi
	@exec $(BIN)/crossrec serve

web: $(PAGE) ## build the service's page (needs Node 20.19 or newer)

$(PAGE): web/node_modules/.package-lock.json $(PAGE_SOURCES)
	@cd web && npm run --silent build

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	@$(HAS_NODE) || { echo "Node 20.19, 22.12 or newer with npm is needed for the page: see https://nodejs.org/en/download"; exit 1; }
	@echo "Fetching what the page is built with ..."
	@cd web && npm ci --loglevel=error --no-audit --no-fund && touch node_modules/.package-lock.json

web-test: $(VENV)/runtime.stamp $(PAGE) ## types, lint and tests of the page, in a browser on the real service
	@cd web && npm run --silent types && npm run --silent lint && npm test --silent
	@test -x "$(CHROMIUM)" || { echo "No Chromium was found for the tests in a browser: install it, or name it (CHROMIUM=/path/to/chromium make web-test)"; exit 1; }
	@cd web && PYTHON=$${PYTHON:-$(CURDIR)/$(BIN)/python} npm run --silent e2e

test: $(VENV)/dev.stamp ## run the tests (real data too, where CROSSREC_REAL_DATA names it)
	@$(BIN)/python -m pytest -q -n 2 --dist loadgroup -m 'not daemon'

test-daemon: $(VENV)/dev.stamp ## the lineage matrix under a real daemon (minutes)
	@$(BIN)/python -m pytest -q -m daemon

lint: $(VENV)/dev.stamp ## ruff, pyright, the import contract, yamllint and hadolint
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports
	@$(BIN)/yamllint --strict .yamllint.yaml compose.yaml workspace.yaml dagster_home/dagster.yaml deploy
	@test ! -x $(BIN)/hadolint || $(BIN)/hadolint Dockerfile

format: $(VENV)/dev.stamp ## let ruff format and fix
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## delete everything the pipeline made; sources, the sample and the venv stay
	@find data -mindepth 1 -maxdepth 1 ! -name sample -exec rm -rf {} +
	@find dagster_home -mindepth 1 -maxdepth 1 ! -name dagster.yaml -exec rm -rf {} +
