package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile" // the Caddyfile's syntax
	_ "github.com/caddyserver/caddy/v2/modules/logging"           // output file
	_ "github.com/mholt/caddy-l4/modules/l4proxy"                 // proxy

	_ "github.com/l4mysql/l4mysql" // proxy_header, mysql_log
)

// A caddyfile is a configuration, and what the demonstration has to know of it.
type caddyfile struct {
	path string // absolute
	text []byte
	json []byte // the same, as Caddy takes it

	address  string // where Caddy listens
	upstream string // where Caddy looks for the MySQL server
	log      string // the file that the records go to; absolute
}

// readCaddyfile reads the file called name. Relative names in it start from the working directory.
func readCaddyfile(name string) (*caddyfile, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w; start this with go run -C examples/quickstart", err)
	}
	if err != nil {
		return nil, err
	}
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(text, map[string]any{"filename": name})
	if err != nil {
		return nil, err
	}
	var config any
	if err := json.Unmarshal(adapted, &config); err != nil {
		return nil, err
	}

	c := &caddyfile{text: text, json: adapted, address: find(config, "listen"), upstream: find(config, "dial")}
	if c.path, err = filepath.Abs(name); err != nil {
		return nil, err
	}
	c.log, err = filepath.Abs(find(config, "filename"))
	return c, err
}

// find returns the string under key, or the first of the strings there, wherever in config it is.
func find(config any, key string) string {
	var children []any
	switch v := config.(type) {
	case []any:
		children = v
	case map[string]any:
		switch found := v[key].(type) {
		case string:
			return found
		case []any:
			if len(found) > 0 {
				return fmt.Sprint(found[0])
			}
		}
		children = slices.Collect(maps.Values(v))
	}
	for _, child := range children {
		if found := find(child, key); found != "" {
			return found
		}
	}
	return ""
}

// start runs the configuration, and opens the log behind what it has already.
func (c *caddyfile) start() (*logFile, error) {
	// Caddy would share the port with another Caddy (SO_REUSEPORT) instead of failing.
	ln, err := c.listen(c.address)
	if err != nil {
		return nil, err
	}
	if err := ln.Close(); err != nil {
		return nil, err
	}
	if err := caddy.Load(c.json, true); err != nil {
		return nil, err
	}
	return openLog(c.log)
}

// listen listens on address. Its error says which line of the Caddyfile has the address.
func (c *caddyfile) listen(address string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		before, _, _ := bytes.Cut(c.text, []byte(address))
		return nil, fmt.Errorf("%w; choose another port in line %d of %s", err, bytes.Count(before, []byte("\n"))+1, c.path)
	}
	return ln, nil
}
