// Command quickstart shows what l4mysql does, with nothing installed: it starts a MySQL server in memory
// and Caddy with the Caddyfile of this directory, lets a client in from behind a load balancer, and shows
// what Caddy's log says about it. Run it in its own directory:
//
//	go run -C examples/quickstart .
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// recordWait is how long the records of finished statements may take to reach the file. They are written
// off the data path; milliseconds are usual.
const recordWait = 10 * time.Second

func main() {
	once := flag.Bool("once", false, "end after the demonstration")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *once); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run goes through the demonstration, and then, unless it is to run once, shows new records until ctx is
// done.
func run(ctx context.Context, once bool) (err error) {
	c, err := readCaddyfile("Caddyfile")
	if err != nil {
		return err
	}

	ln, err := c.listen(c.upstream)
	if err != nil {
		return err
	}
	fmt.Printf("1. Starting a MySQL server that keeps its data in memory, on %s.\n", c.upstream)
	if err := startMySQL(ln); err != nil {
		return err
	}

	fmt.Printf("2. Starting Caddy on %s, with %s.\n", c.address, c.path)
	log, err := c.start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, caddy.Stop()) }()

	origin := randomAddr()
	fmt.Printf("3. A client comes through a load balancer, whose PROXY v2 header names it as %s, and asks:\n", origin)
	last, err := visit(ctx, c.address, origin)
	if err != nil {
		return err
	}

	fmt.Printf("4. What Caddy wrote about it to %s:\n", c.log)
	wait, cancel := context.WithTimeoutCause(ctx, recordWait, fmt.Errorf("%s has no record of %q", c.log, last))
	defer cancel()
	if err := log.show(wait, last); err != nil || once {
		return err
	}

	fmt.Printf("5. Your turn, in another terminal; its records will appear here, until Ctrl-C:\n   %s\n", command(c.address))
	return log.show(ctx, "")
}

// command is what the reader can type to ask the server at address, with the client that is on PATH.
func command(address string) string {
	client := "mariadb --skip-ssl" // from 11.4 on, it wants TLS otherwise
	if _, err := exec.LookPath("mariadb"); err != nil {
		if _, err := exec.LookPath("mysql"); err == nil {
			client = "mysql"
		}
	}
	host, port, _ := net.SplitHostPort(address)
	return fmt.Sprintf(`%s --host %s --port %s --user you --execute "SELECT * FROM orders" %s`, client, host, port, database)
}
