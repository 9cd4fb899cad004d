# make demo | make test | make check | make docs | make frameworks | make bench | make bench-speed: each builds .venv when it is missing or out of date.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= $(JINA_COMPONENTS_DATA)
# Processes that run tests, a file each at a time; 0 for none beside pytest's own.
TEST_WORKERS ?= auto

.PHONY: demo test check docs frameworks bench bench-speed format clean chromium redis

demo: $(VENV)/.installed-base
	$(BIN)/python cookbook/demo.py

test: $(VENV)/.installed-dev chromium redis
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(TEST_WORKERS) --maxprocesses 8 --dist loadfile --durations 25 --durations-min 5

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The adapters beside the oldest releases of the frameworks that pyproject.toml admits; `make test` has the newest.
frameworks: $(VENV)/.installed-dev build/oldest/.installed
	PYTHONPATH=build/oldest OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(TEST_WORKERS) --dist loadfile \
	  -W ignore::pydantic.warnings.UnsupportedFieldAttributeWarning tests/integrations

build/oldest/.installed: integrations/oldest.txt
	rm -rf build/oldest
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target build/oldest --requirement integrations/oldest.txt
	touch $@

docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

bench: $(VENV)/.installed-dev
	@test -n "$(DATA)" || { echo "make bench DATA=FOLDER: the data sets; see benchmarks/README.md" >&2; exit 2; }
	$(BIN)/python -m benchmarks.quality.models --data "$(DATA)" --to build/quality --cache build/vectors
	$(BIN)/python -m benchmarks.quality.retrieval --data "$(DATA)" --queries 100
	$(BIN)/python -m benchmarks.quality.answers --data "$(DATA)"

bench-speed: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.speed.startup
	$(BIN)/python -m benchmarks.speed.concurrency
	$(BIN)/python -m benchmarks.speed.embedding $(if $(DATA),--data "$(DATA)") $(if $(PEERS),--peers-python "$(PEERS)")
	$(BIN)/python -m benchmarks.speed.reranking $(if $(DATA),--data "$(DATA)") $(if $(PEERS),--peers-python "$(PEERS)")

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What the tests of the browser engine run.
chromium:
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do \
	  command -v $$name >/dev/null && exit 0; done; \
	test "$$(id -u)" = 0 || { echo "Chromium is missing; on Debian: apt-get install chromium" >&2; exit 2; }; \
	apt-get update -q && apt-get install -qy --no-install-recommends chromium fonts-liberation

# Where the tests of limits count.
redis:
	@command -v redis-server >/dev/null && exit 0; \
	test "$$(id -u)" = 0 || { echo "Redis is missing; on Debian: apt-get install redis-server" >&2; exit 2; }; \
	apt-get update -q && apt-get install -qy --no-install-recommends redis-server

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || { \
	  test "$$(id -u)" = 0 || { echo "python3 with venv is missing; on Debian: apt-get install python3-venv" >&2; exit 2; }; \
	  apt-get update -q && apt-get install -qy python3 python3-venv; }
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 …" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-base: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[torch,onnx,code,service,dev]'
	touch $@ $(VENV)/.installed-base
