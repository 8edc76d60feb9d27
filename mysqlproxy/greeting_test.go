package mysqlproxy

import (
	"bytes"
	"strings"
	"testing"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// Greetings as servers send them.
var (
	mysql84 = mysqlwire.Greeting{
		ServerVersion: []byte("8.4.3"), ThreadID: 11, Capabilities: 0xdfff_ffff, Collation: 255,
		Status: mysqlwire.StatusAutocommit, AuthPlugin: []byte("caching_sha2_password"),
	}
	mysql56 = mysqlwire.Greeting{
		ServerVersion: []byte("5.6.51-log"), ThreadID: 12, Capabilities: 0x807f_f7ff, Collation: 8,
		Status: mysqlwire.StatusAutocommit, AuthPlugin: []byte("mysql_native_password"),
	}
	mysql51 = mysqlwire.Greeting{ServerVersion: []byte("5.1.73"), ThreadID: 13, Capabilities: 0xf7ff, Collation: 8}

	mariaDB1011 = mysqlwire.Greeting{
		ServerVersion: []byte("5.5.5-10.11.19-MariaDB"), ThreadID: 21, Capabilities: 0x1d_81ff_f7fe, Collation: 45,
		Status: mysqlwire.StatusAutocommit, AuthPlugin: []byte("mysql_native_password"),
	}
	mariaDB118 = mysqlwire.Greeting{
		ServerVersion: []byte("11.8.2-MariaDB-log"), ThreadID: 22, Capabilities: 0x3d_81ff_fffe, Collation: 45,
		Status: mysqlwire.StatusAutocommit, AuthPlugin: []byte("mysql_native_password"),
	}
	mariaDB55 = mysqlwire.Greeting{
		ServerVersion: []byte("5.5.68-MariaDB"), ThreadID: 23, Capabilities: 0x803f_f7ff, Collation: 8,
		Status: mysqlwire.StatusAutocommit, AuthPlugin: []byte("mysql_native_password"),
	}
)

func TestFlavourOf(t *testing.T) {
	disguised := mariaDB118
	disguised.ServerVersion = []byte("8.0.36")
	tiDB := mysql84
	tiDB.ServerVersion = []byte("8.0.11-TiDB-v8.5.1")
	hidden := mysql84
	hidden.ServerVersion = []byte("5.5.5-10.1.48")
	for _, tt := range []struct {
		g    mysqlwire.Greeting
		want Flavour
	}{
		{mysql84, MySQL},
		{mysql56, MySQL},
		{mysql51, MySQL},
		{tiDB, MySQL},
		{mariaDB1011, MariaDB},
		{mariaDB118, MariaDB},
		{mariaDB55, MariaDB},
		{disguised, MariaDB},
		{hidden, MariaDB},
	} {
		if got := FlavourOf(&tt.g); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.g.ServerVersion, got, tt.want)
		}
	}
}

func TestMirror(t *testing.T) {
	source := func(name string, g mysqlwire.Greeting) Source { return Source{Address: name, Greeting: g} }
	for _, tt := range []struct {
		name    string
		sources []Source
		options MirrorOptions
		want    mysqlwire.Greeting
		wantErr []string // that the error has
	}{
		{
			name:    "one MySQL: without compression, TLS and the three highest",
			sources: []Source{source("a:1", mysql84)},
			want: mysqlwire.Greeting{
				ServerVersion: []byte("8.4.3"), Capabilities: 0x1bff_f7df, Collation: 255,
				Status: mysqlwire.StatusAutocommit, AuthPlugin: []byte("caching_sha2_password"),
			},
		},
		{
			name:    "an older one takes away what it lacks, and says nothing else",
			sources: []Source{source("a:1", mysql84), source("b:2", mysql56)},
			options: MirrorOptions{TLS: true},
			want: mysqlwire.Greeting{
				ServerVersion: []byte("8.4.3"), Capabilities: 0x007f_ffdf, Collation: 255,
				Status: mysqlwire.StatusAutocommit, AuthPlugin: []byte("caching_sha2_password"),
			},
		},
		{
			name:    "the other way round",
			sources: []Source{source("b:2", mysql56), source("a:1", mysql84)},
			want: mysqlwire.Greeting{
				ServerVersion: []byte("5.6.51-log"), Capabilities: 0x007f_f7df, Collation: 8,
				Status: mysqlwire.StatusAutocommit, AuthPlugin: []byte("mysql_native_password"),
			},
		},
		{
			name:    "MariaDB: its own capabilities, so CLIENT_MYSQL is not set",
			sources: []Source{source("a:1", mariaDB118), source("b:2", mariaDB1011)},
			want: mysqlwire.Greeting{
				ServerVersion: []byte("11.8.2-MariaDB-log"), Capabilities: 0x1d_01ff_f7de, Collation: 45,
				Status: mysqlwire.StatusAutocommit, AuthPlugin: []byte("mysql_native_password"),
			},
		},
		{
			name:    "MariaDB with one that has none of its own: CLIENT_MYSQL is set",
			sources: []Source{source("a:1", mariaDB1011), source("b:2", mariaDB55)},
			want: mysqlwire.Greeting{
				ServerVersion: []byte("5.5.5-10.11.19-MariaDB"), Capabilities: 0x003f_f7df, Collation: 45,
				Status: mysqlwire.StatusAutocommit, AuthPlugin: []byte("mysql_native_password"),
			},
		},
		{
			name:    "what the configuration says instead",
			sources: []Source{source("a:1", mysql56)},
			options: MirrorOptions{ServerVersion: "8.0.99-caddy", AuthPlugin: "sha256_password"},
			want: mysqlwire.Greeting{
				ServerVersion: []byte("8.0.99-caddy"), Capabilities: 0x007f_f7df, Collation: 8,
				Status: mysqlwire.StatusAutocommit, AuthPlugin: []byte("sha256_password"),
			},
		},
		{
			name:    "both flavours",
			sources: []Source{source("a:1", mysql84), source("b:2", mysql56), source("c:3", mariaDB1011)},
			wantErr: []string{"a:1 is MySQL", "c:3 is MariaDB"},
		},
		{
			name:    "a server that cannot ask again",
			sources: []Source{source("a:1", mysql84), source("b:2", mysql51)},
			wantErr: []string{"b:2", "CLIENT_PLUGIN_AUTH"},
		},
		{name: "nobody", wantErr: []string{"no upstream"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Mirror(tt.sources, tt.options)
			if len(tt.wantErr) > 0 {
				for _, want := range tt.wantErr {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("error: got %v, want %q in it", err, want)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Capabilities != tt.want.Capabilities {
				t.Errorf("capabilities: got %#x, want %#x", uint64(got.Capabilities), uint64(tt.want.Capabilities))
			}
			if !bytes.Equal(got.ServerVersion, tt.want.ServerVersion) || !bytes.Equal(got.AuthPlugin, tt.want.AuthPlugin) {
				t.Errorf("version, plugin: got %q, %q; want %q, %q",
					got.ServerVersion, got.AuthPlugin, tt.want.ServerVersion, tt.want.AuthPlugin)
			}
			if got.Collation != tt.want.Collation || got.Status != tt.want.Status || got.ThreadID != 0 {
				t.Errorf("collation, status, thread: got %d, %#x, %d; want %d, %#x, 0",
					got.Collation, got.Status, got.ThreadID, tt.want.Collation, tt.want.Status)
			}

			// Clients read what they were meant to read: the extended capabilities are in the filler or nowhere.
			scramble := Scramble()
			read, err := mysqlwire.ParseGreeting(mysqlwire.AppendGreeting(nil, &got, &scramble))
			if err != nil || read.Capabilities != got.Capabilities {
				t.Errorf("read back: got %#x, %v", uint64(read.Capabilities), err)
			}
		})
	}
}

// TestMirrorOffersWhatAllHave is the rule behind the table, over all pairs.
func TestMirrorOffersWhatAllHave(t *testing.T) {
	all := []mysqlwire.Greeting{mysql84, mysql56, mariaDB1011, mariaDB118, mariaDB55}
	mirrored := 0
	for _, a := range all {
		for _, b := range all {
			g, err := Mirror([]Source{{"a:1", a}, {"b:2", b}}, MirrorOptions{})
			if err != nil {
				continue
			}
			mirrored++
			for _, upstream := range []mysqlwire.Greeting{a, b} {
				if lacks := Lacking(g.Capabilities, upstream.Capabilities); lacks != 0 {
					t.Errorf("%s and %s: %s lacks %s, which is offered",
						a.ServerVersion, b.ServerVersion, upstream.ServerVersion, capabilityNames(lacks))
				}
			}
		}
	}
	if want := 2*2 + 3*3; mirrored != want {
		t.Errorf("%d pairs of one flavour, want %d", mirrored, want)
	}
}

func TestScramble(t *testing.T) {
	var seen [256]int
	previous := Scramble()
	for range 2000 {
		s := Scramble()
		if s == previous {
			t.Fatalf("the same scramble twice: % x", s)
		}
		previous = s
		for _, b := range s {
			seen[b]++
		}
	}
	for b, n := range seen {
		if allowed := b > 0 && b < 0x80 && b != '$'; allowed != (n > 0) {
			t.Errorf("byte %#x came %d times; allowed: %t", b, n, allowed)
		}
	}
}
