package mysqlproxy

import (
	"math/bits"
	"strings"
	"testing"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// TestCapabilityRules finds a capability of mysqlwire's without a rule, or with two.
func TestCapabilityRules(t *testing.T) {
	var seen mysqlwire.Capability
	for _, r := range capabilityRules {
		if bits.OnesCount64(uint64(r.flag)) != 1 || seen&r.flag != 0 {
			t.Errorf("%s is %#x: want one bit that no other rule has", r.name, uint64(r.flag))
		}
		seen |= r.flag
	}
	// mysql_com.h of MySQL has CLIENT_CHANGE_USER's old place as CLIENT_PROTOCOL_41: each of the 32 is in use.
	if want := mysqlwire.Capability(0x3f_ffff_ffff); seen != want {
		t.Errorf("rules for %#x, want %#x", uint64(seen), uint64(want))
	}
}

func TestCarried(t *testing.T) {
	// The manual's bits: all but COMPRESS, ZSTD_COMPRESSION_ALGORITHM, 29, 30 and 31; MariaDB's but COM_MULTI.
	const want = 0x3d_1bff_ffdf
	if Carried != want {
		t.Errorf("Carried: got %#x, want %#x", uint64(Carried), uint64(want))
	}
}

func TestCheck(t *testing.T) {
	offered := Carried &^ (mysqlwire.TLS | extendedCapabilities | mysqlwire.QueryAttributes | mysqlwire.DeprecateEOF)
	const (
		login   = mysqlwire.Protocol41 | mysqlwire.SecureConnection | mysqlwire.PluginAuth
		mariaDB = mysqlwire.MariaDBProgress | mysqlwire.MariaDBCacheMetadata
		both    = mysqlwire.Compress | mysqlwire.ZstdCompression
	)
	for _, tt := range []struct {
		name    string
		claimed mysqlwire.Capability
		offered mysqlwire.Capability
		want    mysqlwire.Capability
		refused string // the capability that the text names; empty: not refused
	}{
		{"what was offered", login | mysqlwire.SessionTrack, offered, login | mysqlwire.SessionTrack, ""},
		{"MySQL's library towards a MariaDB", login | mysqlwire.QueryAttributes, offered, login, ""},
		{"a library of MySQL 8 towards a 5.6", login | mysqlwire.DeprecateEOF, offered, login, ""},
		{"a client's notes to itself", login | 1<<30 | 1<<31, offered, login, ""},
		{"rubbish in the filler", login | 0xdeadbeef<<32, offered, login, ""},
		{"MariaDB's, offered", login | mariaDB, offered | mariaDB, login | mariaDB, ""},
		{"TLS, offered", login | mysqlwire.TLS, offered | mysqlwire.TLS, login | mysqlwire.TLS, ""},
		{"TLS", login | mysqlwire.TLS, offered, 0, "CLIENT_SSL"},
		{"compression", login | mysqlwire.Compress, offered, 0, "CLIENT_COMPRESS"},
		{"zstd", login | mysqlwire.ZstdCompression, offered, 0, "CLIENT_ZSTD_COMPRESSION_ALGORITHM"},
		{"both", both, offered, 0, "CLIENT_COMPRESS, CLIENT_ZSTD_COMPRESSION_ALGORITHM"},
		{"nothing", 0, offered, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, refusal := Check(tt.claimed, tt.offered)
			if got != tt.want {
				t.Errorf("in effect: got %#x, want %#x", uint64(got), uint64(tt.want))
			}
			switch {
			case tt.refused == "" && refusal == nil:
			case tt.refused != "" && refusal != nil && refusal.Code == 1043 && strings.Contains(refusal.Message, tt.refused+" "):
			default:
				t.Errorf("refusal: got %v, want 1043 that names %q", refusal, tt.refused)
			}
		})
	}
}

// TestCheckNeverAdds tries each bit on its own: what is in effect was claimed and offered.
func TestCheckNeverAdds(t *testing.T) {
	for bit := range 64 {
		flag := mysqlwire.Capability(1) << bit
		if got, _ := Check(flag, ^flag); got != 0 {
			t.Errorf("bit %d, claimed and not offered: got %#x in effect", bit, uint64(got))
		}
		if got, _ := Check(^flag&Carried, flag); got != 0 {
			t.Errorf("bit %d, offered and not claimed: got %#x in effect", bit, uint64(got))
		}
		if got, refusal := Check(flag, flag); got != flag || refusal != nil {
			t.Errorf("bit %d, claimed and offered: got %#x in effect, %v", bit, uint64(got), refusal)
		}
	}
}

func TestLacking(t *testing.T) {
	const (
		eof       = mysqlwire.DeprecateEOF
		track     = mysqlwire.SessionTrack
		cached    = mysqlwire.MariaDBCacheMetadata
		optional  = mysqlwire.OptionalResultSetMetadata
		shapeless = mysqlwire.LongPassword | mysqlwire.TLS | mysqlwire.FoundRows | mysqlwire.ConnectAttrs
	)
	for _, tt := range []struct {
		name               string
		inEffect, upstream mysqlwire.Capability
		want               mysqlwire.Capability
	}{
		{"the same", needed | eof, needed | eof, 0},
		{"more than in effect", needed, needed | track, 0},
		{"an older server", needed | eof | track, needed | track, eof},
		{"without metadata", cached | optional, optional, cached},
		{"no authentication switch", needed, mysqlwire.Protocol41 | mysqlwire.SecureConnection, mysqlwire.PluginAuth},
		{"what no packet depends on", shapeless, 0, 0},
	} {
		if got := Lacking(tt.inEffect, tt.upstream); got != tt.want {
			t.Errorf("%s: got %#x, want %#x", tt.name, uint64(got), uint64(tt.want))
		}
	}
}
