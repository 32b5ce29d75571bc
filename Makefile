# The commands of the house. `make help` lists them; .ci/run calls the same ones.
VENV   ?= .venv-test
PYTHON ?= $(VENV)/bin/python
CC     ?= cc
BUILD  := build/native

VERSION    := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' shimhub/_version.py)
C_FILES    := $(wildcard native/src/*.c native/tests/*.c)
C_HEADERS  := $(wildcard native/src/*.h native/include/*.h)
C_WARNINGS := -std=c11 -Wall -Wextra -Werror -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
C_FLAGS     = $(C_WARNINGS) -DSHIMHUB_VERSION='"$(VERSION)"' -Inative/include
SANITIZE    = -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all

.DEFAULT_GOAL := help
.PHONY: help install test test-fast lint format types check wheel sdist bench bench-check \
        native-check asan ubsan e2e titan conformance-torch28 \
        conformance-cpython ci clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## make .venv-test and install the checkout in place, with all that the tests need
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PYTHON) -m pip install torch==2.13.0 -e '.[test]'

test: ## run all tests
	$(PYTHON) -m pytest -n 2

test-fast: ## run the tests that neither build packages nor train models
	$(PYTHON) -m pytest -n 2 -m 'not slow and not e2e'

lint: ## ruff: rules and format, over Python
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

format: ## let ruff format and fix what it can
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

types: ## mypy --strict over the package
	$(PYTHON) -m mypy

check: ## hygiene of registry.toml and shims/
	$(PYTHON) -m shimhub check

wheel: ## build dist/*.whl
	$(PYTHON) -m pip wheel --no-deps --wheel-dir dist .

sdist: ## build dist/*.tar.gz (install first: it brings the build backend)
	$(PYTHON) -c 'from scikit_build_core.build import build_sdist; build_sdist("dist")'

bench: ## measure, and print the figures
	$(PYTHON) -m tests.bench

bench-check: ## measure, and fail where a budget is not held
	$(PYTHON) -m tests.bench --check

native-check: $(BUILD)/check ## compile the C library with warnings as errors, and test it
	$<

asan: $(BUILD)/asan ## the same under AddressSanitizer
	$<

ubsan: $(BUILD)/ubsan ## the same under UndefinedBehaviorSanitizer
	$<

e2e: ## run the tests that train real models
	$(PYTHON) -m pytest -m e2e

titan: ## train TorchTitan 0.2.0, 0.2.2 and 0.3.0 on CPU, each in a fresh environment (25 min)
	SHIMHUB_TITAN=all $(PYTHON) -m pytest -m e2e -k titan

conformance-torch28: ## TorchTitan 0.2 on torch 2.8.0, with shimhub and without (an hour, 7 GB)
	$(PYTHON) -m tests.conformance.torch28 --write docs/conformance-torch28.md

conformance-cpython: ## CPython's own import tests, with the hub and without, on 3.10 to 3.13 (20 min)
	$(PYTHON) -m tests.conformance.cpython --write

ci: ## what CI runs, from here
	.ci/run

clean: ## remove what builds and tools wrote; .venv-test stays
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf native/.cmake native/.ninja_deps native/.ninja_log native/.skbuild-info.json \
	       native/CMakeCache.txt native/CMakeFiles native/CMakeInit.txt native/_native.c \
	       native/build.ninja native/cmake_install.cmake shimhub/kernels/_native.*.so
	find shimhub shims tests examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(BUILD)/check: C_FLAGS += -O2
$(BUILD)/asan: C_FLAGS += $(SANITIZE) -fsanitize=address
$(BUILD)/ubsan: C_FLAGS += $(SANITIZE) -fsanitize=undefined
$(BUILD)/check $(BUILD)/asan $(BUILD)/ubsan: $(C_FILES) $(C_HEADERS) shimhub/_version.py
	@mkdir -p $(@D)
	$(CC) $(C_FLAGS) $(C_FILES) -o $@
