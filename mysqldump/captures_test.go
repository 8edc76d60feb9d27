package mysqldump_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A segment is the payload of one TCP segment of a captured conversation.
type segment struct {
	side mysqldump.Side
	data []byte
	at   time.Duration // since the epoch
}

// readCapture returns the conversations of a capture file by the client's port, segments in the order
// captured, without retransmissions and without a PROXY header in front. The captures were made on a
// loopback interface: nothing in them is lost or out of order.
func readCapture(t testing.TB, file string) map[int][]segment {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	conversations := make(map[int][]segment)
	next := make(map[[2]int]uint32)
	for {
		data, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		packet := gopacket.NewPacket(data, r.LinkType(), gopacket.NoCopy)
		tcp, ok := packet.Layer(layers.LayerTypeTCP).(*layers.TCP)
		if !ok {
			continue
		}
		src, dst := int(tcp.SrcPort), int(tcp.DstPort)
		payload := bytes.Clone(tcp.Payload)
		seq := tcp.Seq
		if tcp.SYN {
			next[[2]int{src, dst}] = seq + 1
			continue
		}
		if len(payload) == 0 {
			continue
		}
		if want := next[[2]int{src, dst}]; seq != want {
			if int32(want-seq) >= int32(len(payload)) {
				continue // seen before
			}
			t.Fatalf("%s: a gap before sequence number %d of port %d", file, seq, src)
		}
		next[[2]int{src, dst}] = seq + uint32(len(payload))
		side, port := mysqldump.Client, src
		if src == 3397 || src == 3310 {
			side, port = mysqldump.Server, dst
		}
		if side == mysqldump.Client && bytes.HasPrefix(payload, []byte("\r\n\r\n\x00\r\nQUIT\n")) {
			payload = payload[16+int(payload[14])<<8+int(payload[15]):]
		}
		conversations[port] = append(conversations[port], segment{side, payload, time.Duration(info.Timestamp.UnixNano())})
	}
	return conversations
}

// flat returns r as the keys of the expected lines (testdata/captures/KEYS.md).
func flat(r *mysqldump.Record) map[string]any {
	m := map[string]any{"ts": r.At.Seconds(), "username": r.Username, "thread_id": r.ThreadID}
	if r.Database != "" {
		m["database"] = r.Database
	}
	if r.Event != mysqldump.EventCommand {
		m["event"] = r.Event.String()
	} else {
		m["command"], m["command_id"], m["duration"] = r.CommandName(), int(r.Command), r.Duration.Seconds()
	}
	set := func(have bool, key string, value any) {
		if have {
			m[key] = value
		}
	}
	set(r.Query != nil, "query", string(r.Query))
	set(r.Query != nil, "query_length", r.QueryLength)
	set(r.HasStmt, "stmt_id", r.StmtID)
	set(r.HasColumns, "columns", r.Columns)
	set(r.Prepared, "params", r.Params)
	set(r.ResultSets > 0, "result_sets", r.ResultSets)
	set(r.HasRows, "rows", r.Rows)
	set(r.HasOK, "affected_rows", r.AffectedRows)
	set(r.HasOK, "last_insert_id", r.LastInsertID)
	set(r.HasStatus, "warnings", r.Warnings)
	set(r.HasStatus, "status", uint16(r.Status))
	set(r.ErrorCode != 0, "error_code", r.ErrorCode)
	set(r.SQLState != nil, "sqlstate", string(r.SQLState))
	set(r.ErrorCode != 0, "error_message", string(r.ErrorMessage))
	set(r.ServerVersion != "", "server_version", r.ServerVersion)
	set(r.AuthPlugin != "", "auth_plugin", r.AuthPlugin)
	if r.ServerVersion != "" {
		attrs := make(map[string]any)
		for name, value := range r.Attributes.All() {
			attrs[string(name)] = string(value)
		}
		m["connect_attrs"], m["character_set"] = attrs, r.CharacterSet
	}
	names := []string{}
	for _, a := range r.QueryAttributes {
		names = append(names, string(a.Name))
	}
	slices.Sort(names)
	set(len(names) > 0, "query_attrs", names)
	set(r.Values != nil, "values", values(r.Values, r.RowWidth))
	set(r.Incomplete != "", "incomplete", r.Incomplete)
	set(r.Reason != "", "reason", r.Reason)
	return m
}

// random asks for steps of random sizes.
const random = -1

// replay feeds a conversation in steps of at most step bytes (0: as captured) and returns its records.
func replay(segments []segment, step int) []map[string]any {
	var records []map[string]any
	opts := &mysqldump.Options{MaxQuery: 1 << 20, Commands: mysqldump.AllCommands(), Events: mysqldump.DefaultEvents}
	s := mysqldump.NewSession(opts, func(r *mysqldump.Record) {
		if r.Event != mysqldump.EventChangeUser { // the walker tells of the command only
			records = append(records, flat(r))
		}
	})
	seed := rand.New(rand.NewPCG(1, 2))
	for _, seg := range segments {
		chunk := []([]byte){seg.data}
		switch {
		case step == random:
			chunk = nil
			for rest := seg.data; len(rest) > 0; {
				n := min(1+seed.IntN(40), len(rest))
				chunk = append(chunk, rest[:n])
				rest = rest[n:]
			}
		case step > 0:
			chunk = slices.Collect(slices.Chunk(seg.data, step))
		}
		for _, p := range chunk {
			s.Feed(seg.side, p, seg.at)
		}
	}
	return records
}

// TestCaptures compares the records of real conversations with what an independent walker found in them.
func TestCaptures(t *testing.T) {
	files, err := filepath.Glob("testdata/captures/*.pcap")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".pcap")
		t.Run(name, func(t *testing.T) {
			conversations := readCapture(t, file)
			want := expectedLines(t, strings.TrimSuffix(file, ".pcap")+".expected.jsonl")
			for port, segments := range conversations {
				for _, step := range []int{0, 1, 2, 3, 5, 7, 64, 1460, 65536, random} {
					got := replay(segments, step)
					compare(t, fmt.Sprintf("port %d, steps of %d", port, step), got, want[port])
					if t.Failed() {
						return
					}
				}
			}
		})
	}
}

func expectedLines(t *testing.T, file string) map[int][]map[string]any {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	byPort := make(map[int][]map[string]any)
	for line := range strings.Lines(string(data)) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		port := int(m["client_port"].(float64))
		lines := byPort[port]
		if e := m["event"]; (e == "auth_ok" || e == "auth_error") && len(lines) > 0 && lines[len(lines)-1]["event"] == "login" {
			last := lines[len(lines)-1] // two lines, one event
			last["event"] = map[any]string{"auth_ok": "connect", "auth_error": "auth_error"}[e]
			for k, v := range m {
				if k != "event" {
					last[k] = v
				}
			}
			continue
		}
		if m["event"] == "note" {
			continue
		}
		byPort[port] = append(lines, m)
	}
	return byPort
}

func compare(t *testing.T, where string, got, want []map[string]any) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %d records, want %d", where, len(got), len(want))
	}
	// The walker tells of a command without an answer when it is sent, the session in the order of commands.
	byAnswer := func(a, b map[string]any) int { return rank(a) - rank(b) }
	slices.SortStableFunc(got, byAnswer)
	slices.SortStableFunc(want, byAnswer)
	for i := range min(len(got), len(want)) {
		if diff := differences(got[i], want[i]); len(diff) > 0 {
			t.Errorf("%s: record %d: %s\n got %v\nwant %v", where, i, strings.Join(diff, "; "), got[i], want[i])
			return
		}
	}
}

func rank(m map[string]any) int {
	switch strings.TrimPrefix(fmt.Sprint(m["command"]), "COM_") {
	case "STMT_CLOSE", "STMT_SEND_LONG_DATA", "QUIT":
		return 1
	}
	return 0
}

// differences compares a record with an expected line by testdata/captures/KEYS.md.
func differences(got, want map[string]any) (diff []string) {
	check := func(key string, want any) {
		if g := got[key]; fmt.Sprint(g) != fmt.Sprint(want) {
			diff = append(diff, fmt.Sprintf("%s: got %v, want %v", key, g, want))
		}
	}
	for _, key := range []string{"rows", "columns"} {
		if _, ok := want[key]; !ok && got[key] != nil && want["fields"] == nil {
			diff = append(diff, fmt.Sprintf("%s: got %v, want none", key, got[key]))
		}
	}
	pipelined := got["command"] != nil && want["duration"] != nil &&
		math.Abs(got["duration"].(float64)-want["duration"].(float64)) > 1e-3
	if q, _ := want["query"].(string); strings.ContainsRune(q, '\uFFFD') {
		// Text that is not UTF-8: the walker has replaced what it could not read.
		begin, _, _ := strings.Cut(q, "\uFFFD")
		if g, _ := got["query"].(string); strings.HasPrefix(g, begin) {
			got["query"], got["query_length"] = q, want["query_length"]
		}
	}
	for key, value := range want {
		switch key {
		case "conn", "client_port", "response_packets", "client_caps", "mariadb_ext_caps", "metadata_follows", "error_message":
		case "query_attr_names":
			names := value.([]any)
			slices.SortFunc(names, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
			check("query_attrs", names)
		case "ts":
			if math.Abs(got["ts"].(float64)-value.(float64)) > 1e-3 {
				diff = append(diff, fmt.Sprintf("ts: got %v, want %v", got["ts"], value))
			}
		case "duration":
			// The walker counts a pipelined command's time from its sending, the session from the answer before.
			if pipelined && got["duration"].(float64) > value.(float64) {
				diff = append(diff, fmt.Sprintf("duration: got %v, want %v", got["duration"], value))
			}
		case "user":
			check("username", value)
		case "collation":
			check("character_set", mysqlwire.Charset(uint16(value.(float64))))
		case "command":
			check("command", map[string]string{"BULK_EXECUTE": "COM_STMT_BULK_EXECUTE"}[value.(string)])
			if got["command"] == "COM_"+value.(string) {
				diff = diff[:len(diff)-1]
			}
		case "fields":
			if want["result"] != "ERR" {
				check("columns", value)
			}
		case "result":
			if failed := value == "ERR"; failed != (got["error_code"] != nil) {
				diff = append(diff, fmt.Sprintf("result: got error %v, want %v", got["error_code"], value))
			}
		case "message", "error_message_prefix":
			prefix := strings.TrimPrefix(value.(string), "#")
			if want["event"] == "auth_error" && value != prefix {
				prefix = prefix[5:] // the walker leaves the SQLSTATE in it
			}
			if g, _ := got["error_message"].(string); !strings.HasPrefix(g, prefix) {
				diff = append(diff, fmt.Sprintf("error_message: got %q, want prefix %q", g, prefix))
			}
		case "stmt_id":
			if value != nil {
				check(key, int64(value.(float64))) // a statement id may be -1 in 32 bits
			}
		case "database":
			if value != nil && value != "" {
				check(key, value)
			}
		case "event", "auth_plugin", "connect_attrs", "server_version", "query", "sqlstate":
			check(key, value)
		case "command_id", "query_length", "columns", "params", "result_sets", "rows", "affected_rows",
			"last_insert_id", "warnings", "error_code", "status", "thread_id":
			check(key, int64(value.(float64)))
		default:
			diff = append(diff, "no rule for key "+key)
		}
	}
	return diff
}
