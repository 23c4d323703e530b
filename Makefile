# unflat: `make help` lists what there is. Two environments share .venv: the light one that `make run` needs, and the
# development one, which holds it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# Errors are shown, warnings are not: pip has one for each folder that a package index does not have.
PIP_QUIETLY := -m pip --disable-pip-version-check -qq
PIP := $(BIN)/python $(PIP_QUIETLY)
IMAGE ?= examples/mug.jpg
OUT ?= out
WEIGHTS ?= light
WEIGHTS_WAIT ?= 300
PROTOS := $(wildcard protos/unflat/v1/*.proto)
VIEWER := services/gateway/page/vendor/three.js
SOURCES := services tests evaluation bench examples deploy

##@ Use it
.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: .venv/light ## One photo to a mesh, its picture and its receipt (IMAGE=photo.jpg OUT=folder WEIGHTS=none)
ifneq ($(WEIGHTS),none)
	@$(BIN)/unflat models pull --light --optional --wait $(WEIGHTS_WAIT)
endif
	@$(BIN)/unflat mesh "$(IMAGE)" --out "$(OUT)" --preview

.PHONY: serve
serve: .venv/light ## The whole system with its HTTP gateway on port 8000, until Ctrl-C
	@{ command -v npm && $(MAKE) --silent web; } >/dev/null || echo "no viewer was bundled: the page shows six views instead"
	@$(BIN)/unflat up

.PHONY: weights
weights: .venv/light ## Fetch all production weights (about 1.9 GB), size and licence of each shown first
	@$(BIN)/unflat models pull --all

##@ Develop
.PHONY: install
install: .venv/dev ## The full development environment

.PHONY: torch
torch: .venv/torch ## PyTorch and what TripoSR needs beside it

.PHONY: web
web: $(VIEWER) ## Bundle the page's 3D viewer (three.js from npm)

.PHONY: test-fast
test-fast: .venv/dev ## While you write: most tests in a minute; no process, no sleep, no browser
	@$(BIN)/python -m pytest --fast -n auto --dist loadfile

.PHONY: test
test: .venv/dev $(if $(shell command -v npm),web) ## Before you push: all tests that can run here, and what the others need
	@$(BIN)/python -m pytest

.PHONY: test-needs
test-needs: .venv/dev ## After you brought what tests need: those that need it (NEED=torch, see tests/needs.py)
	@test -n "$(NEED)" || { echo "which need? NEED=torch, or another one of tests/needs.py"; exit 1; }
	@$(if $(filter full_size,$(NEED)),UNFLAT_TEST_FULL_SIZE=1) $(BIN)/python -m pytest -m needs_$(NEED)

.PHONY: check
check: .venv/dev node_modules/.ready ## Contracts, formatting, lint, types, layers
	npx --no-install buf lint
	npx --no-install buf format --diff --exit-code
	npx --no-install buf breaking --against '.git#ref=HEAD,subdir=protos'
	$(BIN)/python tests/check_generated.py
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: protos
protos: .venv/dev ## Generate gen/ from protos/
	$(BIN)/python -m grpc_tools.protoc -Iprotos --python_out=gen --grpc_python_out=gen --pyi_out=gen \
	  --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc --mypy_grpc_out=quiet:gen $(PROTOS)

.PHONY: format
format: .venv/dev node_modules/.ready ## Format code and protos
	$(BIN)/ruff check --fix --quiet $(SOURCES)
	$(BIN)/ruff format $(SOURCES)
	npx --no-install buf format --write

.PHONY: eval
eval: .venv/dev ## Quality on the fixed set: report and figures in out/eval (ARGS='--help' for others)
	@$(BIN)/python -m evaluation --out "$(OUT)/eval" $(ARGS)

.PHONY: bench
bench: .venv/dev .venv-peers/ready ## Timings beside what they replace, in one run; writes bench/README.md
	@$(BIN)/python -m bench $(ARGS)

.PHONY: bench-gpu
bench-gpu: .venv/torch ## TripoSR on a CUDA device beside the device's measured ceilings; without one it says so
	@$(BIN)/python -m bench.gpu

.PHONY: soak
soak: .venv/dev ## 2,000 requests: memory of every process stays flat; ten times too many: who pays
	@$(BIN)/python -m bench.soak $(ARGS)

.PHONY: peers
peers: .venv-peers/ready ## rembg and pymatting, to compare with, in an environment of their own

.PHONY: k8s-check
k8s-check: .venv/dev .venv-audit/ready ## Build, validate and scan the Kubernetes overlays with their components
	@rm -rf $(OUT)/k8s && $(BIN)/python -m deploy.k8s.check --write $(OUT)/k8s
	@.venv-audit/bin/checkov -d $(OUT)/k8s --framework kubernetes --config-file deploy/k8s/checkov.yaml --skip-download --compact --quiet

.PHONY: rules
rules: .venv/dev ## Write the Kubernetes copy of deploy/observability/rules anew
	@$(BIN)/python -m deploy.k8s.rules

.PHONY: docs
docs: .venv/dev ## Write docs/settings.md and docs/options.md anew from what they describe
	@$(BIN)/python -m deploy.settings_table
	@$(BIN)/python -m deploy.options_table

# A container engine is found, or named: ENGINE=podman. REGISTRY=registry.example.com/ goes before each name.
ENGINE ?= $(firstword $(foreach engine,docker podman buildah,$(if $(shell command -v $(engine)),$(engine))))
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
IMAGES := $(if $(filter cuda,$(VARIANT)),segmentation depth mesher,segmentation depth mesher orchestrator gateway)
.PHONY: images
images: ## Container images of the services (VARIANT=cuda: of those that compute, with CUDA; TRACING=yes)
	@test -n "$(ENGINE)" || { echo "no container engine: install docker, podman or buildah, or name one (ENGINE=…)"; exit 1; }
	for service in $(IMAGES); do \
	  $(ENGINE) build -f deploy/Dockerfile --target $$service --build-arg LOCK=$$service$(VARIANT:%=-%) --build-arg TRACING=$(TRACING) \
	    -t $(REGISTRY)unflat-$$service:$(VERSION)$(VARIANT:%=-%) . || exit 1; done
	$(if $(VARIANT),,$(ENGINE) build -f deploy/Dockerfile --target all-in-one --build-arg TRACING=$(TRACING) -t $(REGISTRY)unflat:$(VERSION) .)

# Asked for the images' Python and platform, without a download; the hashes are checked when an image is built.
.PHONY: images-check
images-check: .venv/dev ## Whether the package index has what the images install, for their Python and platform
	for lock in build light segmentation depth mesher orchestrator gateway segmentation-cuda depth-cuda mesher-cuda; do \
	  $(BIN)/uv pip install --quiet --dry-run --require-hashes --only-binary :all: --python-version 3.11 \
	    --python-platform x86_64-manylinux_2_36 --target $(OUT)/image -r requirements/$$lock.lock -r requirements/tracing.lock || exit 1; done

.PHONY: sbom
sbom: .venv-sbom/ready ## A CycloneDX bill of materials for each image, in out/sbom
	@mkdir -p $(OUT)/sbom && rm -f $(OUT)/sbom/*
	@for lock in $(filter-out %/build.lock %/dev.lock %/peers.lock %/audit.lock %/sbom.lock,$(wildcard requirements/*.lock)); do \
	  PYTHONWARNINGS=ignore .venv-sbom/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
	    -o $(OUT)/sbom/$$(basename $$lock .lock).cdx.json $$lock || exit 1; done
	@ls $(OUT)/sbom

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-header pyproject.toml
# CUDA wheels are for Linux on x86-64 alone; the base image's glibc is 2.36.
CUDA_LOCK := $(subst --universal,--python-platform x86_64-manylinux_2_28,$(LOCK))
# PyTorch and what it brings for CUDA: `make torch` installs these in a step of its own.
BROUGHT_BY_TORCH := torch triton cuda-bindings cuda-pathfinder cuda-toolkit $(addprefix nvidia-,cublas cuda-cccl cuda-cupti \
  cuda-nvrtc cuda-runtime cudnn-cu13 cufft cufile cusolver cusparse cusparselt-cu13 nccl-cu13 nvjitlink nvshmem-cu13 nvtx)
.PHONY: locks
locks: .venv/dev ## Write requirements/*.lock anew from pyproject.toml
	$(LOCK) --extra light -o requirements/light.lock
	for service in segmentation depth mesher orchestrator gateway; do \
	  $(LOCK) --extra $$service -c requirements/light.lock -o requirements/$$service.lock || exit 1; done
	for extra in segmentation-cuda:segmentation-cuda depth-cuda:depth-cuda mesher-cuda:triposr; do \
	  $(CUDA_LOCK) --extra $${extra#*:} -c requirements/light.lock -o requirements/$${extra%:*}.lock || exit 1; done
	$(LOCK) --extra triposr $(addprefix --no-emit-package ,$(BROUGHT_BY_TORCH)) -c requirements/light.lock -o requirements/triposr.lock
	$(LOCK) --extra tracing -c requirements/light.lock -o requirements/tracing.lock
	$(LOCK) --extra light --group dev -c requirements/light.lock -o requirements/dev.lock
	$(LOCK:pyproject.toml=requirements/build.in) -o requirements/build.lock
	$(LOCK:pyproject.toml=requirements/peers.in) -o requirements/peers.lock
	$(LOCK:pyproject.toml=requirements/audit.in) -o requirements/audit.lock
	$(LOCK:pyproject.toml=requirements/sbom.in) -o requirements/sbom.lock

.PHONY: clean
clean: ## Remove what was built; weights stay in their store
	rm -rf .venv .venv-peers .venv-audit .venv-sbom node_modules $(dir $(VIEWER)) build dist out .mypy_cache .ruff_cache .pytest_cache .hypothesis

# ── environments ────────────────────────────────────────────────────────────────────────────────────────────────────
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "unflat needs Python 3.11 or newer; none was found (PYTHON=/path/to/python3)"; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/light: requirements/light.lock pyproject.toml | $(BIN)/python
	@echo "installing the light environment into .venv"
	@$(PIP) install --require-hashes -r requirements/light.lock
	@$(PIP) install --no-deps -e .
	@touch $@

.venv/dev: requirements/dev.lock pyproject.toml | $(BIN)/python
	@echo "installing the development environment into .venv"
	@$(PIP) install --require-hashes -r requirements/dev.lock
	@$(PIP) install --no-deps -e .
	@touch $@ .venv/light

# PyTorch comes without a hash: which wheel fits (CPU, CUDA, Metal) is the machine's affair. What is beside it has one.
TORCH := 2.13.0
.venv/torch: requirements/triposr.lock | .venv/dev
	@echo "installing PyTorch $(TORCH) into .venv"
	@$(PIP) install --require-hashes -r requirements/triposr.lock
	@$(PIP) install torch==$(TORCH)
	@touch $@

.venv-%/ready: requirements/%.lock | $(BIN)/python
	@echo "installing $*.lock into .venv-$*"
	@$(PYTHON) -m venv .venv-$*
	@.venv-$*/bin/python $(PIP_QUIETLY) install --require-hashes -r $<
	@touch $@

$(VIEWER): package.json package-lock.json services/gateway/page/three.entry.js | node_modules/.ready
	@npm run --silent web

node_modules/.ready: package-lock.json
	@npm ci --loglevel=error --no-audit --no-fund >/dev/null
	@touch $@
