# Needs make and Python >= 3.11, nothing else. `make help` gives the same commands for machines without make.
# The first Python of this list that is new enough and has venv builds .venv; name another: make PYTHON=/path/to/python3.12 test
PYTHON ?= python3 python3.13 python3.12 python3.11
# uv, where it is, installs the same lock with the same hashes in seconds; `make UV= test` does without.
UV := $(shell command -v uv 2>/dev/null)

BIN := .venv/bin
STAMP := .venv/.stamp
CHECKED := --quiet --require-hashes --only-binary :all: -r requirements.lock
OURSELVES := --quiet --no-deps --no-build-isolation -e .
# pyright must see the packages of .venv and ask no registry whether it is the newest pyright.
PYRIGHT := PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python
# Tests on all cores, at most four of them. Each process its own share of the suite, so that what a file's tests have in
# common is made once, until one has nothing left to do; one thread for linear algebra in each.
SPREAD := -n logical --maxprocesses 4 --dist worksteal
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.PHONY: help reproduce test verify docs lock FORCE

help:
	@echo "make reproduce   all figures, numbers and verdicts at scale laptop, and the page that shows them, into corollary-out/"
	@echo "make test        ruff, pyright, import-linter, pytest"
	@echo "make verify      every verdict on a fresh seed, then the slow tests"
	@echo "make docs        the documentation, into build/docs/"
	@echo "make bench-NAME  run benchmarks/NAME.py"
	@echo "make lock        write requirements.lock anew; LOCK=--upgrade takes the newest versions"
	@echo
	@echo "Without make, first"
	@echo "  python3 -m venv .venv"
	@echo "  .venv/bin/pip install --require-hashes --only-binary :all: -r requirements.lock"
	@echo "  .venv/bin/pip install --no-deps --no-build-isolation -e ."
	@echo "then"
	@echo "  reproduce:  .venv/bin/corollary reproduce --scale laptop"
	@echo "  test:       .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/pyright --pythonpath .venv/bin/python && .venv/bin/lint-imports --no-logo && $(ONE_THREAD) .venv/bin/pytest $(SPREAD) -m 'not slow'"
	@echo "  verify:     .venv/bin/corollary verify --scale laptop --fresh-seed && .venv/bin/pytest -m slow"
	@echo "  bench-NAME: .venv/bin/python benchmarks/NAME.py"

# The stamp is written last, so a half-built .venv is built again; it holds the folder's name, because a copied or
# moved .venv would run the code of the old folder.
ifneq ($(shell cat $(STAMP) 2>/dev/null; $(BIN)/python -c '' 2>/dev/null && echo runs),$(CURDIR) runs)
$(STAMP): FORCE
endif

$(STAMP): requirements.lock pyproject.toml
	@new=; chosen=; \
	for py in $(PYTHON); do \
	  "$$py" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
	  new="$${new:-$$py}"; \
	  if "$$py" -c 'import venv, ensurepip' >/dev/null 2>&1; then chosen="$$py"; break; fi; \
	done; \
	if [ -z "$$new" ]; then \
	  echo "make: corollary needs Python 3.11 or later; tried: $(PYTHON)." >&2; \
	  for py in $(PYTHON); do echo "  $$py: $$("$$py" --version 2>/dev/null || echo 'does not run')" >&2; done; \
	  echo "Install one (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python)," >&2; \
	  echo "or name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; \
	elif [ -z "$$chosen" ]; then \
	  echo "make: $$new is new enough, but lacks the venv module (venv, ensurepip)." >&2; \
	  echo "Debian, Ubuntu: apt-get install python3-venv; or name another: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; \
	fi; \
	echo "Building .venv with $$chosen"; \
	rm -rf .venv && "$$chosen" -m venv .venv
	@$(if $(UV),echo "Installing with uv"; $(UV) pip install --python $(BIN)/python $(CHECKED) || ,)$(BIN)/python -m pip install --disable-pip-version-check $(CHECKED)
	@$(BIN)/python -m pip install --disable-pip-version-check $(OURSELVES)
	@printf '%s\n' "$(CURDIR)" > $@

reproduce: $(STAMP)
	$(BIN)/corollary reproduce --scale laptop

test: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(PYRIGHT)
	$(BIN)/lint-imports --no-logo
	$(ONE_THREAD) $(BIN)/pytest $(SPREAD) -m "not slow"

verify: $(STAMP)
	$(BIN)/corollary verify --scale laptop --fresh-seed
	$(BIN)/pytest -m slow

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo build/docs/index.html

bench-%: $(STAMP)
	@test -f benchmarks/$(subst -,_,$*).py || { echo "make: no benchmarks/$*.py; there are:" $(subst _,-,$(patsubst benchmarks/%.py,bench-%,$(filter-out benchmarks/harness.py,$(wildcard benchmarks/*.py)))) >&2; exit 1; }
	$(BIN)/python benchmarks/$(subst -,_,$*).py

# One lock for every Python >= 3.11 and every platform; it names packages and hashes, no index and no path.
lock: $(STAMP)
	$(BIN)/uv pip compile pyproject.toml --extra cluster --extra docs --group dev --universal --python-version 3.11 \
	  --generate-hashes --only-binary :all: --no-emit-index-url --no-annotate --no-header --quiet $(LOCK) \
	  --output-file requirements.lock
