# Each target makes .venv by itself when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Installed as a package, as users have it, so that a change to it asks for installing anew.
RUNTIME := $(shell find runtime/lrc_runtime runtime/js/src -type f -not -name "*.pyc")

.PHONY: demo test lint bench docs install

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml runtime/pyproject.toml constraints.txt $(RUNTIME)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt ./runtime -e ".[offline,dev]"
	touch $@

demo: install
	PATH="$(abspath $(BIN)):$$PATH" examples/demo.sh

test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadscope --no-loadscope-reorder -m "not slow and not gpu"

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	$(BIN)/python -m benchmarks.engines.latency

docs: install
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -c docs . build/docs
