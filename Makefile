# make demo   sets everything up, classifies a video and shows its timeline (VIDEO=path for one's own)
# make check  the checks that take under three minutes: for every edit
# make test   installs the test extra and runs every check
# make soak   the tests of every combination, of which make test takes a covering choice; stops runs at random moments,
#             looks at what is left and goes on; trains a network that must see motion
# make test-matrix   installs the wheel into every Python there is, newest and lowest dependencies, and tries it
# make bench  measures speed and memory beside the peers; writes docs/performance.json and .png

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONSTRAINTS := -c constraints.txt
# Errors alone: with one --quiet pip also warns of itself, its index and the user.
INSTALL := $(BIN)/python -m pip install --quiet --quiet $(CONSTRAINTS)

export QUOVADIS_ASSETS ?= $(abspath ../shared)

.PHONY: demo check test test-matrix lint soak bench picture clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(INSTALL) -e '.[test]'
	touch $@

demo: $(VENV)/installed
	@video="$(VIDEO)"; [ -n "$$video" ] || video="$$($(BIN)/quovadis sample)" && $(BIN)/quovadis classify --timeline "$$video"

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Neither engines nor processes: see "slow" in tests/conftest.py.
check: lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow and not soak"

# One process a core; tests of a group share what is slow to make: a file's, or those that tests/conftest.py puts together.
test: lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not soak"

soak: $(VENV)/installed-test
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m soak
	$(BIN)/python scripts/soak_results.py $(QUOVADIS_ASSETS)/assets/v_CricketShot_g04_c01_rgb.gif
	$(BIN)/python scripts/soak_training.py

test-matrix: $(VENV)/installed-test
	$(BIN)/python scripts/test_matrix.py

bench: $(VENV)/installed-test
	$(INSTALL) -e '.[benchmark]'
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/start_up.py
	$(BIN)/python benchmarks/accuracy.py

picture: $(VENV)/installed-test
	$(BIN)/python scripts/draw_readme_picture.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
