package mysqldump_test

import (
	"fmt"
	"time"

	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A session is shown the bytes of both directions and tells what was asked and what came of it.
func ExampleSession() {
	opts := &mysqldump.Options{
		Commands: mysqldump.DefaultCommands(),
		Events:   mysqldump.DefaultEvents,
	}
	s := mysqldump.NewSession(opts, func(r *mysqldump.Record) {
		switch {
		case r.Event != mysqldump.EventCommand:
			fmt.Printf("%s: %s to %s\n", r.Event, r.Username, r.ServerVersion)
		case r.ErrorCode != 0:
			fmt.Printf("%s in %s: %s: error %d: %s\n", r.CommandName(), r.Database, r.Query, r.ErrorCode, r.ErrorMessage)
		default:
			fmt.Printf("%s in %s: %s: %d rows after %v\n", r.CommandName(), r.Database, r.Query, r.Rows, r.Duration)
		}
	})

	// A proxy would feed what it reads from its two sockets, in whatever pieces it comes, and would do so
	// before it writes it to the other: a question has to be known before its answer. These are packets.
	at := time.Duration(0)
	feed := func(side mysqldump.Side, seq uint8, payload string) {
		at += time.Millisecond
		s.Feed(side, append(mysqlwire.AppendHeader(nil, len(payload), seq), payload...), at)
	}
	const (
		greeting = "\x0a8.4.3\x00" + "\x07\x00\x00\x00" + "scramble\x00" + "\x09\xa2" + "\xff\x02\x00" + "\x08\x00" + "\x15" +
			"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "123456789012\x00" + "mysql_native_password\x00"
		login = "\x09\xa2\x08\x00" + "\x00\x00\x00\x01" + "\xff" +
			"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
			"app\x00" + "\x04hash" + "shop\x00" + "mysql_native_password\x00"
		ok         = "\x00\x00\x00\x02\x00\x00\x00"
		eof        = "\xfe\x00\x00\x02\x00"
		definition = "\x03def\x04shop\x05goods\x05goods\x04name\x04name\x0c\x21\x00\x14\x00\x00\x00\xfd\x00\x00\x00\x00\x00"
	)
	feed(mysqldump.Server, 0, greeting)
	feed(mysqldump.Client, 1, login)
	feed(mysqldump.Server, 2, ok)

	feed(mysqldump.Client, 0, "\x03SELECT name FROM goods")
	feed(mysqldump.Server, 1, "\x01")
	feed(mysqldump.Server, 2, definition)
	feed(mysqldump.Server, 3, eof)
	feed(mysqldump.Server, 4, "\x03nut")
	feed(mysqldump.Server, 5, "\x04bolt")
	feed(mysqldump.Server, 6, eof)

	feed(mysqldump.Client, 0, "\x03SELECT price FROM goods")
	feed(mysqldump.Server, 1, "\xff\x1e\x04#42S22Unknown column 'price' in 'field list'")
	s.End(mysqldump.Client, at)

	// Output:
	// connect: app to 8.4.3
	// COM_QUERY in shop: SELECT name FROM goods: 2 rows after 6ms
	// COM_QUERY in shop: SELECT price FROM goods: error 1054: Unknown column 'price' in 'field list'
}
