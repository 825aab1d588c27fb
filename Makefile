# make train    a virtual environment, Orthogon in it, and the main job: the bundled digits
# make test     the same environment with the test tools, then the tests
# PIP_ARGS=     passed on to pip, e.g. PIP_ARGS="--extra-index-url URL" for a small CPU build of PyTorch

PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
BIN := $(VENV)/bin

.PHONY: train test test-real mutate bench lint docs lessons clean

train: $(VENV)/installed
	$(BIN)/orthogon train

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n auto --dist loadfile

test-real: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m real

mutate: $(VENV)/installed-dev
	$(BIN)/python tests/mutate.py

bench: $(VENV)/installed-dev .venv-peers/installed
	PEERS=.venv-peers/bin/python $(BIN)/python benchmarks/run.py

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

docs: $(VENV)/installed-dev
	$(BIN)/python docs/make.py
	$(BIN)/python docs/lesson.py

lessons: $(VENV)/installed-dev
	$(BIN)/python docs/lesson.py

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_ARGS) -c constraints.txt -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install $(PIP_ARGS) -c constraints.txt -e ".[dev]"
	touch $@

.venv-peers/installed: benchmarks/requirements-peers.txt
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install $(PIP_ARGS) -r benchmarks/requirements-peers.txt
	touch $@

clean:
	rm -rf $(VENV) .venv-peers .pytest_cache .ruff_cache
