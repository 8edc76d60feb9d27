package l4mysql

import (
	"io"
	"testing"

	"github.com/mholt/caddy-l4/layer4"
	"github.com/mholt/caddy-l4/modules/l4proxyprotocol"
)

// TestTapPrefetched: what matchers have read is handed on once and shown once, wherever it is cut. (No
// server has greeted: what shows is how much of the client was seen.)
func TestTapPrefetched(t *testing.T) {
	sent := mysqlLogin + mysqlQuery("SELECT 1")
	allCuts(sent, func(first, second string) {
		h, sink := newLog(t, &MySQLLog{})
		client := newClient()
		client.arrivals = []arrival{{second, nil}}
		behind(t, client, first, func(cx *layer4.Connection) {
			if got, err := io.ReadAll(cx); string(got) != sent || err != nil {
				t.Errorf("after %d bytes: handed on %q, %v, want %q", len(first), got, err, sent)
			}
		}, h)
		records := recordsOf(t, h, sink)
		wantRecords(t, records, "close")
		if got := number(t, records[0], "bytes_in"); got != len(sent) {
			t.Errorf("after %d bytes: shown %d bytes, want %d", len(first), got, len(sent))
		}
	})
}

// number returns a number in a record.
func number(t testing.TB, r logLine, key string) int {
	t.Helper()
	value, ok := r[key].(interface{ Int64() (int64, error) })
	if !ok {
		t.Fatalf("%s is %v, want a number", key, r[key])
	}
	n, err := value.Int64()
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// TestTapKeep: a header that `keep` hands on is not the client's word, and nothing else is left out: in
// both modes, wherever the client's bytes are cut, and whatever part of the header matchers have read.
func TestTapKeep(t *testing.T) {
	header := headerTCP4(tlv(0x05, "id"))
	conversation := mysqlLogin + mysqlQuery("SELECT 1")
	for _, mode := range []string{modeRequire, modeOptional} {
		keep, _ := newHandler(t, &ProxyHeader{Mode: mode, Keep: true})
		try := func(prefetched, first, second string) {
			t.Helper()
			h, sink := newLog(t, &MySQLLog{})
			client := newClient()
			client.arrivals = []arrival{{first, nil}, {second, nil}}
			behind(t, client, prefetched, func(cx *layer4.Connection) {
				_, _ = io.WriteString(cx, mysqlGreeting)
				if got, err := io.ReadAll(cx); string(got) != header+conversation || err != nil {
					t.Errorf("%s, %d|%d: handed on %s, %v", mode, len(prefetched), len(first), brief(string(got)), err)
				}
				_, _ = io.WriteString(cx, mysqlLoginOK+mysqlRows("1"))
				_ = cx.Conn.(*tap).CloseWrite()
			}, keep, h)
			records := recordsOf(t, h, sink)
			wantRecords(t, records, "connect", "command COM_QUERY SELECT 1 rows=1", "close")
			if got := number(t, records[len(records)-1], "bytes_in"); got != len(conversation) {
				t.Errorf("%s, %d|%d: shown %d bytes, want %d", mode, len(prefetched), len(first), got, len(conversation))
			}
			for _, r := range records {
				if r["origin_addr"] != clientAddr || r["proxy_protocol_dst_addr"] != targetAddr {
					t.Errorf("%s: got %v -> %v, want the header's addresses", mode, r["origin_addr"], r["proxy_protocol_dst_addr"])
				}
			}
		}
		allCuts(header+conversation, func(first, second string) { try("", first, second) })
		allCuts(header, func(prefetched, rest string) { try(prefetched, rest, conversation) })
		allCuts(header, func(prefetched, rest string) { try(prefetched, rest+conversation, "") })
	}
}

// TestTapKeepPrefetched: the same where matchers have read more than the header. No server
// has greeted, so that nothing is told, but the bytes are counted.
func TestTapKeepPrefetched(t *testing.T) {
	for _, mode := range []string{modeRequire, modeOptional} {
		keep, _ := newHandler(t, &ProxyHeader{Mode: mode, Keep: true})
		allCuts(mysqlLogin, func(first, second string) {
			h, sink := newLog(t, &MySQLLog{})
			client := newClient()
			client.arrivals = []arrival{{second, nil}}
			behind(t, client, headerV1+first, func(cx *layer4.Connection) {
				if got, err := io.ReadAll(cx); string(got) != headerV1+mysqlLogin || err != nil {
					t.Errorf("%s, %d: handed on %s, %v", mode, len(first), brief(string(got)), err)
				}
			}, keep, h)
			records := recordsOf(t, h, sink)
			wantRecords(t, records, "close")
			if got := number(t, records[len(records)-1], "bytes_in"); got != len(mysqlLogin) {
				t.Errorf("%s, %d: shown %d bytes, want %d", mode, len(first), got, len(mysqlLogin))
			}
		})
	}
}

// TestTapLateHeader: records from before a late header have the socket's addresses, those after it the
// header's.
func TestTapLateHeader(t *testing.T) {
	optional, _ := newHandler(t, &ProxyHeader{Mode: modeOptional})
	h, sink := newLog(t, &MySQLLog{})
	newTalk(t, func(k *talk) {
		k.answers(mysqlERR(1040, "Too many connections"))
		before := recordsOf(t, h, sink)
		if _, ok := before[0]["proxy_protocol_src_addr"]; ok || before[0]["origin_addr"] != balancer.String() {
			t.Errorf("before: got %v", before[0])
		}
		k.client.arrivals = []arrival{{headerTCP4() + mysqlLogin, nil}}
		if _, err := io.ReadFull(k.cx, make([]byte, len(mysqlLogin))); err != nil {
			t.Fatal(err)
		}
		k.fails(io.EOF)
	}, optional, h)
	records := recordsOf(t, h, sink)
	wantRecords(t, records, "server_error error_code=1040", "close")
	for key, want := range map[string]string{
		"client_addr": balancer.String(), "origin_addr": clientAddr, "proxy_listen_addr": listener.String(),
		"proxy_protocol_src_addr": clientAddr, "proxy_protocol_dst_addr": targetAddr,
	} {
		if got := records[1][key]; got != want {
			t.Errorf("%s: got %v, want %s", key, got, want)
		}
	}
}

// TestTapStockHeader: behind caddy-l4's own `proxy_protocol` the records have its addresses, and the
// handler warns once.
func TestTapStockHeader(t *testing.T) {
	stock := &l4proxyprotocol.Handler{}
	if err := stock.Provision(newContext(t)); err != nil {
		t.Fatal(err)
	}
	h, sink := newLog(t, &MySQLLog{})
	for range 2 {
		client := newClient()
		client.arrivals = []arrival{{headerV1, nil}, {mysqlLogin, nil}}
		behind(t, client, "", func(cx *layer4.Connection) {
			_, _ = io.WriteString(cx, mysqlGreeting)
			if got, err := io.ReadAll(cx); string(got) != mysqlLogin || err != nil {
				t.Errorf("handed on %q, %v", got, err)
			}
			_, _ = io.WriteString(cx, mysqlLoginOK)
		}, stock, h)
	}
	if got := logLines(t, sink.String(), logName); len(got) != 1 || got[0]["level"] != "warn" {
		t.Errorf("got %v, want one warning", got)
	}
	for _, r := range recordsOf(t, h, sink) {
		for key, want := range map[string]string{
			"client_addr": balancer.String(), "origin_addr": clientAddr,
			"proxy_protocol_src_addr": clientAddr, "proxy_protocol_dst_addr": targetAddr,
		} {
			if r[key] != want {
				t.Errorf("%s: got %v, want %s", key, r[key], want)
			}
		}
	}
}
