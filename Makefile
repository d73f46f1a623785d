# `make demo` and `make test` do all the set-up on a fresh Debian or Ubuntu machine with a Rust
# toolchain; every other target is a part of them.

CARGO ?= cargo
SEEDS ?= 10000
JOBS ?= $(shell nproc)
KILLS ?= 200
TRANSACTIONS ?= 20000
ROUND_TRIPS ?= 10000
TARGET ?= all
SECONDS ?= 600

SHELL := /bin/bash

.PHONY: help setup setup-js setup-c header capi install uninstall test-capi test-capi-python build release wheel python python-host demo test lint unit simulate kill conformance conformance-js conformance-python conformance-crypto examples-js examples-python examples-rust libraries-js load bench fuzz docs

help:
	@echo "make demo         build, start a node with the logging example, send requests, verify a receipt"
	@echo "make test         everything below: what CI runs"
	@echo "make lint         formatting, lints, documentation"
	@echo "make unit         unit, property, behaviour and hostile-input tests"
	@echo "make simulate     the simulator: SEEDS=$(SEEDS) seeds, and the mutants that prove it bites"
	@echo "make kill         kill -9 under load, KILLS=$(KILLS) cycles"
	@echo "make conformance  Microsoft's ccf packages 7.0.22 and 6.0.28 verify our ledger and receipts"
	@echo "make conformance-js  CCF's JavaScript interface, row by row of docs/compatibility.md, over HTTPS"
	@echo "make conformance-python  the same interface with an application in Python, in the wheel's node"
	@echo "make examples-js  the TypeScript examples and the projects of affiant new, built by npm and served"
	@echo "make conformance-crypto  10,000 crypto round trips with Python's cryptography (OpenSSL)"
	@echo "make libraries-js  npm libraries at work in handlers: lodash-es, cbor-x, protobufjs, jsrsasign, ..."
	@echo "make capi         the C library, in target/capi/package; PYTHON=1: with applications in Python"
	@echo "make install      headers and C library to PREFIX (/usr/local), below DESTDIR; make uninstall"
	@echo "make header       include/affiant.h anew, from runtime/capi"
	@echo "make test-capi    C and C++ programs against the installed library, with sanitizers and Valgrind"
	@echo "make test-capi-python  programs in C with Python apps, against the library that has Python"
	@echo "make wheel        the Python package, in target/wheels"
	@echo "make python       the wheel's tests, on CPython 3.11, 3.12 and 3.13"
	@echo "make python-host  Python apps in a host that is no Python, with Flask and NumPy"
	@echo "make examples-python  the Python examples and the project of affiant new, tested and served"
	@echo "make examples-rust  a Rust program with a ledger inside: its tests and its demonstration"
	@echo "make load         whole-node load figures (not part of make test)"
	@echo "make fuzz         fuzz TARGET=$(TARGET) for SECONDS=$(SECONDS) each, on nightly (not part of make test)"
	@echo "make bench        micro-benchmarks (not part of make test)"

setup:
	@scripts/setup.sh

# Beside the above: Node.js and npm.
setup-js:
	@scripts/setup.sh node

# Beside the above: compilers for C and C++ other than the system's, CMake, Valgrind.
setup-c:
	@scripts/setup.sh c

build: setup
	$(CARGO) build --release --locked -p affiant-cli

# All release binaries in one build, so that every part of the tests shares it.
release: setup
	$(CARGO) build --release --locked --workspace --bins

demo: build
	@scripts/demo.sh

test: lint unit simulate kill conformance conformance-js python python-host conformance-python test-capi test-capi-python conformance-crypto examples-js examples-python examples-rust libraries-js
	@echo "all tests passed"

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

unit: setup
	$(CARGO) test --workspace --locked --quiet

simulate: release
	target/release/affiant-sim --seeds $(SEEDS) --jobs $(JOBS)

kill: release
	target/release/affiant-kill --cycles $(KILLS)

conformance: release
	@runtime/tests/conformance/run.sh $(TRANSACTIONS)

conformance-js: setup-js release
	@runtime/tests/conformance/js.sh

conformance-python: wheel
	@runtime/tests/conformance/python.sh

examples-js: setup-js release
	@scripts/examples-js.sh

# The ciphers are optimised in every profile, and `make unit` has built this already.
conformance-crypto: setup
	$(CARGO) build --locked -p affiant --example crypto_peer
	@runtime/tests/conformance/crypto.sh $(ROUND_TRIPS)

libraries-js: setup-js release
	@bindings-js/tests/libraries/run.sh

header: setup
	AFFIANT_WRITE_HEADER=1 $(CARGO) test --locked --quiet -p affiant-capi --test header

capi: setup
	@runtime/capi/package.sh

# PREFIX, DESTDIR and LIBDIR say where to; sudo installs what was built without it.
install: $(if $(SUDO_UID),,setup)
	@runtime/capi/install.sh

uninstall:
	@runtime/capi/install.sh uninstall

# With the wheel, which reads the ledgers that C programs wrote.
test-capi: setup-c wheel
	@JOBS=$(JOBS) runtime/capi/tests/run.sh

# The same library with Python, of python3: programs in C with apps in Python, and the package.
test-capi-python: setup-c wheel
	@PYTHON=1 JOBS=$(JOBS) runtime/capi/tests/run.sh apps own_interpreter ledger smoke symbols cmake loading ledgers
	$(CARGO) test --locked --quiet -p affiant-capi --features python

load: release
	target/release/affiant-load

bench: setup
	$(CARGO) bench --locked -p affiant-bench

# The wheel's tests on every CPython that is here.
python: wheel
	@bindings-python/tests/run.sh

# Python inside a host, with the packages that `make python` has installed; `make unit` runs the same without.
python-host: python
	$(CARGO) test --locked --quiet -p affiant-python-host

# The wheel in environments of their own, with NumPy, pandas, FastAPI, Flask: from the package index.
examples-python: wheel
	@scripts/examples-python.sh

# The program shares the target directory of `make unit`.
examples-rust: setup
	@$(MAKE) --no-print-directory -C examples/host-rust

# The Python package, one wheel for CPython 3.11 and later, in target/wheels.
wheel: setup
	@bindings-python/build-wheel.sh

# Parsers of evidence, on the nightly toolchain with cargo-fuzz; `make unit` replays changed seeds without.
fuzz:
	@runtime/attest/fuzz/run.sh $(TARGET) $(SECONDS)
