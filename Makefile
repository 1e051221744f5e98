# All set-up is here: `make run` shows the demo, `make test` runs the tests. Neither needs root.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
VENV ?= .venv
PORT ?= 8080
PIP := $(VENV)/bin/pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help run test lint docs format bench defences fuzz clean

help: ## Show what can be made
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

run: $(VENV)/installed ## Run the demo: embedded store, no server needed; PORT=8080
	@exec $(VENV)/bin/twistd --nodaemon --pidfile= wampgate --demo --port $(PORT) $(if $(REDIS),--redis $(REDIS))

test: $(VENV)/developing ## Run all tests; TESTS="tests/unit -k name" for some
	$(VENV)/bin/pytest -n 4 --dist worksteal $(TESTS)

lint: $(VENV)/developing ## Check style and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(VENV)/developing ## Bring the code into its form
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

docs: $(VENV)/developing ## Build the documentation into build/docs; every warning is an error
	$(VENV)/bin/python -m docs.generating --check
	$(VENV)/bin/sphinx-build -q -W --keep-going -b html docs build/docs

bench: $(VENV)/developing ## Measure against the physical limit; PEERS=nexus,xconn installs and adds those; BENCH="--help"
	$(VENV)/bin/python -m benchmarks --plots docs/figures $(if $(PEERS),--install --peers $(PEERS)) $(BENCH)

defences: $(VENV)/developing ## Take each defence out and see the tests notice; WITHOUT="Origin" for some; takes long
	$(VENV)/bin/python -m tests.defences $(WITHOUT)

fuzz: $(VENV)/developing ## Show the bridge hostile bytes for SECONDS=300
	@$(PIP) install --group fuzz
	@mkdir -p build/corpus
	$(VENV)/bin/python tests/fuzz/fuzz_dialects.py -max_total_time=$(or $(SECONDS),300) build/corpus

clean: ## Remove what was built, installed and left behind
	rm -rf $(VENV) build dist benchmarks/build .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "wampgate needs Python 3.11 or newer; set PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv is missing; on Debian: apt install python3-venv" >&2; exit 1; }
	@$(PIP) install --upgrade 'pip>=25.1'

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing wampgate into $(VENV) ..."
	@$(PIP) install --editable .
	@touch $@

$(VENV)/developing: pyproject.toml | $(VENV)/bin/python
	@echo "Installing wampgate and its tests' tools into $(VENV) ..."
	@$(PIP) install --editable . --group dev
	@touch $@ $(VENV)/installed
