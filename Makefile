# The front door. `make` alone lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BASE_PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check install --quiet

# Importing Airflow takes twice as long without compiled files.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list what make can do
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/  make \1|\2/' | column -t -s '|'

.PHONY: demo
demo: $(VENV)/.installed ## run two nights of an invented district, and show what they did
	@$(PYTHON) -m stack demo

.PHONY: up
up: $(VENV)/.installed ## run Airflow for the districts in include/districts
	@$(PYTHON) -m stack up

.PHONY: down
down: ## end what demo and up started, and nothing else
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m stack down; else echo "nothing was started here"; fi

.PHONY: status
status: ## say what runs, and on which ports
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m stack status; else echo "nothing was started here"; fi

.PHONY: test
test: $(VENV)/.dev $(VENV)/.browser ## run every test, a process per core; ARGS="-k leavers" runs some
	@$(PYTHON) -m pytest -n logical --maxprocesses 8 --dist loadscope --no-loadscope-reorder $(ARGS)

.PHONY: simulate
simulate: $(VENV)/.dev ## play the lives of districts by seed, and look whether everything holds; SEEDS=0:20 plays twenty
	@$(PYTHON) -m tests.simulation --seeds $(or $(SEEDS),0:2000)

.PHONY: year
year: $(VENV)/.dev ## play one school year night by night, and write docs/school-year.md (minutes)
	@$(PYTHON) -m tests.simulation.year

.PHONY: planted
planted: $(VENV)/.dev ## put faults into copies of the product, one at a time, and see that the simulation finds each (an hour)
	@$(PYTHON) -m tests.simulation.planting $(ARGS)

.PHONY: lint
lint: $(VENV)/.dev ## check style and types
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy include stack dags plugins

.PHONY: bench
bench: $(VENV)/.installed ## measure speed and memory
	@$(PYTHON) -m bench

.PHONY: clean
clean: ## end the demo; delete its data and the virtual environment (the data of make up stay)
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m stack clean; fi
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.installed: requirements.txt
	@test -n "$(BASE_PYTHON)" || { echo "Python 3.11 is needed and was not found"; exit 1; }
	@echo "Installing the pinned requirements into $(VENV) (a minute, once)"
	@$(BASE_PYTHON) -m venv $(VENV)
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.installed requirements-dev.txt
	@$(PIP) -r requirements-dev.txt
	@touch $@

# A Chromium that is there is used; else Playwright's own; else the system's package, which needs root.
$(VENV)/.browser: $(VENV)/.dev
	@if command -v chromium >/dev/null; then :; \
	elif $(PYTHON) -m playwright install chromium >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing the package chromium"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	else echo "The tests need a browser: install chromium"; exit 1; fi
	@touch $@
