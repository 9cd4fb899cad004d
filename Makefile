# make demo | make test | make check | make docs | make frameworks | make bench | make bench-full | make bench-gate: each builds .venv when it is missing or out of date.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= $(JINA_COMPONENTS_DATA)
PEERS ?= build/peers/.installed
# Processes that run tests, a file each at a time; 0 for none beside pytest's own.
TEST_WORKERS ?= auto

.PHONY: demo test check docs frameworks bench bench-full bench-gate format clean chromium redis

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

# Us beside our peers, drawn in benchmarks/report.md: minutes, or hours; DATA=FOLDER has the public sets (see
# benchmarks/README.md), without which what needs none is measured. PEERS: interpreters of environments that have peers,
# of which the first is made here; PEERS= does without.
bench bench-full: $(VENV)/.installed-dev $(filter build/peers/%,$(PEERS))
	$(BIN)/python -m benchmarks $(if $(filter bench-full,$@),--full) $(if $(DATA),--data "$(DATA)") \
	  $(if $(PEERS),--peers-python $(PEERS:build/peers/.installed=build/peers/bin/python)) $(if $(ONLY),--only $(ONLY))
	$(BIN)/python -m benchmarks report

# Whether the newest run reaches the floors of benchmarks/floors.json.
bench-gate: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks gate

build/peers/.installed: benchmarks/peers.txt | $(BIN)/python
	$(PYTHON) -m venv build/peers
	build/peers/bin/pip install --quiet --disable-pip-version-check --upgrade pip
	build/peers/bin/pip install --quiet --disable-pip-version-check --requirement benchmarks/peers.txt
	touch $@

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
