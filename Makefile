# Two commands do everything: `make demo` shows what spermseg does, `make test` proves it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# One stamp file per set of extras: pip runs again only when pyproject.toml changed.
TRAIN := $(VENV)/.installed-train
DEV := $(VENV)/.installed-dev

.PHONY: demo test lint format clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(TRAIN): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[train]'
	touch $@

$(DEV): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[train,dev]'
	touch $@

demo: $(TRAIN)
	rm -rf demo
	$(BIN)/spermseg data synthesize -o demo/smears --preset sperm-parsing -n 30 --seed 0 --workers 2
	$(BIN)/spermseg data split demo/smears -o demo/split.json --train 22 --validation 3 --test 5 --seed 0
	$(BIN)/spermseg train examples/demo.yaml --data demo/smears --split demo/split.json -o demo/run
	$(BIN)/spermseg evaluate demo/run --data demo/smears
	@echo "The report: demo/run/evaluation-test/report.html"

lint: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) demo build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
