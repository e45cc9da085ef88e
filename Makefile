# `make run` and `make test` are all that a user needs; both set up the environment first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: run test test-slow test-faults bench lint lock clean

run: $(VENV)/ready
	$(BIN)/snakemake --profile local

test: $(VENV)/ready
	$(BIN)/pytest -n 2 -m "not slow and not faults"

test-slow: $(VENV)/ready
	$(BIN)/pytest -m slow

# Faults at random moments of whole jobs; makes docs/faults.jsonl and its page anew. FAULT_JOBS of
# them go side by side, which needs root.
FAULTS ?= 20
FAULT_SEED ?= 1
FAULT_JOBS ?= 0
test-faults: $(VENV)/ready
	TRIALWATT_FAULTS=$(FAULTS) TRIALWATT_FAULT_SEED=$(FAULT_SEED) \
	  TRIALWATT_FAULT_OUTCOMES=docs/faults.jsonl $(BIN)/pytest -m faults \
	  -n $(FAULT_JOBS) --dist worksteal tests/faults; \
	  status=$$?; $(BIN)/python tests/faults/outcome.py; exit $$status

bench: $(VENV)/ready
	$(BIN)/python benchmarks/all.py

lint: $(VENV)/ready
	$(BIN)/pytest tests/test_house.py tests/test_types.py tests/test_architecture.py

# The environment is complete when `ready` is there; a new lock makes it anew.
$(VENV)/ready: envs/requirements.lock envs/install.sh pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || \
	  { echo "Trialwatt needs Python 3.11; name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Setting up the environment in $(VENV) from envs/requirements.lock; this takes some minutes, once."
	$(PYTHON) -m venv $(VENV)
	envs/install.sh $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Resolve pyproject.toml anew and pin what was found, by the hashes of its files; on Linux x86-64.
lock:
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --disable-pip-version-check "setuptools>=80" wheel
	.venv-lock/bin/python -m pip install --disable-pip-version-check "torch==2.13.0" "torchvision==0.28.0"
	.venv-lock/bin/python -m pip install --disable-pip-version-check ".[test]"
	.venv-lock/bin/python envs/freeze.py
	rm -rf .venv-lock

clean:
	rm -rf $(VENV) .snakemake .pytest_cache .ruff_cache .hypothesis
