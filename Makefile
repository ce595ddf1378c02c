# The whole interface of this repository; the workflow and the hooks call nothing else.
PY := .venv/bin/python
.DEFAULT_GOAL := help
COMPILED := build/compiled
.PHONY: help setup up compiled demo demo-down test test-unit test-component test-compiled test-e2e campaign-helm campaign-wake campaign-outages campaign-properties campaign-drain campaign-causes campaign-causes-on-cluster campaign-local test-vllm check bench bench-gateway bench-tickets bench-operator bench-scaling bench-wake bench-isolation bench-start bench-compile-cache bench-local manifests lock corpus fuzz campaign
help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: .venv/.ready ## the Python environment, with the tidegate command in .venv/bin

.venv/.ready: requirements/dev.txt pyproject.toml
	python3 -m venv .venv
	$(FIRST)
	$(INSTALL) --require-hashes -r requirements/dev.txt
	$(INSTALL) --no-deps --no-build-isolation -e .
	touch $@

PIP = $(PY) -m pip install --quiet --disable-pip-version-check
INSTALL = $(PIP)
# Who only wants to try it has uv do what takes pip half a minute: uv is needed for vLLM anyway.
up: FIRST = awk '/^[a-z]/ {wanted = /^uv==/} wanted' requirements/dev.txt > .venv/uv.txt && $(PIP) --require-hashes -r .venv/uv.txt
up: INSTALL = .venv/bin/uv pip install --quiet --python $(PY)

compiled: $(COMPILED)/.ready ## the package with its data path as C extensions, in build/compiled

$(COMPILED)/.ready: .venv/.ready tools/compile.py $(shell find operator/tidegate -name '*.py')
	$(PY) tools/compile.py $(COMPILED)
	touch $@

# helm and kubectl, from the user's cache where PATH has none
TOOLS = eval "$$($(PY) -m tidegate.devcluster tools)"

LOCAL = -f examples/tiny-chat.yaml -f examples/minilm.yaml
.PHONY: can-up
can-up:
	@[ "$$(uname -sm)" = "Linux x86_64" ] || { echo "make up installs vLLM for Linux on x86-64; here is $$(uname -sm): install a vLLM of your own and use tidegate up (docs/local.md)"; exit 1; }

up: can-up setup ## vLLM for CPUs and two small models on this machine alone: no cluster, no root; Ctrl-C ends it
	$(PY) worker-image/install_cpu.py
	$(PY) worker-image/make_tiny_model.py
	$(PY) worker-image/fetch_minilm.py
	.venv/bin/tidegate up $(LOCAL)

demo: setup ## a cluster, helm install, kubectl apply, a wake from zero with real vLLM, sleep
	$(PY) examples/demo/run.py

demo-down: setup ## removes all that the demo started
	$(PY) -m tidegate.devcluster down

test: test-unit test-component test-e2e ## all tests but those with real vLLM

test-unit: setup ## the pure floors and the parsers, seconds
	$(PY) -m pytest tests/unit

test-component: setup ## real sockets and a real API server
	$(PY) -m pytest tests/component tests/differential

# The reference page is written from the sources, so its test has nothing to say of what was compiled.
test-compiled: compiled ## the gateway's tests against the compiled data path
	PYTHONPATH=$(CURDIR)/$(COMPILED) $(PY) -m pytest tests/unit/gateway tests/unit/domain tests/component/gateway \
		--ignore tests/unit/gateway/test_reference.py

test-e2e: setup ## a real cluster, a simulated engine
	$(PY) -m pytest tests/e2e -m 'not vllm' --timeout 900

campaign-helm: setup ## install, upgrade, rollback, uninstall under requests, five times: what each step takes and loses
	TIDEGATE_HELM_ROUNDS=5 TIDEGATE_HELM_RESULTS=benchmarks/results/helm.json $(PY) -m pytest tests/e2e/test_helm_loop.py -s --timeout 3000

CYCLES := 200
campaign-wake: setup ## CYCLES sleep/wake cycles with requests in every phase: none lost, none run twice, one wake each
	TIDEGATE_CYCLES=$(CYCLES) TIDEGATE_CYCLES_RESULTS=benchmarks/results/wake_cycles.json \
		$(PY) -m pytest tests/e2e/test_wake_cycles.py -s --timeout 1500

campaign-outages: setup ## the operator gone for ten minutes under load, the API server for five: what is lost
	TIDEGATE_OPERATOR_DOWN_SECONDS=600 TIDEGATE_API_SERVER_DOWN_SECONDS=300 \
		TIDEGATE_OUTAGES_RESULTS=benchmarks/results/outages.json \
		$(PY) -m pytest tests/e2e/test_outages.py -s --timeout 1500

campaign-properties: setup ## the properties with examples drawn anew at each run; the tests have fixed ones
	TIDEGATE_EXAMPLES=drawn $(PY) -m pytest tests/unit --timeout 3000

campaign-drain: setup ## workers that end under 100 streams, in every way, on two nodes: what fails of what runs and what comes
	$(PY) -m tidegate.devcluster up --mode two-nodes
	TIDEGATE_DRAIN_RESULTS=benchmarks/results/drain.json $(PY) -m pytest tests/e2e/test_draining.py -s --timeout 900; \
		code=$$?; $(PY) -m tidegate.devcluster down && exit $$code

campaign-causes: setup ## every cause of a failed worker with real vLLM, and the line that the user reads; half an hour
	TIDEGATE_CAUSES_RESULTS=benchmarks/results/causes.json $(PY) -m pytest tests/vllm/test_vllm_failures.py -s --timeout 1800
	$(PY) -m tests.vllm.causes_page

campaign-causes-on-cluster: setup ## the causes that a pod meets, as kubectl shows them; five minutes
	TIDEGATE_CAUSES_RESULTS=benchmarks/results/causes_on_cluster.json $(PY) -m pytest tests/e2e/test_causes.py -s --timeout 900
	$(PY) -m tests.vllm.causes_page

KILLS := 20
campaign-local: setup ## `tidegate up`: CYCLES sleep/wake cycles, then KILLS SIGKILLs of it: what is lost, what is left
	TIDEGATE_CYCLES=$(CYCLES) TIDEGATE_CYCLES_RESULTS=benchmarks/results/local_cycles.json \
		TIDEGATE_KILLS=$(KILLS) TIDEGATE_KILLS_RESULTS=benchmarks/results/local_kills.json \
		$(PY) -m pytest tests/component/local/test_cycles.py tests/component/local/test_killed.py -s --timeout 1500

test-vllm: setup ## real vLLM, as a process and on the cluster
	$(PY) -m pytest tests/vllm tests/e2e -m vllm --timeout 1800

corpus: setup ## malformed requests through tidegate, nginx and HAProxy; writes docs/strictness.md
	$(PY) -m tests.differential

SECONDS := 600
campaign: setup ## kills the operator at every write, then seeded faults for SECONDS; every end must be the same
	nice $(PY) -m tests.campaign --seconds $(SECONDS) --json benchmarks/results/campaign.json

fuzz: setup .venv/fuzz/.ready ## coverage-guided fuzzing of the parsers, SECONDS each, both at once
	PYTHONPATH=.:.venv/fuzz nice -n 19 $(PY) -m tests.fuzz.run all $(SECONDS)

.venv/fuzz/.ready: requirements/fuzz.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
		--upgrade --target .venv/fuzz -r $<
	touch $@

check: setup ## linters, types, floors, helm lint, all manifests, freshness of generated files
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy operator tests examples/demo worker-image benchmarks tools
	.venv/bin/lint-imports
	$(PY) -m tidegate.cli manifests --check
	$(TOOLS) && helm lint --strict charts/tidegate && $(PY) tests/manifests/check.py

bench: bench-gateway bench-tickets bench-operator bench-scaling bench-wake bench-isolation bench-start bench-compile-cache bench-local ## every benchmark: a table, and JSON in benchmarks/results/

bench-gateway: compiled ## what requests, streams and refusals cost, beside nginx and HAProxy
	PYTHONPATH=$(CURDIR)/$(COMPILED) $(PY) benchmarks/bench_gateway.py

bench-tickets: compiled ## what a request costs where another gateway is the arbiter
	PYTHONPATH=$(CURDIR)/$(COMPILED) $(PY) benchmarks/bench_tickets.py

bench-operator: setup ## what 1,000 and 5,000 idle services cost: writes, CPU, memory, a pass over all
	PYTHONPATH=$(CURDIR) $(PY) benchmarks/bench_operator.py

bench-scaling: setup ## policies of scaling on traces, simulated: what they serve in time, and what they cost
	$(PY) benchmarks/bench_scaling.py

bench-wake: setup ## wakes from zero beside the same pods without tidegate, on the development cluster
	PYTHONPATH=$(CURDIR) $(PY) benchmarks/bench_wake.py

STARTS :=
bench-start: setup ## a worker's start beside stock vLLM's, part by part, in pods with a core of their own; STARTS=--processes: without pods
	PYTHONPATH=$(CURDIR) $(PY) benchmarks/bench_start.py $(STARTS)

bench-compile-cache: setup ## what a cache of compiled graphs saves a CPU worker's start
	PYTHONPATH=$(CURDIR) $(PY) benchmarks/bench_compile_cache.py

bench-local: compiled ## wakes through `tidegate up` beside the bare process, and what a request costs there
	PYTHONPATH=$(CURDIR)/$(COMPILED):$(CURDIR) $(PY) benchmarks/bench_local.py

bench-isolation: setup .venv/plot/.ready ## a worker beside noisy pods, with and without cores of its own; half an hour, all cores
	PYTHONPATH=$(CURDIR):.venv/plot $(PY) benchmarks/bench_isolation.py

.venv/plot/.ready: requirements/plot.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
		--upgrade --target .venv/plot -r $<
	touch $@

manifests: setup ## writes the CRD, the chart's copy of it and the reference page from the models
	$(PY) -m tidegate.cli manifests

LOCK = $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --upgrade
lock: setup ## compiles requirements/*.txt anew, with hashes and without a registry's address
	$(LOCK) pyproject.toml --group dev -o requirements/dev.txt
	grep -E '^[a-z].*==' requirements/dev.txt | sed 's/ *\\$$//' > requirements/.pins
	$(LOCK) -c requirements/.pins pyproject.toml -o requirements/runtime.txt
	rm requirements/.pins
