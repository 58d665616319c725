# make run    sets up and starts the app, for this machine alone    make lint   checks style and types
# make serve  the same for whoever reaches this machine             make bench  measures the speed of certification
# make test   sets up and passes checks and tests                   make clean  removes what the other targets made
# make test-lowest  passes the tests of strangers' models with the lowest versions of their libraries that requirements.txt admits
#
# make test ARGS='-m "not slow and not browser"' leaves out what takes long.
# PYTHON=python3.12 chooses an interpreter; ARGS="..." is handed to streamlit, pytest or the benchmark.

VENV := .venv
IN_VENV := $(VENV)/bin/python
USABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

# The first interpreter on the path that is recent enough, else python3, which is then told about.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c '$(USABLE)' 2>/dev/null && { echo $$p; exit; }; done; echo python3)

# An environment that was half made, or whose interpreter was upgraded away, is made anew.
BROKEN := $(shell test -d $(VENV) && { $(IN_VENV) -c 'import pip' 2>/dev/null || echo broken; })

.PHONY: run serve test test-lowest lint bench clean broken

# One heap for all threads: else the C library keeps one for each, as large as the largest job that ever ran there.
run serve: export MALLOC_ARENA_MAX ?= 1

run: $(VENV)/app-installed
	$(IN_VENV) -m streamlit run app.py --server.showEmailPrompt=false $(ARGS)

# Read docs/deployment.md first: without a login, whoever reaches the port shares all that is kept.
serve: $(VENV)/app-installed
	$(IN_VENV) -m streamlit run app.py --server.showEmailPrompt=false --server.address=0.0.0.0 $(ARGS)

test: lint
	$(IN_VENV) -m pytest $(ARGS)

test-lowest: $(VENV)/lowest/installed
	$(VENV)/lowest/bin/python -m pytest -m lowest tests/models/formats $(ARGS)

lint: $(VENV)/dev-installed
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) -m mypy
	$(VENV)/bin/lint-imports

bench: $(VENV)/app-installed
	$(IN_VENV) -m core bench --json $(ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .pytest_cache test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps say that an installation was finished; it is repeated only when a requirements file is newer.
$(VENV)/app-installed: requirements.txt $(BROKEN)
	@$(call make_venv)
	$(IN_VENV) -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/dev-installed: requirements-dev.txt requirements-apis.txt requirements-quantize.txt requirements-ray.txt deploy/requirements.txt requirements.txt $(BROKEN)
	@$(call make_venv)
	$(IN_VENV) -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch $(VENV)/app-installed $@

# A second environment that sees all of the first, and has its own of the four libraries.
PURELIB := import sysconfig; print(sysconfig.get_path("purelib"))
$(VENV)/lowest/installed: $(VENV)/dev-installed requirements.txt
	$(IN_VENV) -m venv --clear --without-pip $(VENV)/lowest
	$(IN_VENV) -c '$(PURELIB)' > "$$($(VENV)/lowest/bin/python -c '$(PURELIB)')/newest.pth"
	$(IN_VENV) -m pip --python $(VENV)/lowest/bin/python install --disable-pip-version-check \
		$$(sed -nE 's/^(timm|transformers|diffusers|deepinv)>=([0-9.]+).*/\1==\2/p' requirements.txt)
	@touch $@

define make_venv
command -v "$(PYTHON)" >/dev/null || { echo "There is no $(PYTHON): install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=/path/to/python3.12 run" >&2; exit 1; }; \
"$(PYTHON)" -c '$(USABLE)' || { echo "$$("$(PYTHON)" -V 2>&1) is not supported: install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=/path/to/python3.12 run" >&2; exit 1; }; \
"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: on Debian and Ubuntu, install the package python3-venv first." >&2; exit 1; }; \
"$(PYTHON)" -m venv $(if $(BROKEN),--clear) $(VENV)
endef
