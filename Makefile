# What a person types: `make` lists it. Each target sets up what it needs by itself, in .venv,
# and the second time finds it there.

.DEFAULT_GOAL := help

# The interpreter that .venv is made with, once: make run PYTHON=python3.12
PYTHON ?= python3
# Passed on to the program that a target runs: make test ARGS="-k address"
ARGS ?=
export PYTHON

.PHONY: help run test soak check lock bench

help: ## lists these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1#\2/p' Makefile | while IFS='#' read -r target text; \
	do printf '%-13s %s\n' "$$target" "$$text"; done

run: ## installs Smarthost here and starts it
	@scripts/run

test: ## installs what the tests need and runs them
	@scripts/test $(ARGS)

soak: ## fuzzes for half an hour (ARGS="address --seconds 60"), then kills the service 1,000 times
	@scripts/install test
	.venv/bin/python -m tests.fuzz.soak $(ARGS)
	.venv/bin/python -m tests.journeys.soak

check: ## format, lint, types and the layers of imports
	@scripts/install test
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy src tests $(wildcard benchmarks/*.py servers/*.py) $(wildcard deploy/docker/*.py)
	.venv/bin/lint-imports --no-logo

lock: ## pins the dependencies of pyproject.toml in requirements/ (ARGS=--upgrade: newest)
	@scripts/lock $(ARGS)

bench: ## measures reads, saves, the queue, the SMTP client, a check, the pages, all of it and both engines, each beside another
	@scripts/install test
	.venv/bin/python -m benchmarks.settings $(ARGS)
	.venv/bin/python -m benchmarks.queue
	.venv/bin/python -m benchmarks.smtp
	.venv/bin/python -m benchmarks.check
	.venv/bin/python -m benchmarks.pages
	.venv/bin/python -m benchmarks.relay
	.venv/bin/python -m benchmarks.nodes
	.venv/bin/python -m benchmarks.portals
