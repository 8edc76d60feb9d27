package l4mysql

import (
	"context"
	"testing"

	"github.com/caddyserver/caddy/v2"
	dto "github.com/prometheus/client_model/go"
)

// counted returns the value of proxy_headers_total.
func counted(t testing.TB, version, command, result string) float64 {
	t.Helper()
	var m dto.Metric
	if err := proxyHeaders.WithLabelValues(version, command, result).Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

// TestMetrics counts one connection of each kind.
func TestMetrics(t *testing.T) {
	tests := []struct {
		name, mode, in                string
		version, command, resultLabel string
	}{
		{"v1", modeRequire, headerV1, "1", "PROXY", "ok"},
		{"v1 UNKNOWN", modeOptional, headerUnknown, "1", "LOCAL", "ok"},
		{"v2", modeOptional, headerTCP4() + payload, "2", "PROXY", "ok"},
		{"v2 LOCAL", modeRequire, headerV2(0x20, 0), "2", "LOCAL", "ok"},
		{"none", modeOptional, payload, "", "", "none"},
		{"missing", modeRequire, payload, "", "", "missing"},
		{"malformed v1", modeOptional, "PROXY  ", "1", "", "malformed"},
		{"malformed v2", modeRequire, headerTCP4("\x01"), "2", "", "malformed"},
		{"duplicate", modeRequire, headerV1 + headerTCP4(), "2", "", "duplicate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, _ := newHandler(t, &ProxyHeader{Mode: tt.mode})
			before := counted(t, tt.version, tt.command, tt.resultLabel)
			run(t, h, balancer, "", 4096, tt.in)
			if n := counted(t, tt.version, tt.command, tt.resultLabel) - before; n != 1 {
				t.Errorf("counted %v times, want 1", n)
			}
		})
	}
}

// TestMetricsSurviveReload: two handlers of one config, and then another config with its own registry,
// show the same counts.
func TestMetricsSurviveReload(t *testing.T) {
	proxyHeaders.WithLabelValues("1", "PROXY", resultOK).Inc()
	for range 2 {
		ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
		for range 2 {
			if err := registerMetrics(ctx); err != nil {
				t.Fatalf("registerMetrics: %v", err)
			}
		}
		families, err := ctx.GetMetricsRegistry().Gather()
		if err != nil {
			t.Fatal(err)
		}
		var sum float64
		for _, family := range families {
			if family.GetName() == "caddy_l4mysql_proxy_headers_total" {
				for _, metric := range family.GetMetric() {
					sum += metric.GetCounter().GetValue()
				}
			}
		}
		if sum < 1 {
			t.Errorf("got %v headers in the registry, want those counted before", sum)
		}
		cancel()
	}
}
