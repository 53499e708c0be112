# What this does, plain commands do too (Windows and macOS have no make):
#   make demo          pip install . && mocap3d demo
#   make test          pip install -e ".[dev]" && npm ci --prefix tests/readers && npm ci --prefix viewers/web
#                      && python scripts/check
#   make test-blender  python -m pytest -m blender, with MOCAP3D_BLENDER_PYTHON naming a Python that has bpy
# An environment is made once; the stamps inside it (.core, .test, .blender) remember which lock file went in.

PYTHON ?= $(shell python3.11 -c "" 2>/dev/null && echo python3.11 || echo python3)
BIN := .venv/bin
NODE_MODULES := tests/readers/node_modules/.package-lock.json viewers/web/node_modules/.package-lock.json
BLENDER_PYTHON := $(CURDIR)/.venv-blender/bin/python
PIP := -m pip --disable-pip-version-check --no-input install --quiet

.PHONY: demo test slow test-blender clean

demo: .venv/.core  ## the shipped clip becomes out/demo/*.bvh
	$(BIN)/mocap3d demo

test: .venv/.test $(NODE_MODULES)  ## format, lint, types, fast tests
	$(BIN)/python scripts/check

slow: .venv/.test $(NODE_MODULES)  ## tests of more than 20 s each
	$(BIN)/python -m pytest -n 2 -m "slow and not blender" || [ $$? -eq 5 ]  # 5: there are none

test-blender: .venv/.test .venv-blender/.blender  ## our files, read back by Blender
	MOCAP3D_BLENDER_PYTHON=$(BLENDER_PYTHON) $(BIN)/python -m pytest -m blender

clean:  ## remove the environments and everything a run leaves behind
	rm -rf .venv .venv-blender .typecheck .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf build *.egg-info tests/readers/node_modules viewers/web/node_modules out

$(BIN)/python .venv-blender/bin/python:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info[:2] != (3, 11))" || \
		{ echo "error: mocap3d needs Python 3.11, and $(PYTHON) is another: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(@:/bin/python=)

# --no-build-isolation: setuptools comes from the lock file as well.
.venv/.core: locks/core.txt pyproject.toml | $(BIN)/python
	$(BIN)/python $(PIP) -r locks/core.txt
	$(BIN)/python $(PIP) --no-deps --no-build-isolation -e .
	touch $@

.venv/.test: .venv/.core locks/test.txt
	$(BIN)/python $(PIP) -r locks/test.txt
	scripts/system-packages browser
	scripts/system-packages pictures
	touch $@

%/node_modules/.package-lock.json: %/package-lock.json
	scripts/system-packages node
	npm ci --prefix $* --no-audit --no-fund
	touch $@

.venv-blender/.blender: locks/blender.txt | .venv-blender/bin/python
	.venv-blender/bin/python $(PIP) -r locks/blender.txt
	scripts/system-packages blender
	touch $@
