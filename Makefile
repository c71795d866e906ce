# What a developer runs. Go, git, make and a Unix userland are enough: no C compiler and no container engine.
#
# The first `make test`, `demo`, `lint` or `generate` builds a Kubernetes control plane and Helm into bin/kube, which
# takes some minutes; the tools in bin/ are built once, too.

export CGO_ENABLED := 0

GO ?= go
# These are set on the command line; a variable of the environment does not override them.
#
# What make test tests, and further flags of go test: make test PKG=./pkg/policy/... TESTFLAGS='-run Bypass -v'
# The slowest come first, so that none of them is left to run alone at the end.
PKG := ./pkg/e2e/ownrbac ./pkg/e2e/chart ./pkg/e2e/bell ./pkg/e2e/check ./pkg/e2e/firewall ./pkg/e2e/ledger ./...
TESTFLAGS :=
# Flags of hack/conformance: make conformance CONFORMANCEFLAGS='-focus sig-apps'
CONFORMANCEFLAGS :=
# How long make soak takes.
SOAK := 30m
# How many requests make faults sends in each row that none of may fail.
REQUESTS := 10000
# Which benchmarks make bench runs, and for how long each.
BENCH := .
BENCHTIME := 1s
# How long make fuzz runs each target.
FUZZTIME := 30s
# The image that make image builds.
IMAGE := ghcr.io/firebreak-dev/firebreak
VERSION = $(shell awk '/^appVersion:/ {print $$2}' charts/firebreak/Chart.yaml)
# Further flags of golangci-lint: make lint LINTFLAGS=--fix
LINTFLAGS :=

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: build
build: ## Build bin/firebreak and bin/kubectl-firebreak.
	$(GO) build -trimpath -o bin/ ./cmd/...

.PHONY: kube
kube: ## Build the Kubernetes binaries, kwok and Helm into bin/kube, unless they are current.
	hack/build-kube.sh

# A binary of its own, since go run would not pass a signal on: the control plane would stay behind.
.PHONY: demo
demo: build kube ## Play the story on a real control plane; KEEP=1 leaves it up.
	$(GO) build -o bin/demo ./hack/demo
	bin/demo

# Six packages at a time: those that start a control plane mostly wait for it.
.PHONY: test
test: build kube ## Run all tests; PKG and TESTFLAGS narrow them down.
	hack/tools/build.sh hack/promtool
	hack/tools/build.sh hack/helm-unittest
	hack/tools/build.sh hack/netpol
	$(GO) test -p 6 -timeout 15m $(TESTFLAGS) $(PKG)

# Not part of make test: it builds the tests first, which takes some minutes, and runs them for about twenty.
.PHONY: conformance
conformance: build kube ## Run Kubernetes' own conformance tests without Firebreak and with it.
	hack/build-e2e.sh
	$(GO) build -o bin/conformance ./hack/conformance
	bin/conformance $(CONFORMANCEFLAGS)

# Not part of make test, which does the same for some seconds.
.PHONY: soak
soak: build kube ## Send hostile texts and honest changes to three replicas for SOAK, half an hour by default, and print what grows.
	$(GO) test -timeout 90m -count=1 -v ./pkg/e2e/soak -soak $(SOAK)

# Not part of make test, which makes a few of the faults. It takes about half an hour.
.PHONY: faults
faults: build kube ## Break one thing after the other under traffic, and print what became of each request; REQUESTS none of may fail.
	$(GO) test -timeout 90m -count=1 -v ./pkg/e2e/faults -faults=full -requests $(REQUESTS)

# Apart from make test: the race detector needs a C compiler. The server is built with it, too, and a stage in whose logs a race is told fails its
# tests. Tests that hold the server to a limit of memory are left out: the detector needs several times as much.
RACE_PKGS = $(shell $(GO) list ./... | grep -v -e /e2e/soak -e /e2e/faults -e /e2e/scale)

.PHONY: race
race: kube ## Run the tests with the race detector; needs a C compiler.
	CGO_ENABLED=1 $(GO) build -race -trimpath -o bin/ ./cmd/...
	CGO_ENABLED=1 $(GO) test -race -p 2 -timeout 60m -count=1 $(RACE_PKGS); code=$$?; $(MAKE) build && exit $$code

# Not part of make test, which does the same at a hundredth of the size.
.PHONY: scale
scale: build kube ## Measure a server that knows 5,000 namespaces and 10,000 data stores: memory, idle cost, changes of the estate.
	$(GO) test -timeout 40m -count=1 -v ./pkg/e2e/scale -percent 100

# The packages that have benchmarks; one at a time, so that none disturbs another's figures.
BENCH_PKGS = $(addprefix ./,$(sort $(dir $(shell grep -rl --include='*_test.go' '^func Benchmark' pkg cmd hack))))

.PHONY: bench
bench: build kube ## Measure the webhook beside its floors, and run all benchmarks; BENCH is a pattern, BENCHTIME a duration.
	$(GO) run ./hack/bench
	$(GO) test -p 1 -timeout 30m -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem $(BENCH_PKGS)

# What each package covers by its own tests. The tests of pkg/e2e cover the same again, on a real control plane.
COVER_PKGS = $(shell $(GO) list ./pkg/... | grep -v -e /e2e -e /api/)

.PHONY: cover
cover: ## Print what share of each package its own tests cover.
	$(GO) test -cover $(COVER_PKGS) | awk '{print $$2, $$5}' | column -t

# Apart from make test: a package of five seconds of tests takes an hour.
MUTATE := pkg/schedule pkg/policy/powers pkg/policy/tools pkg/policy/boundary pkg/change pkg/estate

.PHONY: mutate
mutate: ## Change the pure packages, a line at a time, and print which changes no test notices; MUTATE names packages.
	hack/tools/build.sh hack/gremlins
	$(GO) run ./hack/mutate bin/gremlins $(MUTATE)

# One target after the other, each with a memory limit, since the targets look for inputs that need too much.
.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME, 30 s by default.
	hack/fuzz.sh $(FUZZTIME)

.PHONY: lint
lint: ## Run golangci-lint, and the linters of the chart and the Dockerfile.
	hack/tools/build.sh hack/tools/golangci
	bin/golangci-lint-kube-api-linter run $(LINTFLAGS) ./...
	hack/tools/build.sh hack/dockerlint
	bin/dockerlint Dockerfile
	hack/build-kube.sh
	bin/kube/helm lint --strict charts/firebreak --set cluster.name=lint --set image.repository=$(IMAGE)

.PHONY: image
image: ## Build the container image for both architectures; IMAGE and VERSION name it. Needs docker buildx.
	docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=$(VERSION) -t $(IMAGE):$(VERSION) .

.PHONY: sbom
sbom: build ## List the parts of the binaries in bin/*.cdx.json (CycloneDX).
	hack/sbom.sh

.PHONY: generate
generate: kube ## Make everything that is generated: deepcopy, CRDs, the kustomize tree, the chart's table of values.
	hack/generate.sh

.PHONY: verify
verify: build kube ## Check that everything is formatted, tidy, and generated from what is committed.
	hack/verify.sh

.PHONY: clean
clean: ## Remove what was built, except bin/kube.
	find bin -mindepth 1 -maxdepth 1 ! -name kube ! -name .build-kube.lock -exec rm -rf {} +
