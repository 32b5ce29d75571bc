# The commands of the house. `make help` lists them; .ci/run calls the same ones.
VENV   ?= .venv-test
PYTHON ?= $(VENV)/bin/python
CC     ?= cc
BUILD  := build/native
# The axolotl that test-axolotl is beside.
AXOLOTL ?= 0.19.0

VERSION    := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' shimhub/_version.py)
C_SOURCES  := $(wildcard native/src/*.c)
C_FILES    := $(C_SOURCES) $(wildcard native/tests/*.c)
C_HEADERS  := $(wildcard native/*/*.h native/include/*/*.h)
C_WARNINGS := -std=c11 -Wall -Wextra -Werror -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
C_FLAGS     = $(C_WARNINGS) -DSHIMHUB_VERSION='"$(VERSION)"' -Inative/include -Inative/src
C_LIBS     := -lm -pthread
FUZZERS    := $(patsubst native/fuzz/%.c,$(BUILD)/%,$(wildcard native/fuzz/fuzz_*.c))
FUZZ_SECONDS  ?= 600
QEMU_X86_64   ?= qemu-x86_64
QEMU_AARCH64  ?= qemu-aarch64
SANITIZE    = -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all -DSHIMHUB_NO_UNROLL

.DEFAULT_GOAL := help
.PHONY: help install test test-fast test-axolotl lint format types check wheel sdist bench bench-check \
        bench-kernels bench-kernels-check bench-data bench-data-check bench-rivals \
        native native-check native-clang native-portable asan asan-python ubsan tsan neon sha-ni fuzz leaks \
        data-heavy data-slow data-fuzz e2e titan conformance-torch28 conformance-axolotl \
        bench-accel bench-axolotl bench-speed conformance-cpython ci clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## make .venv-test and install the checkout in place, with all that the tests need
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PYTHON) -m pip install torch==2.13.0 -e '.[test]'

test: ## run all tests, those that build packages and train models too
	$(PYTHON) -m pytest -n 2

test-fast: ## run the tests that CI runs: none that builds packages or trains models
	$(PYTHON) -m pytest -n 2 -m 'not slow and not e2e'

test-axolotl: ## differential tests beside a real axolotl (AXOLOTL=0.19.0 or 0.8.1)
	tests/axolotl/environment.sh $(PYTHON) $(AXOLOTL) .venv-axolotl-$(AXOLOTL)
	.venv-axolotl-$(AXOLOTL)/bin/python -m pytest -n 2 tests/axolotl shims/axolotl shims/fast_axolotl

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

bench: ## measure hub, kernels, readers, verdicts of speed, accel and pure; write their pages
	$(PYTHON) -m tests.bench
	$(MAKE) bench-kernels
	$(MAKE) bench-data
	$(MAKE) bench-speed
	$(MAKE) bench-accel

bench-check: ## measure all of them, and fail where a budget or a ratio is not held
	$(PYTHON) -m tests.bench --check
	$(MAKE) bench-kernels-check
	$(MAKE) bench-data-check
	$(PYTHON) -m tests.bench.speed --check
	$(PYTHON) -m tests.bench.accel --small --check
	$(PYTHON) -m tests.bench.pure --check

# With AREA no page is written: it tells of all areas, measured in one run.
bench-kernels: ## measure the kernels beside their rivals (AREA=packing: that one alone, prints only)
	$(PYTHON) -m tests.bench.kernels $(if $(AREA),--area $(AREA),--write)

bench-kernels-check: ## the same, and fail where a required ratio is missed or a rival is missing
	$(PYTHON) -m tests.bench.kernels --check $(if $(AREA),--area $(AREA))

bench-data: ## measure the readers beside pyarrow, datasets and others (AREA=rows: that alone, prints only)
	$(PYTHON) -m tests.bench.data $(if $(AREA),--area $(AREA),--write)

bench-data-check: ## the same, and fail where a required ratio is missed
	$(PYTHON) -m tests.bench.data --check $(if $(AREA),--area $(AREA))

bench-speed: ## how often a speed verdict is wrong or missed, beside rivals (15 min of a free machine)
	$(PYTHON) -m tests.bench.speed --check --write

bench-accel: ## AUTO beside each backend for every operation, and pure beside torch (10 min)
	$(PYTHON) -m tests.bench.accel --write
	$(PYTHON) -m tests.bench.pure --write

bench-rivals: ## install the rivals into $(VENV), at the versions that docs/ has figures of
	$(PYTHON) -m pip install -c constraints.txt -e '.[bench-kernels]'
	$(PYTHON) -m pip install --no-deps axolotl==0.19.0 pytorch-autotune==2.0.0 slowai==0.10.0

native: ## rebuild the extension in place after an edit of native/, without pip
	PATH="$(abspath $(dir $(PYTHON))):$$PATH" cmake --fresh -G Ninja -S native -B $(BUILD)/extension \
	  -DCMAKE_BUILD_TYPE=Release -DSKBUILD_STATE=editable -DPython_EXECUTABLE="$(abspath $(PYTHON))" \
	  -DSKBUILD_PROJECT_VERSION=$(VERSION) -DSKBUILD_PROJECT_VERSION_FULL=$(VERSION) --log-level=WARNING
	PATH="$(abspath $(dir $(PYTHON))):$$PATH" cmake --build $(BUILD)/extension

native-check: $(BUILD)/check ## compile the C library with warnings as errors, and test it
	$<

asan: $(BUILD)/asan ## the same under AddressSanitizer
	$<

# Beside a copy of the package, so that the library in shimhub/kernels stays as it is.
ASAN_TREE := $(BUILD)/asan-python
ASAN_TESTS ?= tests/test_accel*.py tests/test_kernels_linalg*.py
asan-python: ## build the extension under both sanitizers, and run the tests of accel with it
	rm -rf $(ASAN_TREE) && mkdir -p $(ASAN_TREE) && cp -r shimhub $(ASAN_TREE)
	ln -s $(abspath tests pyproject.toml registry.toml shims docs examples) $(ASAN_TREE)
	PATH="$(abspath $(dir $(PYTHON))):$$PATH" cmake -G Ninja -S native -B $(ASAN_TREE)/cmake \
	  -DCMAKE_C_FLAGS="$(SANITIZE) -fsanitize=address,undefined" \
	  -DPython_EXECUTABLE="$(abspath $(PYTHON))" -DSKBUILD_PROJECT_VERSION=$(VERSION) \
	  -DSKBUILD_PROJECT_VERSION_FULL=$(VERSION) --log-level=WARNING
	PATH="$(abspath $(dir $(PYTHON))):$$PATH" cmake --build $(ASAN_TREE)/cmake
	cp $(ASAN_TREE)/cmake/_native.*.so $(ASAN_TREE)/shimhub/kernels
	cd $(ASAN_TREE) && ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 PYTHONPATH=. PYTHONMALLOC=malloc \
	  LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libstdc++.so)" \
	  $(abspath $(PYTHON)) -m pytest -q -p no:cacheprovider -k 'not leave_nothing' $(ASAN_TESTS)

ubsan: $(BUILD)/ubsan ## the same under UndefinedBehaviorSanitizer
	$<

tsan: $(BUILD)/tsan ## the same under ThreadSanitizer
	setarch -R $<

native-clang: ## the same with clang, warnings as errors
	$(MAKE) CC=clang BUILD=build/native-clang native-check

native-portable: $(BUILD)/portable ## the same with the portable lane alone, as other compilers build it
	$<

neon: $(BUILD)/neon ## the same for aarch64, under qemu-user (gcc-aarch64-linux-gnu, qemu-user)
	$(QEMU_AARCH64) -L /usr/aarch64-linux-gnu $<

sha-ni: $(BUILD)/check ## the same on an emulated processor with SHA-NI (qemu-user 8.2 or later)
	$(QEMU_X86_64) -cpu max $<

fuzz: $(FUZZERS) ## fuzz each reader of buffers under ASan and UBSan, FUZZ_SECONDS each (clang)
	@set -e; for fuzzer in $^; do echo "$$fuzzer: $(FUZZ_SECONDS) s"; mkdir -p $$fuzzer.corpus; \
	  $$fuzzer -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 $$fuzzer.corpus; done

leaks: ## call each kernel, and accel in each mode, a million times and watch the memory (10 min)
	SHIMHUB_TEST_CALLS=1000000 $(PYTHON) -m pytest -n 2 tests/test_kernels_process.py
	SHIMHUB_TEST_CALLS=1000000 OMP_NUM_THREADS=1 $(PYTHON) -m tests._accel_leaks

data-heavy: data-slow data-fuzz ## all of shimhub.data that CI has no time for

data-slow: ## the tests of shimhub.data with the longest ones and many examples (10 min)
	SHIMHUB_TEST_HEAVY=1 $(PYTHON) -m pytest -n 2 tests/test_data_*.py tests/test_cli_data.py

data-fuzz: ## damage files of each format and read them, FUZZ_SECONDS for each of both fuzzers
	$(PYTHON) -m tests.fuzz_data_binary $(FUZZ_SECONDS)
	$(PYTHON) -m tests.fuzz_data_text $(FUZZ_SECONDS)

e2e: ## run the tests that train real models
	$(PYTHON) -m pytest -m e2e

titan: ## train TorchTitan 0.2.0, 0.2.2 and 0.3.0 on CPU, each in a fresh environment (25 min)
	SHIMHUB_TITAN=all $(PYTHON) -m pytest -m e2e -k titan

conformance-torch28: ## TorchTitan 0.2 on torch 2.8.0, with shimhub and without (an hour, 7 GB)
	$(PYTHON) -m tests.conformance.torch28 --write docs/conformance-torch28.md

conformance-axolotl: ## axolotl's own tests with the pack and without it (AXOLOTL_TESTS=dir AXOLOTL_ENVS=file)
	$(PYTHON) -m tests.conformance.axolotl --write

bench-axolotl: ## measure axolotl's functions with the pack and without it (AXOLOTL_ENVS=file)
	$(PYTHON) -m tests.bench.axolotl --write

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
$(BUILD)/portable: C_FLAGS += -O2 -DSHIMHUB_PORTABLE
$(BUILD)/neon: C_FLAGS += -O2
$(BUILD)/neon: CC = aarch64-linux-gnu-gcc
$(BUILD)/asan: C_FLAGS += $(SANITIZE) -fsanitize=address
$(BUILD)/ubsan: C_FLAGS += $(SANITIZE) -fsanitize=undefined
$(BUILD)/tsan: C_FLAGS += $(SANITIZE) -fsanitize=thread
$(BUILD)/check $(BUILD)/portable $(BUILD)/neon $(BUILD)/asan $(BUILD)/ubsan $(BUILD)/tsan: \
    $(C_FILES) $(C_HEADERS) shimhub/_version.py
	@mkdir -p $(@D)
	$(CC) $(C_FLAGS) $(C_FILES) $(C_LIBS) -o $@

FUZZ_FLAGS = $(C_FLAGS) $(SANITIZE)
$(BUILD)/fuzz/%.o: native/src/%.c $(C_HEADERS) shimhub/_version.py
	@mkdir -p $(@D)
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined -c $< -o $@

$(BUILD)/fuzz_%: native/fuzz/fuzz_%.c $(C_SOURCES:native/src/%.c=$(BUILD)/fuzz/%.o) $(C_HEADERS)
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer,address,undefined $(filter %.c %.o,$^) $(C_LIBS) -o $@
