package l4mysql

import (
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// The collectors belong to the process and are registered anew with each config's registry, so that a
// reload does not reset what they count.
var (
	proxyHeaders = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy",
		Subsystem: "l4mysql",
		Name:      "proxy_headers_total",
		Help:      "PROXY headers that were read, missed or refused, by the header's version and command.",
	}, []string{"version", "command", "result"})

	recordsDropped = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy",
		Subsystem: "l4mysql",
		Name:      "records_dropped_total",
		Help:      "Records of mysql_log that did not reach the log.",
	}, []string{"reason"})
)

// The values of the label reason of recordsDropped.
const (
	dropQueueFull  = "queue_full"
	dropWriteError = "write_error"
)

// The values of the label result, besides a refusal's [reason].
const (
	resultOK    = "ok"    // a header was accepted
	resultNone  = "none"  // the client began with something else, and may
	resultEmpty = "empty" // the peer left without sending a byte, as a TCP check does
)

// registerMetrics registers this package's collectors for the config that ctx belongs to. Each handler
// may call it: what another one has registered already stays.
func registerMetrics(ctx caddy.Context) error {
	for _, collector := range []prometheus.Collector{proxyHeaders, recordsDropped} {
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
