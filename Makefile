# planc: what there is to do with a checkout.  `make demo` and `make test` need nothing set up before.

PYTHON ?= /usr/bin/python3
PREFIX ?= /usr/local
DESTDIR ?=
VENV := .venv
STAGE := $(CURDIR)/build/prefix
PLANC ?= $(STAGE)/bin/planc
# tests call planc as other users too; a PLANC of the caller's is tested where it is
ifeq ($(origin PLANC),file)
FOR_ALL := PYTHON=$(PYTHON) tools/with-prefix
else
FOR_ALL := env PLANC=$(PLANC)
endif
# daemons and busy machines: what fails once and then passes is shown as RERUN
PYTEST := $(FOR_ALL) $(VENV)/bin/python -m pytest --reruns 1 -raR

.PHONY: help demo test as-root test-vm vm install build-lib dependencies test-dependencies world-dependencies stage \
	develop unit house native cgroups front integration managers bundles conformance bench lint clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 20

demo: dependencies stage ## build planc and run a first container from bundles/shell
	bundles/shell/rootfs.sh
	@echo; echo '# what planc is about to do:'; $(PLANC) explain --bundle bundles/shell | head -20
	@echo '# ...'; echo '# and the container itself:'
	PYTHON=$(PYTHON) tools/demo $(PLANC)

test: dependencies test-dependencies develop stage ## install what the tests need and run them all
	$(MAKE) lint unit
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) as-root; else \
		echo 'the other tests make real containers and need root: run make test as root'; fi

as-root:
	$(PYTEST) tests/native tests/cgroups tests/front tests/bundles
	$(PYTEST) -n 2 tests/integration
	$(PYTEST) -n 2 tests/managers
	$(PYTEST) -n 2 tests/worlds
	tests/worlds/run-suite

test-vm: test-dependencies world-dependencies develop stage ## the suite in virtual machines: WORLD=name for one, TESTS=... for a part of it
	tests/worlds/run-suite $(WORLD) $(if $(TESTS),-- $(TESTS))

vm: test-dependencies world-dependencies develop stage ## a shell in a virtual machine: WORLD=v2, systemd, rootless, v1, qemu ...
	tests/worlds/run $(or $(WORLD),v2)

install: build-lib ## install below PREFIX (default /usr/local)
	$(PYTHON) tools/install build/lib $(DESTDIR)$(PREFIX) $(PREFIX)

build-lib:
	$(PYTHON) setup.py -q build --build-lib build/lib

stage: build-lib
	$(PYTHON) tools/install build/lib $(STAGE) $(STAGE)

dependencies:
	tools/dependencies run

test-dependencies: $(VENV)/.complete
	tools/dependencies test

world-dependencies:
	$(if $(findstring qemu,$(WORLD)),tools/dependencies emulator)

$(VENV)/.complete: tools/requirements-test.txt
	tools/dependencies run
	$(PYTHON) -m venv --system-site-packages $(VENV)
	$(VENV)/bin/python -m pip install -q -r tools/requirements-test.txt
	touch $@

develop: ## build the C parts in place
	$(PYTHON) setup.py -q build_ext --inplace

lint: ## formatters, types, warnings
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

unit: develop ## tests that need no root
	PLANC=$(PLANC) $(VENV)/bin/python -m pytest tests/unit tests/house conformance/test_harness.py

native cgroups front integration managers bundles: develop stage ## one layer of the tests that need root
	$(PYTEST) tests/$@

conformance: stage ## the OCI runtime-tools suite against planc, runc and crun
	PLANC=$(PLANC) conformance/run

bench: stage ## planc, runc and crun side by side
	PLANC=$(PLANC) bench/run

clean:
	rm -rf build dist *.egg-info runtime/native/_native*.so runtime/native/planc-init csrc/*.o
