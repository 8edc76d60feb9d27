# Every target works in a fresh clone that has Go, git and make.

.PHONY: build test test-mysql lint fuzz bench ci

build: ## Caddy with caddy-l4 and this plugin, as ./caddy
	go build -o caddy ./cmd/caddy

test: ## installs the servers that are missing (apt), then runs every test of every module with -race
	.ci/servers
	L4MYSQL_REQUIRE_SERVERS=1 .ci/test

test-mysql: ## the compatibility matrix, with a real MySQL 9, too; needs root; writes docs/compat.md
	.ci/servers
	.ci/mysql9

lint: ## the checks of .ci/run that only read
	.ci/run lint

fuzz: ## each fuzz target for FUZZTIME
	.ci/fuzz

bench: ## each benchmark COUNT times, for benchstat
	go test -run='^$$' -bench=. -benchmem -count=$(or $(COUNT),6) ./...

ci: ## what must pass before a merge
	.ci/run
