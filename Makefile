# Every command works from a fresh clone: each first brings .venv to what the lock files say.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONUTF8 = 1

.PHONY: demo run install test test-deep check bench chaos lock scripts

$(VENV)/.runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Set PYTHON=python3.12, say.")'
	@echo "Installing what the app needs into $(VENV) (once, under a minute) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime tests/requirements.txt
	@echo "Installing what the tests need into $(VENV) (once, under a minute) ..."
	@$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r tests/requirements.txt
	@touch $@

node_modules/.package-lock.json: package-lock.json
	@sh tests/system-packages.sh
	@npm ci --silent --no-audit --no-fund
	@touch $@

install: $(VENV)/.runtime $(VENV)/.dev

lock: $(VENV)/.dev
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --group dev -c requirements.txt -o tests/requirements.txt

demo: $(VENV)/.runtime
	@$(BIN)/python -m impact_app.demo $(if $(ORDER),--order "$(ORDER)") $(if $(filter 1,$(ONCE)),--once)

run: $(VENV)/.runtime
	@exec $(BIN)/flask --app app up

# PROPERTY_EXAMPLES says how many generated orders the property tests look at, HISTORIES how many lives of orders.
test: $(VENV)/.dev node_modules/.package-lock.json
	@sh tests/system-packages.sh
	@$(BIN)/pytest -n 2 --dist loadgroup

test-deep: $(VENV)/.dev node_modules/.package-lock.json
	@sh tests/system-packages.sh
	@PROPERTY_EXAMPLES=200000 HISTORIES=50000 $(BIN)/pytest -n 2 --dist loadgroup

check: $(VENV)/.dev node_modules/.package-lock.json
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@node storefront/build.mjs --check

# What browsers run, built from storefront/ and extensions/click-pixel/src/; the builds are committed.
scripts: node_modules/.package-lock.json
	@node storefront/build.mjs

# ORDERS and KILLS: how many orders, and how often each of web, worker and Redis is killed.
chaos: $(VENV)/.dev
	@$(BIN)/python -m tests.chaos.storm $(or $(ORDERS),10000) $(or $(KILLS),5)

bench: $(VENV)/.dev
	@$(BIN)/python -m bench
