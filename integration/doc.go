// Package integration tests the plugin as its users run it: Caddy as a process of its own, real load
// balancers before it and real database servers behind it. It has no code besides its tests, and a module of
// its own, so that what it needs is not needed by those who build the plugin.
//
// What is expected comes from a third party: the load balancer's log, the server's general log or process
// list. A test's own client never says what is right, and what it sends holds a value drawn in that run.
//
// A test whose server is not installed is skipped; with L4MYSQL_REQUIRE_SERVERS=1, as in `make test`, it
// fails.
package integration
