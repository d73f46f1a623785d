# `make demo` and `make test` do all the set-up on a fresh Debian or Ubuntu machine with a Rust
# toolchain; every other target is a part of them.

CARGO ?= cargo
SEEDS ?= 10000
KILLS ?= 200
TRANSACTIONS ?= 20000

.PHONY: help setup build demo test lint unit simulate kill conformance load bench docs

help:
	@echo "make demo         build, start a node with the logging example, send requests, verify a receipt"
	@echo "make test         everything below: what CI runs"
	@echo "make lint         formatting, lints, documentation"
	@echo "make unit         unit, property, behaviour and hostile-input tests"
	@echo "make simulate     the simulator: SEEDS=$(SEEDS) seeds, and the mutants that prove it bites"
	@echo "make kill         kill -9 under load, KILLS=$(KILLS) cycles"
	@echo "make conformance  Microsoft's ccf packages 7.0.22 and 6.0.28 verify our ledger and receipts"
	@echo "make load         whole-node load figures (not part of make test)"
	@echo "make bench        micro-benchmarks (not part of make test)"

setup:
	@scripts/setup.sh

build: setup
	$(CARGO) build --release --locked -p affiant-cli

demo: build
	@scripts/demo.sh

test: lint unit simulate kill conformance
	@echo "all tests passed"

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

unit: setup
	$(CARGO) test --workspace --locked --quiet

simulate: setup
	$(CARGO) run --release --locked --quiet -p affiant-sim -- --seeds $(SEEDS)

kill: build
	$(CARGO) run --release --locked --quiet -p affiant-bench --bin affiant-kill -- --cycles $(KILLS)

conformance: build
	@runtime/tests/conformance/run.sh $(TRANSACTIONS)

load: build
	$(CARGO) run --release --locked --quiet -p affiant-bench --bin affiant-load

bench: setup
	$(CARGO) bench --locked -p affiant-bench
