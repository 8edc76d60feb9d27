package l4mysql

import (
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// The collectors belong to the process and are registered anew with each config's registry, so that a
// reload does not reset what they count.
var (
	proxyHeaders = prometheus.NewCounterVec(counterOpts("proxy_headers_total",
		"PROXY headers that were read, missed or refused, by the header's version and command."),
		[]string{"version", "command", "result"})

	recordsDropped = prometheus.NewCounterVec(counterOpts("records_dropped_total",
		"Records of mysql_log that did not reach the log."),
		[]string{"reason"})

	logins = prometheus.NewCounterVec(counterOpts("logins_total",
		"Logins of clients through mysql_login and mysql_proxy, by the upstream that was asked."),
		[]string{"upstream", "result"})

	loginDuration = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: "l4mysql", Name: "login_duration_seconds",
		Help:    "Time from the dialing of an upstream to its OK, or to its greeting without mysql_login.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	})

	traffic = prometheus.NewCounterVec(counterOpts("bytes_total",
		"Bytes that mysql_proxy has carried in sessions, logins not included."),
		[]string{"upstream", "direction"})
)

func counterOpts(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: "caddy", Subsystem: "l4mysql", Name: name, Help: help}
}

// The values of the label reason of recordsDropped.
const (
	dropQueueFull  = "queue_full"
	dropWriteError = "write_error"
)

// The values of the label result of proxyHeaders, besides a refusal's [reason].
const (
	resultOK    = "ok"    // a header was accepted
	resultNone  = "none"  // the client began with something else, and may
	resultEmpty = "empty" // the peer left without sending a byte, as a TCP check does
)

// The values of the label result of logins.
const (
	loginOK      = "ok"
	loginRefused = "refused" // by the server, or without an upstream by mysql_login
	loginAborted = "aborted" // by the client
	loginError   = "error"   // the upstream could not be used
)

// The values of the label direction of traffic.
const (
	trafficIn  = "in"  // from the client
	trafficOut = "out" // to the client
)

// A gauges collector asks the sessions and upstreams when it is scraped: what is counted up and down would drift with
// the first path that forgets.
type gauges struct{ sessions, healthy *prometheus.Desc }

var current = gauges{
	prometheus.NewDesc("caddy_l4mysql_sessions",
		"Sessions through mysql_proxy, by what they do: login, idle, transaction, busy, opaque (TLS passes through), ending.", []string{"upstream", "state"}, nil),
	prometheus.NewDesc("caddy_l4mysql_upstream_healthy",
		"1 if the upstream's health checks succeed, 0 if they fail; absent before the first.", []string{"upstream"}, nil),
}

// Describe names the metrics.
func (g *gauges) Describe(descs chan<- *prometheus.Desc) {
	descs <- g.sessions
	descs <- g.healthy
}

// Collect tells their values.
func (g *gauges) Collect(metrics chan<- prometheus.Metric) {
	g.collectSessions(metrics)
	for _, u := range allUpstreams() {
		g.collectHealth(u, metrics)
	}
}

// forgetUpstream deletes what was counted of an upstream.
func forgetUpstream(address string) {
	label := prometheus.Labels{"upstream": address}
	logins.DeletePartialMatch(label)
	traffic.DeletePartialMatch(label)
}

// registerMetrics registers this package's collectors for the config that ctx belongs to. Each handler
// may call it: what another one has registered already stays.
func registerMetrics(ctx caddy.Context) error {
	for _, collector := range []prometheus.Collector{
		proxyHeaders, recordsDropped, logins, loginDuration, traffic, &current,
	} {
		err := ctx.GetMetricsRegistry().Register(collector)
		var already prometheus.AlreadyRegisteredError
		if errors.As(err, &already) && already.ExistingCollector == collector {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
