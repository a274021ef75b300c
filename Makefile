# Everything a newcomer types. `make` alone explains itself.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .local/venv/bin
export PYTHON ?= python3
# Images of machines often set it. Then each of the many processes of a run compiles every library that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install up down test test-fast test-e2e check format definitions locks

help: ## What can be made
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: ## The pinned Python packages, into .local/venv
	@tools/install

up: install ## The whole loop on this machine: emulator, infrastructure, training, shadow, canary, live
	@$(BIN)/sluice up

down: ## Stop everything that `make up` started
	@if [ -x $(BIN)/sluice ]; then $(BIN)/sluice down; else echo "Nothing is running: there is no .local/venv."; fi

test: install ## All tests, the end-to-end loop beside the fast ones, with the time of each part
	@$(BIN)/python tools/run_tests.py

test-fast: install ## The tests that need no emulator of their own running the whole loop
	@$(BIN)/python tools/run_tests.py fast emulator

test-e2e: install ## The end-to-end loop alone
	@$(BIN)/python tools/run_tests.py e2e

check: install ## Format, lint, types, and whether the built definitions are fresh
	@tools/check

format: install ## Format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

definitions: install ## Build the pipeline definitions anew (needs the SageMaker SDK; makes its environment)
	@$(BIN)/python -m pipelines.build

locks: install ## Resolve the pinned packages anew
	@tools/lock
