# Two commands do everything: `make app` and `make test`. Both make .venv and install into it when needed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= auto
BROWSERS ?= 2

.PHONY: app test test-fast test-catalogue check bench messages wheel clean help

help:
	@echo "make app       install what is needed and open the app"
	@echo "make test      install what is needed and run all tests (browser tests skip without a Chromium)"
	@echo "make test-fast the tests without browser, slow and timed ones"
	@echo "make check     ruff and mypy"
	@echo "make test-catalogue   all 80 networks of torchvision, half an hour"
	@echo "make bench     every benchmark, each figure beside its goal"
	@echo "make messages  bring the translation catalogues in step with the source"
	@echo "make wheel     build dist/*.whl"

app: $(VENV)/.app
	$(BIN)/transfer-studio app

test: $(VENV)/.dev
	# One thread a test: tests side by side would wait for each other's threads.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) -m "not browser and not slow and not timed and not catalogue"
	# Two browsers, each with an app of its own: mostly they wait for pages, not for the processor.
	$(BIN)/python -m pytest -n $(BROWSERS) --dist loadfile -m "browser and not slow and not timed"
	# Times are judged with nothing beside.
	$(BIN)/python -m pytest -m timed

test-fast: $(VENV)/.dev
	# One thread a test: tests side by side would wait for each other's threads.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) -m "not browser and not slow and not timed and not catalogue"

test-catalogue: $(VENV)/.dev
	$(BIN)/python -m pytest -m catalogue

check: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

messages: $(VENV)/.dev
	$(BIN)/python tests/translations.py

wheel: $(VENV)/.dev
	$(BIN)/python -m build --wheel

$(VENV)/bin/pip:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Transfer Studio needs Python 3.11 or newer: make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: $(VENV)/bin/pip pyproject.toml constraints.txt
	$(BIN)/pip install --disable-pip-version-check -q -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/pip pyproject.toml constraints.txt
	$(BIN)/pip install --disable-pip-version-check -q -c constraints.txt -e ".[dev]"
	@touch $(VENV)/.app $@

clean:
	rm -rf $(VENV) dist build
