# Keepwell's commands: `make help` lists them.
# Needs Python 3.11 to 3.13 with venv, make and git; everything else is fetched into this folder.

.DEFAULT_GOAL := help
.SILENT:
MAKEFLAGS += --no-print-directory
PYTHON ?= python3
RUN := .venv/bin/python
# An installed uv that really runs; else one of our own in .uv/.
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo .uv/bin/uv)
JOBS ?= 2
PARALLEL := -n $(JOBS) --dist loadfile --no-loadscope-reorder
SYNC ?= --extra demo
# In CI a skipped browser or PostgreSQL test is a failure, and the longest are left out.
ifeq ($(CI),true)
REQUIRE_BROWSER := KEEPWELL_REQUIRED_TESTS=browser
REQUIRE_POSTGRES := KEEPWELL_REQUIRED_TESTS=postgres
SYSTEM := system and not long
endif
SYSTEM ?= system
unexport VIRTUAL_ENV
# Compiled modules are kept, whatever the shell says: starting a process takes half the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the commands
	grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1	\2/' | expand -t 20

.PHONY: install
install: .venv/installed assets ## Make the environment in .venv/ and fetch the browser assets

.venv/installed: uv.lock pyproject.toml | $(UV)
	$(UV) sync --quiet --frozen --compile-bytecode $(SYNC)
	touch $@

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv

.PHONY: assets
assets: .venv/installed ## Fetch the browser assets named in package-lock.json
	$(RUN) scripts/build_assets.py

.PHONY: demo
demo: install ## Bring the product up with real purchases; Ctrl-C stops it
	exec $(RUN) manage.py up --demo $(if $(PORT),--port $(PORT))

.PHONY: test
test: install ## Run the everyday tests on SQLite, then on PostgreSQL
	env -u DATABASE_URL $(RUN) -m pytest $(PARALLEL) -m "not system"
	$(REQUIRE_POSTGRES) $(RUN) -m config.embedded.postgres \
		$(RUN) -m pytest $(PARALLEL) -m "not system and not browser"

.PHONY: test-system
test-system: install ## Use, fill, kill and restart the whole product, on both databases
	env -u DATABASE_URL $(REQUIRE_BROWSER) $(RUN) -m pytest $(PARALLEL) -m "$(SYSTEM)"
	$(REQUIRE_POSTGRES) $(RUN) -m config.embedded.postgres \
		$(RUN) -m pytest $(PARALLEL) -m "$(SYSTEM)"

.PHONY: test-spark
test-spark: install ## Compare Spark's figures with DuckDB's; needs Java, fetches Spark (400 MB)
	UV_PROJECT_ENVIRONMENT=.venv-spark $(UV) run --frozen --extra spark \
		python -m pytest tests/metrics/test_engines_spark.py

.PHONY: check
check: install ## Check style, types, layers, migrations, deployment, translations, docs and secrets
	$(RUN) scripts/check.py

.PHONY: messages
messages: .venv/installed ## Gather the strings to translate into locale/
	$(RUN) scripts/check_translations.py --write

# Benchmarks that do not bring a PostgreSQL of their own.
ON_POSTGRES := benchmarks/customer_pages.py benchmarks/dashboards.py
.PHONY: bench
bench: install ## Measure against the budgets; see benchmarks/README.md
	$(UV) sync --quiet --frozen --extra demo --group bench
	missed=; for file in benchmarks/[a-z]*.py; do \
		echo "== $$file" && data=$$(mktemp -d); \
		case " $(ON_POSTGRES) " in *" $$file "*) beside="-m config.embedded.postgres $(RUN)";; *) beside=;; esac; \
		KEEPWELL_DATA_DIR=$$data $(RUN) $$beside $$file || missed="$$missed $$file"; rm -rf "$$data"; \
	done; [ -z "$$missed" ] || { echo "Budgets missed:$$missed"; exit 1; }

.PHONY: faults
faults: install ## Kill processes and databases at work, again and again, and count every point
	env -u DATABASE_URL KEEPWELL_FAULT_ROUNDS=5 $(RUN) -m pytest tests/faults
	KEEPWELL_FAULT_ROUNDS=5 $(RUN) -m config.embedded.postgres $(RUN) -m pytest tests/faults

.PHONY: mutants
mutants: install ## Take guards away, change the code in small ways, and see whether the tests notice
	$(RUN) scripts/mutants.py
	env -u DATABASE_URL $(UV) run --frozen $(SYNC) --with "mutmut>=3.2,<4" mutmut run --max-children $(JOBS)
	$(UV) run --frozen $(SYNC) --with "mutmut>=3.2,<4" mutmut results

.PHONY: static
static: install ## Gather and compress the static files, for an image or a server
	$(RUN) manage.py collectstatic --noinput --verbosity 0
