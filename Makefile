# One Makefile: a person and CI call the same targets. What takes more than a line is in scripts/.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
ARGS ?=
# Tests mostly wait, so processes share even two cores well; each has services of its own.
side_by_side = --numprocesses $(1) --dist loadfile --no-loadscope-reorder
# Without compiled files each of the processes that tests start compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE
linted := --config pyproject.toml . ../deploy $(addprefix ../,$(wildcard bench))

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

.PHONY: run
run: setup-run ## Run the board in one process; ARGS='--port 9000 --data DIR'
	@exec backend/.venv/bin/madang serve $(ARGS)

.PHONY: up
up: setup-run setup-services ## Run the whole system on this machine: nginx, api, live, ship, record, MariaDB, Redis, Kafka
	@PYTHONPATH=backend exec backend/.venv/bin/python deploy/dev/up.py $(ARGS)

.PHONY: test
test: setup check ## Set up, check and run all tests; ARGS='-k search' goes to pytest
	@cd backend && exec .venv/bin/pytest $(call side_by_side,auto) $(ARGS)

.PHONY: test-cluster
test-cluster: setup ## Test on a real Kubernetes: of KUBECONFIG, by kind, or one of its own (root); ARGS as for test
	@$(MAKE) -j2 cluster-tools $(if $(KUBECONFIG),,cluster-images)
	@cd backend && exec .venv/bin/pytest tests/cluster $(call side_by_side,$(if $(KUBECONFIG),1,2)) $(ARGS)

.PHONY: check
check: setup ## Run all linters and type checkers, and the web application's tests
	@$(MAKE) -j2 --output-sync=target test-frontend check-frontend check-backend check-scripts

.PHONY: setup
setup: setup-run setup-services ## Install everything once: for run, up, test and the measurements
	@scripts/setup-kube.sh chart

.PHONY: setup-run
setup-run: ## Install only what `make run` needs
	@scripts/setup-python.sh
	@scripts/setup-web.sh

.PHONY: setup-services
setup-services: ## Install the services that `make up` and the tests start: by apt, Kafka by Maven
	@scripts/setup-packages.sh
	@scripts/setup-kafka.sh

.PHONY: lock
lock: setup-run ## Write the Python locks anew; ARGS=--upgrade for the newest versions
	@scripts/lock.sh $(ARGS)

.PHONY: openapi
openapi: setup-run ## Write the API's description and the TypeScript client from the code
	@scripts/openapi.sh

.PHONY: clean
clean: ## Remove what setup and the tools made; data and the cache stay
	rm -rf backend/.venv frontend/node_modules frontend/dist
	rm -rf backend/.mypy_cache backend/.ruff_cache backend/.pytest_cache backend/.hypothesis
	find backend deploy -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: cluster-tools cluster-images
cluster-tools:
	@scripts/setup-kube.sh chart observe control $(if $(KUBECONFIG),,node)

# Beside the tools, for much of it is waiting. Only a node of our own needs them.
cluster-images:
	-@{ command -v kind && docker info; } >/dev/null 2>&1 || scripts/build-cluster-images.sh >/dev/null

.PHONY: check-backend check-frontend check-scripts test-frontend
check-backend:
	@cd backend && .venv/bin/ruff check $(linted) && .venv/bin/ruff format --check $(linted)
	@cd backend && .venv/bin/mypy && .venv/bin/mypy ../deploy/dev ../deploy/helm ../deploy/rollout && .venv/bin/lint-imports

check-frontend:
	@cd frontend && npm run --silent check

test-frontend:
	@cd frontend && npm run --silent test

check-scripts:
	@scripts/check-shell.sh
