# Every target works in a fresh clone that has Go, git and make.

.PHONY: build test test-mysql test-sysbench lint fuzz bench bench-packages ci

build: ## Caddy with caddy-l4 and this plugin, as ./caddy
	go build -o caddy ./cmd/caddy

test: ## installs the servers that are missing (apt), then runs every test of every module with -race
	.ci/servers
	L4MYSQL_REQUIRE_SERVERS=1 .ci/test

test-mysql: ## the compatibility matrix, with a real MySQL 9, too; needs root; writes docs/compat.md
	.ci/servers
	.ci/mysql9

test-sysbench: ## sysbench through every mode of the proxy, for as long as it takes; make test does a little of it
	.ci/servers
	L4MYSQL_REQUIRE_SERVERS=1 L4MYSQL_SYSBENCH=1 go test -C integration -run='^TestSysbench$$' -count=1 -timeout=90m -v

lint: ## the checks of .ci/run that only read
	.ci/run lint

fuzz: ## each fuzz target for FUZZTIME
	.ci/fuzz

bench: ## what a proxy costs, compared with HAProxy: ROUNDS, QUICK=1, SIDES, LOADS, PROFILE; docs/performance.md
	.ci/servers
	L4MYSQL_REQUIRE_SERVERS=1 L4MYSQL_BENCH=1 $(if $(PROFILE),PROFILE='$(abspath $(PROFILE))') \
		go test -C integration -run='^TestBench$$' -count=1 -timeout=60m -v

bench-packages: ## each benchmark COUNT times, for benchstat
	go test -run='^$$' -bench=. -benchmem -count=$(or $(COUNT),6) ./...

ci: ## what must pass before a merge
	.ci/run
