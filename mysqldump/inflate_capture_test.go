package mysqldump_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// TestInflaterCapture inflates what MySQL 9.7 and its client said to each other, and compares the packets
// that come out with what an independent walker found in them.
func TestInflaterCapture(t *testing.T) {
	want := expectedLines(t, "testdata/captures/mysql97-zlib.expected.jsonl")
	for port, segments := range readCapture(t, "testdata/captures/mysql97-zlib.pcap") {
		client, server := compressed(t, segments)
		for _, step := range []int{1, 2, 3, 5, 7, 64, 1460, 65536} {
			questions, answers := packets(t, client, step), packets(t, server, step)
			packetsWanted := 0
			for _, line := range want[port] {
				if line["command"] == nil {
					continue
				}
				query, _ := line["query"].(string)
				if len(questions) == 0 || mysqlwire.Command(questions[0][0]).String() != fmt.Sprint("COM_", line["command"]) ||
					!bytes.HasSuffix(questions[0], []byte(query)) {
					t.Fatalf("in steps of %d: got %q, want %v %q", step, questions, line["command"], query)
				}
				questions = questions[1:]
				if n, ok := line["response_packets"].(float64); ok {
					packetsWanted += int(n)
				}
			}
			if len(questions) > 0 || len(answers) != packetsWanted || packetsWanted == 0 {
				t.Errorf("in steps of %d: got %d packets from the server, want %d; and %q, which nobody asked",
					step, len(answers), packetsWanted, questions)
			}
			if text := string(bytes.Join(answers, nil)); !strings.Contains(text, "'shop.nosuch' doesn't exist") {
				t.Errorf("in steps of %d: an error message is not in the answers", step)
			}
		}
	}
}

// compressed returns both directions behind the OK that ends the login, from where on they are compressed.
func compressed(t *testing.T, segments []segment) (client, server []byte) {
	t.Helper()
	loggedIn, greeted := false, false
	for _, s := range segments {
		switch {
		case loggedIn && s.side == mysqldump.Client:
			client = append(client, s.data...)
		case loggedIn:
			server = append(server, s.data...)
		case s.side == mysqldump.Server:
			rest := s.data
			for len(rest) > 0 && !loggedIn {
				payload := rest[mysqlwire.HeaderLen:][:int(rest[0])|int(rest[1])<<8]
				rest = rest[mysqlwire.HeaderLen+len(payload):]
				loggedIn = greeted && payload[0] == mysqlwire.HeaderOK
				greeted = true
			}
			server = append(server, rest...)
		}
	}
	if len(client) == 0 || len(server) == 0 {
		t.Fatal("nothing behind the login")
	}
	return client, server
}

// packets returns the payloads of the packets in a compressed direction, which must end with a whole one.
func packets(t *testing.T, stream []byte, step int) (payloads [][]byte) {
	t.Helper()
	plain, err := mysqldump.InflateAll(t, false, stream, step)
	if err != nil {
		t.Fatal(err)
	}
	for len(plain) > 0 {
		if len(plain) < mysqlwire.HeaderLen {
			t.Fatalf("got %d bytes behind the last packet, want none", len(plain))
		}
		n := int(plain[0]) | int(plain[1])<<8 | int(plain[2])<<16
		plain = plain[mysqlwire.HeaderLen:]
		if n == 0 || n > len(plain) {
			t.Fatalf("got a packet of %d bytes, of which there are %d", n, len(plain))
		}
		payloads = append(payloads, plain[:n])
		plain = plain[n:]
	}
	return payloads
}
