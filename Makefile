# Two commands matter: `make demo` and `make test`. Each does all of its own set-up on Debian 12 with Rust.

SHELL := /bin/bash
.DEFAULT_GOAL := help
CARGO ?= scripts/with-cargo cargo
BACKENDS ?= embedded
PROFILE ?= demo

FUZZ_SECONDS ?= 300
SEEDS ?= 1000

.PHONY: help demo test sim faults fuzz bench bench-memory bench-rewrite setup-demo setup-test lint unit docs plugin-test

help: ## What can be made here
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: setup-demo ## Watch a real WordPress site move (BACKENDS=servers: over RabbitMQ and Redis; KEEP=1: look around)
	$(CARGO) build --locked -p landfall-cli -p landfall-tests --bins
	target/debug/landfall-demo --backends $(BACKENDS) $(if $(KEEP),--keep) --profile $(PROFILE)

test: setup-test lint plugin-test unit ## Everything that must hold

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items

plugin-test:
	phpcs --standard=plugin/phpcs.xml plugin/landfall-migrate
	php plugin/tests/run.php

unit:
	$(CARGO) build --locked --workspace --bins
	$(CARGO) test --locked --workspace

bench: setup-demo ## A medium site, by Landfall and by hand, in one run
	$(CARGO) build --locked --release -p landfall-cli -p landfall-tests --bins
	target/release/landfall-bench speed

bench-memory: setup-demo ## Peak memory of workers with two busy slots, ordinary and heavy sites
	$(CARGO) build --locked -p landfall-cli -p landfall-tests --bins
	target/debug/landfall-bench memory

bench-rewrite: ## The rewrite engine beside a memmem scan, the command beside sed (MB=500)
	$(CARGO) build --locked --release -p landfall-cli
	LANDFALL=$(CURDIR)/target/release/landfall $(CARGO) bench --locked -p landfall-rewrite --bench dump

fuzz: setup-test ## The rewrite engine and its reader of dumps, each for FUZZ_SECONDS=300
	$(CARGO) install --locked --quiet --root target/tools cargo-fuzz@0.13.2
	cd crates/rewrite && for target in value dump; do mkdir -p fuzz/found/$$target && \
	    PATH="$(CURDIR)/target/tools/bin:$$PATH" $(CURDIR)/$(CARGO) fuzz run --sanitizer none $$target \
	    fuzz/found/$$target fuzz/corpus/$$target -- -max_total_time=$(FUZZ_SECONDS) -max_len=8192 || exit 1; done

sim: ## API, schedulers and workers in a simulated world, by SEEDS=1000 fresh seeds (SEED=n: that one, with its log)
	$(CARGO) test --locked -q -p landfall-testkit --test simulation -- $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

faults: setup-demo ## Workers killed and frozen, queues deleted, servers restarted: 25 min (CASES="kills cut-over sleepers servers writes")
	$(CARGO) build --locked -p landfall-cli -p landfall-tests --bins
	target/debug/landfall-faults $(CASES)

docs: ## Write the generated pages again (error codes)
	UPDATE_DOCS=1 $(CARGO) test --locked -p landfall-common --test error_pages

setup-demo:
	@scripts/setup demo

setup-test:
	@scripts/setup test
