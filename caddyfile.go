package l4mysql

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	proxy_header {
//		allow    <ip|cidr|private_ranges|unix>...
//		mode     require|optional
//		timeout  <duration>
//		max_size <size>
//		keep
//	}
//
// `allow` may be repeated. `max_size` is in bytes, or with a unit: 4KiB.
func (h *ProxyHeader) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	b := newBlock(d)
	for b.next() {
		switch b.option {
		case "allow":
			h.Allow = append(h.Allow, b.args()...)
		case "mode":
			h.Mode = b.once().arg()
		case "timeout":
			h.Timeout = caddy.Duration(b.once().duration())
		case "max_size":
			h.MaxSize = b.once().size()
		case "keep":
			h.Keep = b.once().flag()
		default:
			b.unknown()
		}
	}
	return b.err
}

// UnmarshalCaddyfile sets up the matcher from Caddyfile tokens. Syntax:
//
//	proxy_header {
//		version  1|2...
//		command  PROXY|LOCAL...
//		src      <ip|cidr|private_ranges|unix>...
//		dst      <ip|cidr|private_ranges|unix>...
//		dst_port <port>...
//		tlv      <name|0xNN> <value>...
//		ssl      verified|any|none...
//		ssl_cn   <name>...
//	}
//	proxy_header
//
// Every option may be repeated: `tlv` with another name asks for both, and anything else adds values.
func (m *MatchProxyHeader) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	b := newBlock(d)
	for b.next() {
		switch b.option {
		case "version":
			m.Version = append(m.Version, b.integers()...)
		case "command":
			m.Command = append(m.Command, b.args()...)
		case "src":
			m.Src = append(m.Src, b.args()...)
		case "dst":
			m.Dst = append(m.Dst, b.args()...)
		case "dst_port":
			m.DstPort = append(m.DstPort, b.integers()...)
		case "tlv":
			m.TLV = b.named(m.TLV)
		case "ssl":
			m.SSL = append(m.SSL, b.args()...)
		case "ssl_cn":
			m.SSLCN = append(m.SSLCN, b.args()...)
		default:
			b.unknown()
		}
	}
	return b.err
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	mysql_log {
//		max_query         <size>
//		max_params        <number>
//		max_param         <size>
//		statements_memory <size>
//		session_variables
//		commands          <name>...
//		events            <name>...
//		log_name          <name>
//		queue             <records>
//		overflow          drop|block
//	}
//	mysql_log
//
// `commands` and `events` may be repeated. Sizes are in bytes, or have a unit: 16KiB.
// `max_params 0` records no parameters; what is 0 otherwise has its default.
func (h *MySQLLog) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	b := newBlock(d)
	for b.next() {
		switch b.option {
		case "max_query":
			h.MaxQuery = b.once().size()
		case "max_params":
			if h.MaxParams = b.once().integer(); h.MaxParams == 0 {
				h.MaxParams = -1 // in JSON, 0 is the default
			}
		case "max_param":
			h.MaxParam = b.once().size()
		case "statements_memory":
			h.StatementsMemory = b.once().size()
		case "session_variables":
			h.SessionVariables = b.once().flag()
		case "commands":
			h.Commands = append(h.Commands, b.args()...)
		case "events":
			h.Events = append(h.Events, b.args()...)
		case "log_name":
			h.LogName = b.once().arg()
		case "queue":
			h.Queue = b.once().integer()
		case "overflow":
			h.Overflow = b.once().arg()
		default:
			b.unknown()
		}
	}
	return b.err
}

// UnmarshalCaddyfile sets up the matcher from Caddyfile tokens. Syntax:
//
//	mysql {
//		user     <name> [<database>...]
//		database <name>...
//		tenant   <name>...
//		label    <name> <value>...
//		attr     <name> <value>...
//		client   <name>...
//		tls      enabled|disabled|*
//		sni      <name>...
//	}
//	mysql
//
// Every option but `tls` may be repeated: `label` and `attr` with another name ask for both, and anything else
// adds values. A user who is there once without databases may use any.
func (m *MatchMySQL) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	b := newBlock(d)
	for b.next() {
		switch b.option {
		case "user":
			name, databases := b.firstArg(), d.RemainingArgs()
			if m.User == nil {
				m.User = make(map[string][]string)
			}
			if before, ok := m.User[name]; len(databases) == 0 || ok && len(before) == 0 {
				m.User[name] = []string{}
			} else {
				m.User[name] = append(before, databases...)
			}
		case "database":
			m.Database = append(m.Database, b.args()...)
		case "tenant":
			m.Tenant = append(m.Tenant, b.args()...)
		case "label":
			m.Label = b.named(m.Label)
		case "attr":
			m.Attr = b.named(m.Attr)
		case "client":
			m.Client = append(m.Client, b.args()...)
		case "tls":
			m.TLS = b.once().arg()
		case "sni":
			m.SNI = append(m.SNI, b.args()...)
		default:
			b.unknown()
		}
	}
	return b.err
}

// named reads a name and its values, and adds them to those that values has.
func (b *block) named(values map[string][]string) map[string][]string {
	name := b.firstArg()
	if values == nil {
		values = make(map[string][]string)
	}
	values[name] = append(values[name], b.args()...)
	return values
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*MatchMySQL)(nil)
	_ caddyfile.Unmarshaler = (*MySQLLog)(nil)
	_ caddyfile.Unmarshaler = (*ProxyHeader)(nil)
	_ caddyfile.Unmarshaler = (*MatchProxyHeader)(nil)
)
