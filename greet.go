package l4mysql

import (
	"net/netip"
	"reflect"
	"time"

	"go.uber.org/zap"

	"github.com/l4mysql/l4mysql/mysqlproxy"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// passThroughPlugin is what a greeting names where TLS passes through. The client's first answer is made from a nonce
// that is not the server's: with this plugin, a server then asks for the password inside TLS, or for another plugin.
const passThroughPlugin = "caching_sha2_password"

// greet returns the greeting for a client, without a thread id, or why there is none.
func (h *MySQLLogin) greet() (mysqlwire.Greeting, *mysqlproxy.Refusal) {
	servers := h.greeters
	if len(servers) == 0 {
		servers = h.app.upstreams()
	}
	sources := greeted(servers)
	if len(sources) == 0 {
		awaitGreeting(servers, h.app.dialTimeout())
		sources = greeted(servers)
	}
	if len(sources) == 0 {
		return mysqlwire.Greeting{}, mysqlproxy.UnknownError("no upstream can be reached")
	}
	options := mysqlproxy.MirrorOptions{
		TLS: h.tls != nil || h.TLSPassthrough, ServerVersion: h.ServerVersion, AuthPlugin: h.AuthPlugin,
	}
	if h.TLSPassthrough && h.AuthPlugin == "" {
		options.AuthPlugin = passThroughPlugin
	}
	greeting, err := mysqlproxy.Mirror(sources, options)
	if err != nil {
		if _, ok := refusals.admit(netip.Addr{}, reasonUpstream); ok {
			h.logger.Error("no greeting fits these upstreams; name those to mirror with the option greeting", zap.Error(err))
		}
		return greeting, mysqlproxy.UnknownError("no greeting fits the upstreams; see Caddy's log")
	}
	return greeting, nil
}

// greeted returns the greetings of those servers that have sent one.
func greeted(servers []*upstream) []mysqlproxy.Source {
	var sources []mysqlproxy.Source
	for _, u := range servers {
		if g, ok := u.Greeting(); ok {
			sources = append(sources, mysqlproxy.Source{Address: u.Address(), Greeting: g})
		}
	}
	return sources
}

// awaitGreeting waits until one of the servers has sent a greeting, at most for that time.
func awaitGreeting(servers []*upstream, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	cases := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(timer.C)}}
	for _, u := range servers {
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(u.Greeted())})
	}
	reflect.Select(cases)
}
