package l4mysql

import (
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/l4mysql/l4mysql/mysqlproxy"
)

// sessions are those of the whole process: they outlive a config.
var sessions mysqlproxy.Sessions

// carry carries the session until it ends.
func (c *carriage) carry(to *target, client, server net.Conn, tracker mysqlproxy.Tracker) {
	s := c.session
	s.Client, s.Server, s.Tracker = client, server, tracker
	s.Secret = c.secret()
	s.IdleTimeout = time.Duration(c.IdleTimeout)
	s.Count = func(from mysqlproxy.Side, n int) {
		if from == mysqlproxy.Client {
			to.in.Add(float64(n))
		} else {
			to.out.Add(float64(n))
		}
	}
	s.Raw = func(from mysqlproxy.Side) (net.Conn, net.Conn) {
		if from == mysqlproxy.Client {
			return bareSocket(client, true), bareSocket(server, false)
		}
		return bareSocket(server, true), bareSocket(client, false)
	}
	end := s.Run()
	if entry := c.logger.Check(zap.DebugLevel, "session ended"); entry != nil {
		entry.Write(zap.String("upstream", to.Upstream.Address()), zap.String("remote", addrText(c.origin)),
			zap.Stringer("reason", end.Reason), zap.Error(end.Err))
	}
}

// userChanged notes that the session is another user's now.
func (c *carriage) userChanged(user string) {
	c.session.Update(func(i *mysqlproxy.SessionInfo) { i.User = user })
}

// collectSessions counts the sessions by upstream and state. Every upstream has each state, so that a graph falls to
// zero.
func (g *gauges) collectSessions(metrics chan<- prometheus.Metric) {
	type row struct {
		upstream string
		state    mysqlproxy.State
	}
	counts := make(map[row]int)
	for _, s := range sessions.All() {
		if s.Upstream != nil {
			counts[row{s.Upstream.Address(), s.State}]++
		}
	}
	for _, u := range allUpstreams() {
		for state := mysqlproxy.StateLogin; state <= mysqlproxy.StateEnding; state++ {
			n := counts[row{u.Address(), state}]
			metrics <- prometheus.MustNewConstMetric(g.sessions, prometheus.GaugeValue, float64(n), u.Address(), state.String())
		}
	}
}

func (g *gauges) collectHealth(u *upstream, metrics chan<- prometheus.Metric) {
	var healthy float64
	switch u.Status().Health {
	case mysqlproxy.HealthUnknown:
		return
	case mysqlproxy.Healthy:
		healthy = 1
	case mysqlproxy.Unhealthy:
	}
	metrics <- prometheus.MustNewConstMetric(g.healthy, prometheus.GaugeValue, healthy, u.Address())
}
