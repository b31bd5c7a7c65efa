# The targets are what people type; `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := manage.py registry_meta authz imagestreams tests examples
DEBIAN := postgresql redis-server docker-registry wrk chromium chromium-driver

.DEFAULT_GOAL := help
.PHONY: help install install-dev programs run test check format bench fuzz clean

help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 14

install: $(VENV)/installed ## Make .venv with what runs the server.

install-dev: $(VENV)/installed-dev ## Add what tests and checks it.

run: install ## Run everything: https://127.0.0.1:8443, data in ./data.
	@exec $(BIN)/python manage.py serve

test: install-dev programs ## Run the whole suite, on SQLite and on PostgreSQL.
	$(BIN)/python -m tests.run

check: install-dev ## Lint, check the format, check the types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(SOURCES)

format: install-dev ## Format the sources.
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

bench: install-dev programs ## Measure the server.
	$(BIN)/python -m tests.bench

fuzz: install-dev ## Send 10,000 requests made of the OpenAPI documents, and move tags in 1,000 random ways.
	$(BIN)/python -m tests.fuzz
	TAG_EXAMPLES=1000 $(BIN)/python -m pytest -n0 tests/imagestreams/test_tag_engine_properties.py

clean: ## Remove .venv and caches; data stays.
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# A stamp is older than the lists of packages when they changed.
$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …" >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV) || { echo "the venv module is missing: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# Servers that some tests run beside themselves. Without them, those tests are skipped.
programs:
	@tests/programs $(DEBIAN)
