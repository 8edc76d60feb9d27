package l4mysql

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/mholt/caddy-l4/layer4"

	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// TestMySQLLogDefaults: what is left out, or zero, gets its default, and stays what it is otherwise.
func TestMySQLLogDefaults(t *testing.T) {
	h := new(MySQLLog)
	if err := h.Provision(newContext(t)); err != nil {
		t.Fatal(err)
	}
	if h.MaxParams != 64 || h.options.MaxParams != 64 || h.MaxParam != 1024 || h.options.MaxParam != 1024 ||
		h.StatementsMemory != 256<<10 || h.options.StatementsMemory != 256<<10 || h.SessionVariables {
		t.Errorf("got %+v", h)
	}
	if h.MaxQuery != 4096 || h.options.MaxQuery != 4096 || h.Queue != 8192 || h.queue.limit != 8192 ||
		h.Overflow != "drop" || h.queue.block || h.LogName != "" || h.Commands != nil || h.Events != nil {
		t.Errorf("got %+v", h)
	}
	h = &MySQLLog{MaxQuery: 1, MaxParams: -1, MaxParam: 4, StatementsMemory: 5, Queue: 2, Overflow: "block", LogName: "a"}
	if err := h.Provision(newContext(t)); err != nil {
		t.Fatal(err)
	}
	if o := h.options; o.MaxParams != -1 || o.MaxParam != 4 || o.StatementsMemory != 5 {
		t.Errorf("got %+v", h)
	}
	if h.options.MaxQuery != 1 || h.queue.limit != 2 || !h.queue.block || h.LogName != "a" {
		t.Errorf("got %+v", h)
	}
}

// TestMySQLLogChoice: which commands and events make records.
func TestMySQLLogChoice(t *testing.T) {
	commands := func(list ...mysqlwire.Command) (s mysqldump.CommandSet) {
		for _, c := range list {
			s[c] = true
		}
		return s
	}
	none := mysqldump.CommandSet{}
	usual := mysqldump.AllCommands()
	for _, c := range []mysqlwire.Command{
		mysqlwire.ComPing, mysqlwire.ComStatistics, mysqlwire.ComQuit, mysqlwire.ComStmtClose, mysqlwire.ComStmtReset,
	} {
		usual[c] = false
	}
	tests := []struct {
		name             string
		commands, events []string
		wantCommands     mysqldump.CommandSet
		wantEvents       mysqldump.EventSet
	}{
		{"default", nil, nil, usual, mysqldump.AllEvents &^ (1 << mysqldump.EventClose)},
		{"empty lists", []string{}, []string{}, usual, mysqldump.AllEvents &^ (1 << mysqldump.EventClose)},
		{"all", []string{"all"}, []string{"all"}, mysqldump.AllCommands(), mysqldump.AllEvents},
		{
			"some",
			[]string{"com_query", "com_ping"},
			[]string{"close", "auth_error"},
			commands(mysqlwire.ComQuery, mysqlwire.ComPing), 1<<mysqldump.EventClose | 1<<mysqldump.EventAuthError,
		},
		{"one and all", []string{"com_query", "all"}, []string{"all", "tls"}, mysqldump.AllCommands(), mysqldump.AllEvents},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &MySQLLog{Commands: tt.commands, Events: tt.events}
			if err := h.Provision(newContext(t)); err != nil {
				t.Fatal(err)
			}
			if h.options.Commands != tt.wantCommands || h.options.Commands == none || h.options.Events != tt.wantEvents {
				t.Errorf("got %v and %b, want %v and %b", h.options.Commands, h.options.Events, tt.wantCommands, tt.wantEvents)
			}
		})
	}
}

// TestMySQLLogNames: every command and every event can be named as its records name it, commands in lower
// case.
func TestMySQLLogNames(t *testing.T) {
	named := 0
	for c := range 256 {
		name := strings.ToLower(mysqlwire.Command(c).String())
		if strings.HasPrefix(name, "com_0x") {
			continue
		}
		named++
		h := &MySQLLog{Commands: []string{name}}
		if err := h.Provision(newContext(t)); err != nil || !h.options.Commands[c] {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for e := mysqldump.EventConnect; e <= mysqldump.EventOpaque; e++ {
		h := &MySQLLog{Events: []string{e.String()}}
		if err := h.Provision(newContext(t)); err != nil || h.options.Events != 1<<e {
			t.Errorf("%s: got %v", e, err)
		}
	}
	if named < 30 {
		t.Errorf("got %d names of commands", named)
	}
}

// TestMySQLLogErrors: a wrong configuration is told by the option's name and the wrong word.
func TestMySQLLogErrors(t *testing.T) {
	tests := []struct {
		name, wantErr string
		in            *MySQLLog
	}{
		{"max_query", "max_query: must not be negative, got -1", &MySQLLog{MaxQuery: -1}},
		{"max_params", "max_params: must be a number of parameters, or -1 for none, got -2", &MySQLLog{MaxParams: -2}},
		{"max_param", "max_param: must not be negative, got -1", &MySQLLog{MaxParam: -1}},
		{"statements_memory", "statements_memory: must not be negative, got -4096", &MySQLLog{StatementsMemory: -4096}},
		{"queue", "queue: must not be negative, got -8192", &MySQLLog{Queue: -8192}},
		{"overflow", "overflow: 'wait' is neither drop nor block", &MySQLLog{Overflow: "wait"}},
		{"overflow in capitals", "overflow: 'Drop' is neither drop nor block", &MySQLLog{Overflow: "Drop"}},
		{"log_name", "log_name: must not contain spaces, got 'two words'", &MySQLLog{LogName: "two words"}},
		{"commands", "commands: 'query' is not the name of a command, such as com_query, or all", &MySQLLog{Commands: []string{"com_ping", "query"}}},
		{"commands as in records", "commands: 'COM_QUERY' is not the name of a command", &MySQLLog{Commands: []string{"COM_QUERY"}}},
		{"commands, an empty word", "commands: '' is not", &MySQLLog{Commands: []string{""}}},
		{"events", "events: 'login' is not the name of an event, such as connect, or all", &MySQLLog{Events: []string{"connect", "login"}}},
		{"events, a command's", "events: 'command' is not", &MySQLLog{Events: []string{"command"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.in.Provision(newContext(t))
			if err == nil {
				err = tt.in.Validate()
			}
			if err == nil || !strings.HasPrefix(err.Error(), tt.wantErr) {
				t.Errorf("got %v, want %s", err, tt.wantErr)
			}
		})
	}
}

// TestMySQLLogCleanup: a handler can be cleaned up after a Provision that failed, and after a reload its
// queue still takes records.
func TestMySQLLogCleanup(t *testing.T) {
	if err := new(MySQLLog).Cleanup(); err != nil {
		t.Error(err)
	}
	h, sink := newLog(t, &MySQLLog{})
	newTalk(t, func(k *talk) {
		k.login()
		if err := h.Cleanup(); err != nil {
			t.Error(err)
		}
		k.asks(mysqlQuery("SELECT 1"))
		k.answers(mysqlRows("1"))
	}, h)
	wantRecords(t, recordsOf(t, h, sink), "connect", "command COM_QUERY SELECT 1 rows=1")
}

// TestMySQLLogTwice: two handlers in a row each follow the conversation, with their own choice.
func TestMySQLLogTwice(t *testing.T) {
	outer, outerSink := newLog(t, &MySQLLog{Commands: []string{"com_query"}, Events: []string{"close"}})
	inner, innerSink := newLog(t, &MySQLLog{MaxQuery: 6, LogName: "short"})
	newTalk(t, func(k *talk) {
		k.login()
		k.asks(mysqlQuery("SELECT 1"))
		k.answers(mysqlRows("1"))
		k.serverCloses()
		if got := strings.Join(k.client.calls, " "); got != "CloseWrite" {
			t.Errorf("the client's socket got %q, want CloseWrite once", got)
		}
	}, outer, inner)
	first := recordsOf(t, outer, outerSink)
	wantRecords(t, first, "command COM_QUERY SELECT 1 rows=1", "close")
	inner.queue.flush(flushTimeout)
	second := logLines(t, innerSink.String(), recordName+".short")
	wantRecords(t, second, "connect", "command COM_QUERY SELECT rows=1", "close")
	if first[0]["conn_id"] == second[0]["conn_id"] {
		t.Errorf("two handlers share the conn_id %v", first[0]["conn_id"])
	}
}

// TestMySQLLogDatagram: a connection over datagrams passes as it is, because layer4 asks for its own type
// below.
func TestMySQLLogDatagram(t *testing.T) {
	for _, local := range []net.Addr{&net.UDPAddr{Port: 3306}, &net.UnixAddr{Net: "unixgram"}} {
		h, sink := newLog(t, &MySQLLog{})
		client := newClient()
		client.local = local
		client.arrivals = []arrival{{"question", nil}}
		behind(t, client, "prefetched ", func(cx *layer4.Connection) {
			if cx.Conn != net.Conn(client) {
				t.Errorf("%s: below the connection is %T", local.Network(), cx.Conn)
			}
			if got, err := io.ReadAll(cx); string(got) != "prefetched question" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		}, h)
		if records := recordsOf(t, h, sink); len(records) > 0 || sink.String() != "" {
			t.Errorf("%s: got %v", local.Network(), records)
		}
	}
}

// TestMySQLLogWarns: where decoding stops, each connection warns once, whether or not that makes a record;
// TLS, which may be every connection's, is said once.
func TestMySQLLogWarns(t *testing.T) {
	sslRequest := packet(1, mysqlLogin[4:8]+"\x00\x00\x00\x40\xff"+strings.Repeat("\x00", 23))
	sslRequest = sslRequest[:5] + "\xaa" + sslRequest[6:] // with CLIENT_SSL
	for _, events := range [][]string{{"all"}, {"connect"}} {
		h, sink := newLog(t, &MySQLLog{Events: events})
		var want []string
		for range 2 {
			newTalk(t, func(k *talk) {
				k.asks("GET / HTTP/1.1\r\n\r\n")
				k.answers("HTTP/1.1 400 Bad Request\r\n\r\n")
				k.answers("and more")
			}, h)
			newTalk(t, func(k *talk) {
				k.answers(mysqlGreeting)
				k.asks(sslRequest + "\x16\x03\x01")
				k.asks(mysqlQuery("SELECT 1"))
			}, h)
			want = append(want, "opaque", "tls")
		}
		if events[0] == "connect" {
			want = nil
		}
		var got []string
		for _, r := range recordsOf(t, h, sink) {
			got = append(got, r["event"].(string))
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: got records of %q, want %q", events, got, want)
		}
		opaque, tls := 0, 0
		for _, line := range logLines(t, sink.String(), logName) {
			if line["level"] != "warn" || line["remote"] != balancer.String() || line["message"] == "" {
				t.Errorf("got %v", line)
			}
			switch {
			case strings.HasPrefix(line["msg"].(string), "stopped decoding"):
				opaque++
			case strings.HasPrefix(line["msg"].(string), "statements are not recorded"):
				tls++
			}
		}
		if opaque != 2 || tls != 1 {
			t.Errorf("%s: got %d warnings of opaque connections and %d of TLS, want 2 and 1", events, opaque, tls)
		}
	}
}
