# Every command that a newcomer needs. `make help` lists them.
VENV := .venv
PY := $(VENV)/bin/python
OURS := agents api contracts dashboard policy prompts saga signer tools treasurer worker
UV_COMPILE := $(VENV)/bin/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-strip-extras
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r

# $(call install,FOLDER,LOCK): a virtual environment with what the lock names, by its hashes. uv takes a
# tenth of pip's time, but knows nothing of pip's configuration: where it finds no way, pip goes on.
# Compiled once, on all cores: otherwise every process would compile what it imports.
define install
@python3 -m venv $(1)
@{ $(1)/bin/python $(PIP_INSTALL) requirements-uv.lock \
	&& $(1)/bin/uv pip install --quiet --python $(1)/bin/python --no-deps --require-hashes -r $(2); } \
	|| { echo "uv could not; pip goes on, which takes a minute or two …"; $(1)/bin/python $(PIP_INSTALL) $(2); }
@$(1)/bin/python -m compileall -q -j 0 $(1)/lib $(OURS) > /dev/null 2>&1 || true
endef

.DEFAULT_GOAL := help
.PHONY: help setup run demo test check soak oracle fuzz bench lock contracts anvil screenshots clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: requirements.lock pyproject.toml
	@echo "setting up $(VENV) from requirements.lock …"
	$(call install,$(VENV),requirements.lock)
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(VENV)/.installed ## make .venv with development tools from requirements.lock

run: setup ## start everything on 127.0.0.1:8000 with the demonstration organization
	@exec $(VENV)/bin/treasurer up --demo

demo: setup ## do the main job headless in a temporary folder and check it
	@exec $(VENV)/bin/treasurer demo --json

check: setup ## lint, types, import contracts
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: check ## check, then all tests with coverage
	$(PY) -m pytest -n 2 --dist loadfile --cov --cov-report=term:skip-covered

soak: setup ## a thousand fault schedules and a hundred real kills; SEEDS=400:1000 KILLS=20:100 resume
	TREASURER_FAULT_SEEDS=$(SEEDS) TREASURER_FAULT_KILLS=$(KILLS) \
		$(PY) -m pytest tests/faults tests/e2e -m soak -n 2 --dist load -v -rP

oracle: setup ## the policy against its naive second evaluator on a million cases; CASES=400000:1000000 resumes
	TREASURER_ORACLE_CASES=$(CASES) $(PY) -m pytest tests/policy/test_oracle.py -m soak -n 2 --dist load -v

lock: ## renew the lock files (hashes, no addresses)
	@test -x $(PY) || python3 -m venv $(VENV)
	@$(PY) -m pip install --quiet uv
	@$(UV_COMPILE) pyproject.toml --extra dev -o requirements.lock
	@$(UV_COMPILE) pyproject.toml -o requirements-base.lock
	@$(UV_COMPILE) pyproject.toml --extra bench -o requirements-bench.lock
	@echo uv | $(UV_COMPILE) - -o requirements-uv.lock

.venv-bench/.installed: requirements-bench.lock
	$(call install,.venv-bench,requirements-bench.lock)
	@touch $@

fuzz: setup ## feed mutated documents to the readers for FUZZ_S seconds (an hour); FUZZ_SEED, FUZZ_FROM go on
	@$(PY) -m tests.support.fuzz $(or $(FUZZ_S),3600) $(or $(FUZZ_SEED),0) $(or $(FUZZ_FROM),0)

bench: .venv-bench/.installed ## compare with peers side by side, in one run (an hour; `python -m bench PART` for one)
	@PYTHONPATH=. .venv-bench/bin/python -m bench

screenshots: setup ## take the papers' pictures in docs/images (needs the system's Chromium)
	@$(PY) docs/screenshot.py

contracts: ## compile the Vyper sources into their artifacts
	@python3 -m venv .venv-contracts
	@.venv-contracts/bin/pip install --quiet vyper==0.4.3
	@.venv-contracts/bin/python contracts/compile.py

# npm checks the hashes of the lock file; the binary needs none of the package's own scripts.
.anvil/.installed: tests/support/npm/package.json tests/support/npm/package-lock.json
	@mkdir -p .anvil
	@cp tests/support/npm/package.json tests/support/npm/package-lock.json .anvil/
	@npm ci --prefix .anvil --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

anvil: .anvil/.installed ## install the node with a mempool that the chain tests also run on (npm)

clean: ## remove the environment, caches and the data of `make run`
	rm -rf $(VENV) .anvil .treasurer .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage htmlcov
