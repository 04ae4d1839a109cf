# What can be done with a clone of this repository. Everything is installed into .venv, nothing else is touched.
# `make ask` needs the light core only; `make test` also needs the extras and the tools of development.

PYTHON ?= python3
Q ?=
POLICY ?=
EXTRAS ?=
ARGS ?=
# Through the environment, so that quotes and dollars in a question reach the program as they are.
export QUESTION := $(value Q)

BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
SAY := printf '%s\n'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install ask test chromium lint check bench clean

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/core.stamp  ## create .venv and install the program: make install [EXTRAS=web,recorder,learned,train]
	$(if $(EXTRAS),$(PIP) install --constraint constraints.txt --editable '.[$(EXTRAS)]')

# Language models of the hub need torch, which is large, so it is installed only when one is asked; the one that ships does not.
ask: .venv/core.stamp $(if $(filter learned,$(POLICY)),.venv/learned.stamp) $(if $(filter hf:%,$(POLICY)),.venv/train.stamp)  ## answer a question: make ask Q="What does shutil.copytree do?"
	@test -n "$$QUESTION" || { $(SAY) 'usage: make ask Q="What does shutil.copytree do?" [POLICY=learned] [ARGS="--json"]' >&2; exit 2; }
	@$(BIN)/webgpt ask $(if $(POLICY),--policy "$(POLICY)") $(ARGS) -- "$$QUESTION"

test: .venv/dev.stamp chromium  ## run every test; coverage of browser_env must be over 95 %
	@rm -f .coverage .coverage.*
	$(BIN)/pytest --numprocesses auto --cov=browser_env --cov-report=term:skip-covered --cov-fail-under=95 $(ARGS)

# A browser for the tests of pages: Debian's own, where it can be had without asking. With CI=true its absence is a failure.
chromium:
	@command -v chromium chromium-browser google-chrome >/dev/null || { \
	  $(SAY) "Installing Chromium with apt-get (once)" >&2; \
	  test "$$(id -u)" = 0 && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	} || $(SAY) "No Chromium, so tests of pages in a browser are skipped (Debian and Ubuntu: apt install chromium)" >&2

lint: .venv/dev.stamp  ## check style, types and layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test  ## lint and test

bench: .venv/dev.stamp  ## measure speed (tests/benchmarks)
	$(BIN)/pytest tests/benchmarks --capture=no --benchmark-enable --benchmark-only --benchmark-columns=min,median,stddev,ops $(ARGS)

clean:  ## remove .venv and what the tools have left
	rm -rf .venv .coverage .coverage.* .benchmarks .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/core.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  $(SAY) "Python 3.11 or newer is needed, and $(PYTHON) is not that. Name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  $(SAY) "$(PYTHON) has no venv. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(SAY) "Installing into .venv (once)" >&2
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

.venv/learned.stamp: .venv/core.stamp
	@$(SAY) "Installing what the small model needs into .venv (once)" >&2
	@$(PIP) install --constraint constraints.txt --editable '.[learned]'
	@touch $@

.venv/train.stamp: .venv/core.stamp
	@$(SAY) "Installing what language models need into .venv (once; torch is large)" >&2
	@$(PIP) install --constraint constraints.txt --editable '.[train]'
	@touch $@

.venv/dev.stamp: .venv/core.stamp
	@$(SAY) "Installing the extras and the tools of development into .venv (once; torch is large)" >&2
	@$(PIP) install --upgrade 'pip>=25.1'  # the first that knows dependency groups
	@$(PIP) install --constraint constraints.txt --editable '.[all]' --group dev
	@touch $@
