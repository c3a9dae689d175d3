# Everything runs from .venv, which each target sets up by itself from requirements.lock, hashes checked; a stamp named
# after the lock's checksum makes that free while nothing changed. Another Python: make test PYTHON=python3.12.
# The lock names everything, so pip resolves nothing: `coverage[toml]`, which a locked package asks for, would send it to a
# coverage that is newer than the locked one, and its hash is not known. `pip check` then tells what the lock left out.
# More arguments for a command: make test ARGS="-k stock -x".

PYTHON ?= $(shell command -v python3.11 || command -v python3)
ARGS ?=
BROKERS ?= 1
KILLS ?= 25
SEED ?= 1
SOAK_MINUTES ?= 20
KAFKA_TESTS := tests/e2e tests/bench -m "broker or kafka"

# One process per core; the tests of a file share its broker and stay together. make test ARGS="-n0 --pdb" for one process.
TEST_PROCESSES := --numprocesses auto --maxprocesses 4 --dist loadfile

BIN := .venv/bin
READY := .venv/.fsn-$(shell cksum < requirements.lock | tr ' ' '-')

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo run test coverage test-kafka test-faults lint types layers bench bench-kafka bench-restore bench-capacity soak broker kafka kafka-stop lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

demo: $(READY)  ## a simulated day through broker and worker, and a report of what came out
	$(BIN)/fsn demo $(ARGS)

run: $(READY)  ## broker and worker, kept running for live use
	$(BIN)/fsn run $(ARGS)

test: $(READY)  ## all tests that need nothing but this folder
	$(BIN)/python -m pytest -q $(TEST_PROCESSES) $(ARGS)

coverage: $(READY)  ## the processors' own tests take every branch of theirs
	$(BIN)/python -m pytest -q $(TEST_PROCESSES) --cov --cov-fail-under=100 tests/processors $(ARGS)

test-kafka: $(READY)  ## the end-to-end tests against a real Apache Kafka
	$(BIN)/python -m pytest -q --kafka $(KAFKA_TESTS) $(ARGS)

test-faults: $(READY)  ## the fault suite against a real Apache Kafka; KILLS=120 for the published run, SEED=n for another
	KILLS=$(KILLS) SEED=$(SEED) $(BIN)/python -m pytest -q --kafka -o faulthandler_timeout=0 --show-capture=no tests/faults $(ARGS)

lint: $(READY)  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## mypy, strict
	$(BIN)/mypy

layers: $(READY)  ## import-linter: who may import whom
	$(BIN)/lint-imports

bench: $(READY)  ## the benchmarks, to bench/results/latest.json
	$(BIN)/python -m bench $(ARGS)

bench-kafka: $(READY)  ## the same contest and orders on a real Apache Kafka, beside Kafka Streams, to bench/results/kafka.json
	$(BIN)/python -m bench --kafka $(ARGS)

bench-restore: $(READY)  ## restore, takeover and growth on a real Apache Kafka, to bench/results/restore.json
	$(BIN)/python -m bench.recovery $(ARGS)

bench-capacity: $(READY)  ## what a record costs on a real Apache Kafka and what that means, to docs/capacity.md
	$(BIN)/python -m bench.capacity $(ARGS)

soak: $(READY)  ## a worker on a real Apache Kafka under constant load, watched for growth; SOAK_MINUTES=20
	SOAK_MINUTES=$(SOAK_MINUTES) $(BIN)/python -m bench.soak $(ARGS)

broker: $(READY)  ## the embedded Kafka broker in the foreground
	$(BIN)/fsn broker $(ARGS)

kafka: $(READY)  ## a real Apache Kafka in the background (needs Maven and a JDK of 17 or later); BROKERS=3 for three
	$(BIN)/python -m ops.kafka start --brokers $(BROKERS)

kafka-stop: $(READY)  ## end it
	$(BIN)/python -m ops.kafka stop

lock: $(READY)  ## renew requirements.lock: make lock ARGS=--upgrade, or ARGS="--upgrade-package ruff"
	$(BIN)/uv pip compile pyproject.toml --quiet --all-extras --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --output-file requirements.lock $(ARGS)

clean:  ## remove what runs leave behind: caches, build files, local broker data and state
	rm -rf .fsn .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .coverage build *.egg-info
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

$(READY): | requirements.lock
	@test -n "$(PYTHON)" || { echo "no python3 found: install Python 3.11, or name one with PYTHON=" >&2; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv .venv
	@echo "setting up .venv from requirements.lock"
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip check --quiet
	@rm -f .venv/.fsn-*
	@touch $@
