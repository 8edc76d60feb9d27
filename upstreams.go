package l4mysql

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/l4mysql/l4mysql/mysqlproxy"
)

// upstreams has what is known of the servers that open configs and sessions name: it outlives a config, so that
// a reload neither forgets a greeting nor resets a count.
var upstreams = caddy.NewUsagePool()

// An upstream is a server with what is counted of it.
type upstream struct {
	*mysqlproxy.Upstream
	in, out prometheus.Counter // bytes from clients, and to them
}

// useUpstream returns the upstream at address. Each call needs one of [upstream.release].
func useUpstream(address string) (*upstream, error) {
	value, _, err := upstreams.LoadOrNew(address, func() (caddy.Destructor, error) {
		u, err := mysqlproxy.NewUpstream(address)
		if err != nil {
			return nil, err
		}
		in, out := traffic.WithLabelValues(address, trafficIn), traffic.WithLabelValues(address, trafficOut)
		return &upstream{u, in, out}, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*upstream), nil
}

// use is useUpstream for somebody who has u: a session that goes on after its config.
func (u *upstream) use() { _, _ = useUpstream(u.Address()) }

func (u *upstream) release() { _, _ = upstreams.Delete(u.Address()) }

// Destruct forgets what was counted, when nobody names the server any more.
func (u *upstream) Destruct() error {
	forgetUpstream(u.Address())
	return nil
}

// allUpstreams returns the servers that are named now.
func allUpstreams() []*upstream {
	var all []*upstream
	upstreams.Range(func(_, value any) bool {
		all = append(all, value.(*upstream))
		return true
	})
	return all
}
