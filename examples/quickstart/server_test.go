package main

import (
	"bytes"
	"io"
	"net"
	"slices"
	"testing"
	"time"
)

// The mysql command of MySQL 9 has caching_sha2_password only: a switch to another method would be its end.
func TestSHA2Login(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if err := startMySQL(ln); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}

	readPacket(t, conn) // the greeting
	login := slices.Concat(
		[]byte{0x00, 0x82, 0x08, 0x00}, // CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH
		make([]byte, 4),                // max_packet_size
		[]byte{255},                    // character_set: utf8mb4
		make([]byte, 23),               // filler
		[]byte("you\x00"),
		[]byte{0}, // auth_response_length: no password
		[]byte("caching_sha2_password\x00"),
	)
	writePacket(t, conn, 1, login)
	answer := readPacket(t, conn)
	if want := []byte("\xfecaching_sha2_password\x00"); !bytes.HasPrefix(answer, want) {
		t.Fatalf("got %q for the login, want an authentication switch request to the same method, %q", answer, want)
	}
	writePacket(t, conn, 3, []byte{0}) // the empty password
	if answer := readPacket(t, conn); answer[0] != 0x00 {
		t.Errorf("got %q for the empty password, want an OK packet", answer)
	}
}

// readPacket reads one packet, of less than 64 KiB, and returns its payload.
func readPacket(t *testing.T, r io.Reader) []byte {
	t.Helper()
	var header [4]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, int(header[0])|int(header[1])<<8)
	if _, err := io.ReadFull(r, payload); err != nil {
		t.Fatal(err)
	}
	return payload
}

// writePacket writes payload, of less than 256 bytes, as one packet.
func writePacket(t *testing.T, w io.Writer, seq byte, payload []byte) {
	t.Helper()
	if _, err := w.Write(append([]byte{byte(len(payload)), 0, 0, seq}, payload...)); err != nil {
		t.Fatal(err)
	}
}
