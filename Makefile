# Isoflop. `make` alone lists the targets; `make run` and `make test` set up all they need.

HOST ?= 127.0.0.1
PORT ?= 8501
# The first Python on the path that is new enough; override with `make run PYTHON=/path/to/python`.
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
	$(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
# More flags for pip, such as another index; for Streamlit; for pytest.
PIP_FLAGS ?=
STREAMLIT_FLAGS ?=
PYTEST_FLAGS ?=
# More flags for docker build.
IMAGE_FLAGS ?=

VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
# Two processes, a file at a time: its tests share fits, servers and what pages keep.
PYTEST = $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check $(PIP_FLAGS)

.DEFAULT_GOAL := help
.PHONY: help run quick test lowest check lint format types docs messages bench faults browser-deps lock image image-check clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.app $(VENV)/.data  ## Start the app on http://localhost:8501 (PORT=... and HOST=... to change)
	$(BIN)/streamlit run app.py --server.address $(HOST) --server.port $(PORT) $(STREAMLIT_FLAGS)

quick: lint types  ## While working: lint, types, and the tests that take no more than a moment
	$(PYTEST) -m "not slow and not pages and not browser" $(PYTEST_FLAGS)

test: $(VENV)/.dev  ## Run every test (PYTEST_FLAGS='-k laws' for some)
	$(PYTEST) $(PYTEST_FLAGS)

# Those of other software that reads what this writes are left to `make test`, under CI too.
lowest: $(LOWEST)/.created  ## Run the engine's tests on the lowest versions of what it needs
	env -u CI $(LOWEST)/bin/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not slow" \
		$(addprefix tests/,accounting fitting known laws planning tables test_units.py) \
		$(addprefix --ignore=tests/,accounting/test_config_import.py planning/test_scenario.py) $(PYTEST_FLAGS)

check: override PYTEST_FLAGS += --fail-slow-cpu 2
check: lint types test  ## Lint, format, types and tests: what a change must pass

lint: $(VENV)/.dev  ## Lint and check the format, of the Dockerfile too
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@if [ -x $(BIN)/hadolint ]; then $(BIN)/hadolint Dockerfile; \
	elif command -v hadolint >/dev/null; then hadolint Dockerfile; \
	else echo "hadolint is not installed: the Dockerfile was not linted"; fi

format: $(VENV)/.dev  ## Format the code and mend what the linter can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(VENV)/.dev  ## Check the types
	$(BIN)/mypy

docs: $(VENV)/.dev  ## Build the documentation site into build/docs; a warning is an error
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs build/docs
	@echo "Open build/docs/index.html"

messages: $(VENV)/.dev  ## Collect the marked texts into the catalogs of other languages
	$(BIN)/python .ci/messages.py

bench: $(VENV)/.dev  ## Run the benchmarks of speed and write benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

faults: $(VENV)/.dev  ## Make faults on purpose and write benchmarks/FAULTS.md (a quarter of an hour)
	$(BIN)/python -m benchmarks.faults --write

browser-deps:  ## Install Chromium for the browser tests (Debian and Ubuntu; elsewhere see README)
	@command -v chromium >/dev/null || { $(SUDO) apt-get update && $(SUDO) apt-get install -y chromium; }

lock: $(VENV)/.dev  ## Write the hashes of all pins, by which the image is built, into locks/
	BIN=$(BIN) .ci/lock

image:  ## Build the container image (IMAGE_FLAGS='--build-arg TORCH_INDEX=...' for live training)
	docker build --tag isoflop $(IMAGE_FLAGS) .

image-check:  ## Build and start the image without a container engine (Debian, as root; five minutes)
	.ci/image-check

clean:  ## Remove the virtual environment and every cache
	rm -rf $(VENV) $(LOWEST) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "Isoflop needs Python 3.11 or newer: install it, or say where it is with PYTHON=..."; exit 1; }
	@echo "Setting up $(VENV) (once; several minutes on a slow connection)"
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.app: $(VENV)/.created requirements.txt pyproject.toml
	$(PIP_INSTALL) --requirement requirements.txt
	@touch $@

$(LOWEST)/.created: requirements-lowest.txt pyproject.toml
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --disable-pip-version-check --quiet $(PIP_FLAGS) \
		--requirement requirements-lowest.txt --editable .
	@touch $@

# The small tables that the app opens with best; without a network it opens with what ships.
$(VENV)/.data: $(VENV)/.app
	@$(BIN)/isoflop datasets --fetch >/dev/null || true
	@touch $@

$(VENV)/.dev: $(VENV)/.app requirements-dev.txt
	$(PIP_INSTALL) --quiet --requirement requirements-dev.txt
	@touch $@
