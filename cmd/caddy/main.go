// Command caddy is Caddy with its standard modules, all of caddy-l4, and l4mysql.
//
// It is what `xcaddy build` makes; `go run ./cmd/caddy` needs no other tool.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	_ "github.com/mholt/caddy-l4"

	_ "github.com/l4mysql/l4mysql"
)

func main() {
	caddycmd.Main()
}
