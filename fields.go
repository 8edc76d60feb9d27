package l4mysql

import (
	"encoding/base64"
	"unicode/utf8"

	"go.uber.org/zap/zapcore"

	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
	"github.com/l4mysql/l4mysql/proxyheader"
)

// Where a record's bytes have gone: tcpdp's word for it.
const (
	fromClient = "->"
	fromServer = "<-"
)

// MarshalLogObject adds the record's keys, which docs/records.md lists. The keys that tcpdp has keep their
// names and meanings. Texts are strings, not bytes: bytes would go through Caddy's filters hash and regexp
// as they are, in base64.
func (e *entry) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	if e.Event == mysqldump.EventCommand {
		if err := e.addCommand(enc); err != nil {
			return err
		}
	} else {
		enc.AddString("event", e.Event.String())
	}
	e.addConnection(enc)
	rest := e.addResult
	if e.Event != mysqldump.EventCommand {
		rest = e.addEvent
	}
	if err := rest(enc); err != nil {
		return err
	}
	e.addOutcome(enc)
	if e.dropped > 0 {
		enc.AddUint64("dropped", e.dropped)
	}
	return nil
}

func (e *entry) addCommand(enc zapcore.ObjectEncoder) error {
	enc.AddString("command", e.CommandName())
	if e.Query != nil {
		e.addText(enc, "query", e.Query)
		enc.AddUint64("query_length", e.QueryLength)
		if e.Command == mysqlwire.ComStmtPrepare {
			e.addText(enc, "stmt_prepare_query", e.Query)
		}
	}
	if e.HasStmt {
		enc.AddUint32("stmt_id", e.StmtID)
	}
	if e.StmtPrepareQuery != nil {
		e.addText(enc, "stmt_prepare_query", e.StmtPrepareQuery)
	}
	addTrue(enc, "query_truncated", e.QueryTruncated)
	addTrue(enc, "stmt_text_lost", e.StmtTextLost)
	enc.AddUint8("seq_num", e.PacketSeq)
	enc.AddUint8("command_id", uint8(e.Command))
	return e.addArguments(enc)
}

// addText adds a text and, if it is no UTF-8, which JSON cannot hold, its bytes besides.
func (e *entry) addText(enc zapcore.ObjectEncoder, key string, raw []byte) {
	text := raw
	if e.QueryTruncated && !e.QueryRaw {
		text = text[:len(text)-incomplete(text)]
	}
	enc.AddString(key, string(text))
	if e.QueryRaw || !utf8.Valid(text) {
		enc.AddString(key+"_base64", base64.StdEncoding.EncodeToString(raw))
	}
}

func (e *entry) addConnection(enc zapcore.ObjectEncoder) {
	direction := fromClient
	switch e.Event {
	case mysqldump.EventConnect, mysqldump.EventAuthError, mysqldump.EventChangeUser, mysqldump.EventServerError:
		direction = fromServer
	default: // commands, and what the client or this side of the connection does
	}
	origin := e.peer.client
	enc.AddString("conn_id", e.peer.id)
	enc.AddUint64("conn_seq_num", e.Seq)
	enc.AddString("direction", direction)
	enc.AddString("client_addr", e.peer.client)
	enc.AddString("proxy_listen_addr", e.peer.listen)
	leg := e.peer.upstreamLeg()
	if leg != nil {
		if leg.local != "" {
			enc.AddString("proxy_client_addr", leg.local)
		}
		enc.AddString("remote_addr", leg.remote)
	}
	if source, destination := e.peer.headerAddrs(); source != "" {
		enc.AddString("proxy_protocol_src_addr", source)
		enc.AddString("proxy_protocol_dst_addr", destination)
		origin = source
	}
	enc.AddString("origin_addr", origin)
	if !e.Midstream || e.Username != "" {
		enc.AddString("username", e.Username)
	}
	if e.Database != "" {
		enc.AddString("database", e.Database)
	}
	enc.AddString("character_set", e.CharacterSet)
	switch {
	case e.Midstream:
		enc.AddBool("midstream", true)
	case leg != nil:
		enc.AddUint32("thread_id", leg.threadID) // the greeting that the client got may be mysql_login's
	default:
		enc.AddUint32("thread_id", e.ThreadID)
	}
}

func (e *entry) addResult(enc zapcore.ObjectEncoder) error {
	if e.BytesOut > 0 || e.Incomplete != "" {
		enc.AddInt64("duration_us", e.Duration.Microseconds())
	}
	if e.BytesOut > 0 {
		enc.AddInt64("first_byte_us", e.FirstByte.Microseconds())
	}
	if e.HasRows {
		enc.AddUint64("rows", e.Rows)
	}
	if e.HasColumns {
		enc.AddUint32("columns", e.Columns)
	}
	if e.ResultSets > 0 {
		enc.AddUint32("result_sets", e.ResultSets)
	}
	if e.Prepared {
		enc.AddUint32("params", e.Params)
	}
	if e.HasOK {
		enc.AddUint64("affected_rows", e.AffectedRows)
		enc.AddUint64("last_insert_id", e.LastInsertID)
	}
	if len(e.Info) > 0 {
		enc.AddString("info", string(e.Info))
	}
	if err := e.addChanges(enc); err != nil {
		return err
	}
	if e.InfileBytes > 0 {
		enc.AddUint64("infile_bytes", e.InfileBytes)
	}
	if e.ProgressReports > 0 {
		enc.AddUint32("progress_reports", e.ProgressReports)
	}
	enc.AddUint64("bytes_in", e.BytesIn)
	enc.AddUint64("bytes_out", e.BytesOut)
	if e.Pipelined > 0 {
		enc.AddInt("pipelined", e.Pipelined)
	}
	if e.Incomplete != "" {
		enc.AddString("incomplete", e.Incomplete)
	}
	return nil
}

// addOutcome adds what an OK, EOF or ERR packet says, also of an event.
func (e *entry) addOutcome(enc zapcore.ObjectEncoder) {
	if e.HasStatus {
		enc.AddUint16("warnings", e.Warnings)
		enc.AddBool("in_transaction", e.Status.Has(mysqlwire.StatusInTransaction))
		enc.AddBool("autocommit", e.Status.Has(mysqlwire.StatusAutocommit))
		addTrue(enc, "no_index_used", e.Status.Has(mysqlwire.StatusNoIndexUsed))
		addTrue(enc, "no_good_index_used", e.Status.Has(mysqlwire.StatusNoGoodIndexUsed))
		addTrue(enc, "slow", e.Status.Has(mysqlwire.StatusSlow))
		addTrue(enc, "cursor", e.Status.Has(mysqlwire.StatusCursorExists))
	}
	if e.ErrorCode != 0 {
		enc.AddUint16("error_code", e.ErrorCode)
		if e.SQLState != nil {
			enc.AddString("sqlstate", string(e.SQLState))
		}
		enc.AddString("error_message", string(e.ErrorMessage))
	}
}

func (e *entry) addEvent(enc zapcore.ObjectEncoder) error {
	if e.Reason != "" {
		enc.AddString("reason", e.Reason)
		enc.AddString("message", e.Message)
	}
	if e.ServerVersion != "" {
		enc.AddString("server_version", e.ServerVersion)
	}
	if e.AuthPlugin != "" {
		enc.AddString("auth_plugin", e.AuthPlugin)
	}
	if e.Compression != "" {
		enc.AddString("compression", e.Compression)
	}
	if e.Event == mysqldump.EventClose {
		enc.AddInt64("duration_us", e.At.Microseconds())
		enc.AddUint64("bytes_in", e.BytesIn)
		enc.AddUint64("bytes_out", e.BytesOut)
		enc.AddUint64("commands", e.Commands)
	}
	if e.Attributes == nil {
		return nil
	}
	return enc.AddObject("connect_attrs", zapcore.ObjectMarshalerFunc(func(enc zapcore.ObjectEncoder) error {
		for name, value := range e.Attributes.All() {
			enc.AddString(proxyheader.Text(name), string(value))
		}
		return nil
	}))
}

// addTrue adds a key that is absent unless it is true.
func addTrue(enc zapcore.ObjectEncoder, key string, value bool) {
	if value {
		enc.AddBool(key, true)
	}
}
