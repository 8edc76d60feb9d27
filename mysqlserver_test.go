package l4mysql

import (
	"io"
	"net"
	"strings"
)

// What MySQL servers and clients say in the tests of `mysql_log`.

// packet returns a packet of less than 64 KiB.
func packet(seq byte, payload ...string) string {
	body := strings.Join(payload, "")
	return string([]byte{byte(len(body)), byte(len(body) >> 8), 0, seq}) + body
}

// A login, as MySQL 8.4 and its client say it; both ends use DEPRECATE_EOF.
var (
	mysqlGreeting = packet(0, "\x0a8.4.3\x00", "\x07\x00\x00\x00", "nonce-1.\x00", "\xff\xff", "\xff", "\x02\x00", "\xff\xdf", "\x15",
		strings.Repeat("\x00", 10), "nonce-part-2\x00", "caching_sha2_password\x00")
	mysqlLogin = packet(1, "\x8d\xa2\xff\x01", "\x00\x00\x00\x40", "\xff", strings.Repeat("\x00", 23),
		"app\x00", "\x20S3cr3t-caching-sha2-32-bytes-abc", "shop\x00", "caching_sha2_password\x00",
		"\x1d", "\x04_pid\x044711", "\x0cprogram_name\x05mysql")
	mysqlLoginOK = packet(2, "\x00", "\x00\x00", "\x02\x00", "\x00\x00")
	mysqlQuit    = packet(0, "\x01")
)

func mysqlQuery(text string) string { return packet(0, "\x03", text) }

// mysqlOK answers a statement that has changed rows.
func mysqlOK(rows byte) string {
	return packet(1, "\x00", string([]byte{rows}), "\x00", "\x02\x00", "\x00\x00")
}

// mysqlRows answers a query with one column.
func mysqlRows(values ...string) string {
	answer := packet(1, "\x01") +
		packet(2, "\x03def", "\x00\x00\x00", "\x01v", "\x00", "\x0c", "\xff\x00", "\x00\x01\x00\x00", "\xfd", "\x00\x00", "\x00", "\x00\x00")
	for i, value := range values {
		answer += packet(byte(3+i), string([]byte{byte(len(value))}), value)
	}
	return answer + packet(byte(3+len(values)), "\xfe", "\x00\x00", "\x02\x00", "\x00\x00")
}

// mysqlPrepared answers COM_STMT_PREPARE of a statement that brings no rows.
func mysqlPrepared(id, params byte) string {
	answer := packet(1, "\x00", string([]byte{id}), "\x00\x00\x00", "\x00\x00", string([]byte{params}), "\x00\x00", "\x00\x00")
	for i := range params {
		answer += packet(2+i, "\x03def", "\x00\x00\x00", "\x01?", "\x00", "\x0c", "\x3f\x00", "\x00\x00\x00\x00", "\xfd", "\x80\x00", "\x00", "\x00\x00")
	}
	return answer
}

func mysqlERR(code uint16, text string) string {
	return packet(1, "\xff", string([]byte{byte(code), byte(code >> 8)}), "#42000", text)
}

// mysqlAnswer is what mysqlServer answers to a statement.
func mysqlAnswer(text string) string {
	switch {
	case strings.HasPrefix(text, "SELECT"):
		return mysqlRows(text[len("SELECT"):])
	case strings.HasPrefix(text, "UPDATE"):
		return mysqlOK(3)
	default:
		return mysqlERR(1064, "You have an error in your SQL syntax")
	}
}

// mysqlServer plays a server to the end: it accepts any login, and answers statements.
func mysqlServer(conn net.Conn) {
	_, _ = io.WriteString(conn, mysqlGreeting)
	for answer := func(string) string { return mysqlLoginOK }; ; answer = mysqlAnswer {
		header := make([]byte, 4)
		if _, err := io.ReadFull(conn, header); err != nil {
			return
		}
		payload := make([]byte, int(header[0])|int(header[1])<<8)
		if _, err := io.ReadFull(conn, payload); err != nil || string(payload) == "\x01" {
			return
		}
		if _, err := io.WriteString(conn, answer(string(payload[1:]))); err != nil {
			return
		}
	}
}
