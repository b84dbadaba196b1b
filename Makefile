# Everything one does here; `make help` explains. Nothing needs root.

VENV := .venv
PY := $(VENV)/bin/python
LOCK := requirements-dev.lock
# Touched when the environment holds what these files ask for.
STAMP := $(VENV)/.set-up
# Touched when the C++ core is built from what stands in native/.
CORE := $(VENV)/.native-built
NATIVE := $(wildcard native/core/* native/buildfile/* native/bind/* native/decode/* native/bind_decode/*)
# What is fuzzed: formats with a corpus. Findings stay in native/fuzz/build.
FORMATS := $(notdir $(wildcard tests/data/build_files/corpus/*)) records
FUZZ_SECONDS ?= 60
# Test files are shared out to so many processes, each with its own broker and Ray.
TEST_PROCESSES ?= 2
SHARED_OUT := --numprocesses=$(TEST_PROCESSES) --dist=loadfile --no-loadscope-reorder
# The web page that is shipped in the package, and what it is made of.
PAGE := src/pbf_ray/http/page/index.html
PAGE_SOURCES := $(wildcard web/*.json web/*.ts web/*.html web/public/*) $(shell find web/src -type f)
SOURCES := src tests examples benchmarks docs deploy

.DEFAULT_GOAL := help
.PHONY: help setup services web demo test check lint unit bench chaos cluster soak fuzz property wheel docs lock clean

help: ## What there is (this)
	@echo "pbf_ray: from Kafka to layer quality on Ray. First: make demo"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  PYTHON=...       interpreter for a new environment (default: the first of 3.11 or newer)"
	@echo "  FUZZ_SECONDS=60  how long make fuzz searches in each format"
	@echo "  TEST_PROCESSES=2 how many processes share the test files (0: this one)"
	@echo "  PROPERTY_ROUNDS=100  how many times the usual search make property makes"
	@echo "  ARGS='...'       further arguments: make demo ARGS=--json, make test ARGS='-k replay'"

setup: $(STAMP) $(CORE) $(PAGE) ## Make .venv with pbf_ray, the demo's broker and the development tools

$(STAMP): pyproject.toml setup.py $(LOCK)
	@python=$$(.ci/find-python $(PYTHON)) || exit 1; \
	if ! $(PY) -c 'import pip' 2>/dev/null; then \
		echo "setup: $(VENV) with $$python"; \
		"$$python" -m venv --clear $(VENV) || exit 1; \
	fi
	@echo "setup: installing; the first time takes minutes"
	@$(PY) -m pip install --quiet --disable-pip-version-check --constraint $(LOCK) \
		--upgrade pip setuptools wheel pybind11
	@$(PY) -m pip install --quiet --disable-pip-version-check --constraint $(LOCK) \
		--no-build-isolation --editable '.[bigquery,embedded,mongodb,plot,postgres,redis,s3,snowflake,spark]' --group dev
	@echo "setup: compiling the kernels"
	@$(PY) -c 'from pbf_ray.kernels.loading import load_kernels; load_kernels()'
	@touch $@ $(CORE)

$(CORE): $(NATIVE) | $(STAMP)
	@echo "setup: building the C++ core"
	@$(PY) setup.py --quiet build_ext --inplace
	@touch $@

$(PAGE): $(PAGE_SOURCES)
	@if command -v npm >/dev/null; then \
		echo "setup: building the web page"; \
		{ cd web && npm ci --silent && npm run --silent build -- --logLevel warn; } && touch ../$@; \
	elif [ "$$CI" = true ]; then \
		echo "setup: CI needs npm (Node.js 20.19 or newer) for the web page" >&2; exit 1; \
	else \
		echo "setup: there is no npm, so pbf-ray serve will have no web page (Node.js 20.19 or newer)"; \
	fi

services: setup ## Fetch Apache Kafka for the tests (needs Java 17 and Maven)
	@if ! { $(PY) tests/services/fetch.py && $(PY) tests/services/class_archive.py && \
		$(PY) tests/services/environments.py; }; then \
		if [ "$$CI" = true ]; then exit 1; fi; \
		echo "services: going on without; the tests use the embedded broker where it will do"; \
	fi

web: ## Build the web page anew (needs Node.js 20.19 and npm)
	@cd web && npm ci --silent && npm run --silent build

demo: setup ## Run the main job on simulated machines and serve its results, nothing else to install
	@$(VENV)/bin/pbf-ray demo $(ARGS)

test: setup services ## Run the whole test suite
	@$(PY) -m pytest $(SHARED_OUT) $(ARGS)

check: lint unit ## Style, types, floors and the fast tests: before every commit

lint: setup
	@$(PY) -m ruff check $(SOURCES) setup.py
	@$(PY) -m ruff format --check $(SOURCES) setup.py
	@$(PY) -m mypy --strict
	@$(VENV)/bin/lint-imports --no-cache

unit: setup
	@HYPOTHESIS_PROFILE=fast $(PY) -m pytest tests/unit tests/frame tests/conformance -m 'not slow' --quiet $(SHARED_OUT) $(ARGS)

bench: setup ## Run the benchmarks; they write benchmarks/results/*.json
	@$(PY) -m pytest benchmarks --capture=no --timeout=0 $(ARGS)

chaos: setup services ## Kill workers and brokers at random instants, for longer than the tests
	@$(PY) -m pytest tests/chaos --capture=no --timeout=3600 $(ARGS)

cluster: setup services ## The main job on machines of namespaces, by ray up through SSH (root, sshd, rsync)
	@$(PY) -m pytest tests/cluster --timeout=1800 $(ARGS)

soak: setup services ## 5 million records through a run, 10 million rows through the router: flat memory
	@$(PY) -m pytest tests/soak --capture=no --timeout=14400 $(ARGS)

fuzz: ## Search for inputs that break the readers of build files and records (needs clang)
	@for format in $(FORMATS); do \
		$(MAKE) --no-print-directory -C native/fuzz search FORMAT=$$format SECONDS=$(FUZZ_SECONDS) \
			|| exit 1; \
	done

property: setup ## Search for long where results differ from PySpark, or C++ from its reference (Java 17)
	@HYPOTHESIS_PROFILE=long $(PY) -m pytest tests/integration/semantics tests/unit/decode --timeout=0 $(ARGS)

wheel: setup ## Build the wheel and the source package into dist/
	@rm -rf build dist
	@$(PY) -m build --no-isolation

docs: setup ## Write the generated tables of the docs anew
	@$(PY) docs/generate.py

lock: ## Renew requirements-dev.lock with the newest versions that fit pyproject.toml
	@python=$$(.ci/find-python $(PYTHON)) || exit 1; \
	place=$$(mktemp -d) && trap 'rm -rf "$$place"' EXIT && \
	"$$python" -m venv "$$place/venv" && \
	"$$place/venv/bin/python" -m pip install --quiet --upgrade pip setuptools wheel pybind11 && \
	"$$place/venv/bin/python" -m pip install --quiet --no-build-isolation \
		--editable '.[bigquery,embedded,mongodb,plot,postgres,redis,s3,snowflake,spark]' --group dev && \
	{ echo "# Written by make lock: the versions that development and CI use."; \
	"$$place/venv/bin/python" -m pip freeze --all --exclude-editable; } > $(LOCK)

clean: ## Remove what was built, and the caches; .venv and pbf-data stay
	rm -rf build dist src/*.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis \
		.import_linter_cache .benchmarks src/pbf_ray/http/page web/node_modules
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
