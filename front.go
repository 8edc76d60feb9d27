package l4mysql

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"

	"github.com/l4mysql/l4mysql/mysqlproxy"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// connectionIDs gives the ids in the greetings, for the whole process.
var connectionIDs mysqlproxy.ConnectionIDs

// A front is the server's part of a login, up to the point where a server is needed:
//
//	S: greeting   C: login
//	S: greeting   C: SSLRequest   TLS handshake   C: login
//	S: greeting   C: SSLRequest   C: ClientHello            (tls_passthrough)
type front struct {
	*login
	cx *layer4.Connection // as the socket gave it: what is set there holds under TLS, too
}

func newFront(h *MySQLLogin, cx *layer4.Connection) *front {
	return &front{login: &login{handler: h}, cx: cx}
}

// serve greets, reads the login, and hands the connection on.
func (f *front) serve(next layer4.Handler) error {
	if sessions.Draining() {
		f.refuse(f.cx, 0, reasonShutdown, mysqlproxy.ShutdownInProgress())
		return nil
	}
	greeting, refusal := f.handler.greet()
	if refusal != nil {
		f.refuse(f.cx, 0, reasonUpstream, refusal)
		return nil
	}
	f.id = connectionIDs.Take(func(id uint32) bool { return sessions.Find(id) != nil })
	f.greeting, f.greeting.ThreadID = greeting, f.id
	scramble := mysqlproxy.Scramble()
	f.greeted = mysqlwire.AppendGreeting(nil, &f.greeting, &scramble)
	answerRefusedHeader(f.cx)

	_ = f.cx.SetDeadline(time.Now().Add(time.Duration(f.handler.Timeout)))
	if err := writePacket(f.cx, 0, f.greeted); err != nil {
		f.lost(f.cx, 1, err)
		return nil
	}
	return f.first(next)
}

// first reads the client's first packet: its login, or its request for TLS.
func (f *front) first(next layer4.Handler) error {
	payload, refusal, err := readPacket(f.cx, 1, f.handler.MaxLogin)
	switch {
	case err != nil:
		f.lost(f.cx, 2, err)
		return nil
	case refusal != nil:
		f.refuse(f.cx, 2, reasonHandshake, refusal)
		return nil
	case !mysqlwire.IsTLSRequest(payload):
		return f.read(f.cx, 1, payload, next)
	case !f.greeting.Capabilities.Has(mysqlwire.TLS):
		_, refusal = mysqlproxy.Check(mysqlwire.TLS, f.greeting.Capabilities)
		f.refuse(f.cx, 2, reasonHandshake, refusal)
		return nil
	case f.handler.TLSPassthrough:
		return f.passThrough(payload, next)
	}
	return f.endTLS(next)
}

// endTLS lets caddy-l4's `tls` handler do the handshake, and reads the login inside.
func (f *front) endTLS(next layer4.Handler) error {
	ended := false
	err := f.handler.tls.Handle(f.cx, layer4.HandlerFunc(func(cx *layer4.Connection) error {
		ended, f.tls = true, true
		if conn, ok := cx.Conn.(*tls.Conn); ok {
			f.sni = conn.ConnectionState().ServerName
		}
		payload, refusal, err := readPacket(cx, 2, f.handler.MaxLogin)
		switch {
		case err != nil:
			f.lost(cx, 3, err)
			return nil
		case refusal != nil:
			f.refuse(cx, 3, reasonHandshake, refusal)
			return nil
		}
		return f.read(cx, 2, payload, next)
	}))
	if ended {
		return err
	}
	// What a client did wrong is no error of ours. It cannot be told in MySQL any more.
	f.log(reasonTLS, zap.Error(err))
	return nil
}

// passThrough reads the client's ClientHello for the name in it.
func (f *front) passThrough(request []byte, next layer4.Handler) error {
	name, hello, err := mysqlproxy.ReadServerName(f.cx)
	if err != nil {
		f.log(reasonTLS, zap.Error(err))
		return nil
	}
	f.tls, f.sni, f.seq = true, name, 1
	f.parsed, _ = mysqlwire.ParseLogin(request) // it begins like a login, and ends before the user
	f.replay = append(mysqlwire.AppendHeader(nil, len(request), 1), request...)
	f.replay = append(f.replay, hello...)
	return f.handOn(f.cx, next)
}

// read understands the login with that payload.
func (f *front) read(cx *layer4.Connection, seq uint8, payload []byte, next layer4.Handler) error {
	f.seq = seq
	parsed, auth, err := mysqlwire.ParseLoginWithAuth(payload)
	if err != nil {
		f.refuse(cx, seq+1, reasonHandshake, mysqlproxy.BadHandshake(""), zap.Error(err))
		return nil
	}
	inEffect, refusal := mysqlproxy.Check(parsed.Capabilities, f.greeting.Capabilities)
	if refusal != nil {
		f.refuse(cx, seq+1, reasonHandshake, refusal)
		return nil
	}
	if !f.tls && (f.handler.TLSRequired || f.handler.TLSPassthrough) && !isUnix(f.cx) {
		f.refuse(cx, seq+1, reasonTLSRequired, mysqlproxy.TLSRequired())
		return nil
	}
	name, err := parseUserName(f.handler.UserSyntax, parsed.User)
	if err != nil {
		f.refuse(cx, seq+1, reasonHandshake, mysqlproxy.BadHandshake(err.Error()))
		return nil
	}
	f.parsed, f.inEffect, f.name, f.password = owned(parsed), inEffect, name, len(auth) > 0
	f.secrets.Store(&proof{payload, auth})
	return f.handOn(cx, next)
}

// owned returns l with bytes of its own: it lives as long as the session, and the payload has secrets.
func owned(l mysqlwire.Login) mysqlwire.Login {
	l.User, l.Database, l.AuthPlugin = bytes.Clone(l.User), bytes.Clone(l.Database), bytes.Clone(l.AuthPlugin)
	l.Attributes = bytes.Clone(l.Attributes)
	return l
}

// handOn publishes the login, and hands cx on. A login that nobody has taken then is refused, if what is behind this
// handler in its route is all that could have taken it.
func (f *front) handOn(cx *layer4.Connection, next layer4.Handler) error {
	if sessions.Draining() {
		f.refuse(cx, f.seq+1, reasonShutdown, mysqlproxy.ShutdownInProgress())
		return nil
	}
	_ = f.cx.SetDeadline(time.Time{})
	cx.SetVar(loginVar, f.login)
	cx.Replacer().Map(f.replace)
	probe := watchRoutes(cx)
	err := next.Handle(cx)
	if err == nil && probe.routed && !f.taken.Load() && f.replay == nil {
		f.refuse(cx, f.seq+1, reasonNoRoute, mysqlproxy.AccessDenied(f.name.user, originHost(cx), f.password))
	}
	return err
}

// lost ends a connection on which no login came: cx could not be read or written any more.
func (f *front) lost(cx *layer4.Connection, seq uint8, err error) {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		f.refuse(cx, seq, reasonTimeout, mysqlproxy.ReadTimeout())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		// A check by a load balancer, or a PROXY header that was refused and told.
	default:
		f.handler.logger.Debug("connection lost before its login", zap.String("remote", originText(cx)), zap.Error(err))
	}
}

// refuse answers the client with an ERR packet, and ends the connection.
func (f *front) refuse(cx *layer4.Connection, seq uint8, why reason, refusal *mysqlproxy.Refusal, more ...zap.Field) {
	logins.WithLabelValues("", loginRefused).Inc()
	f.log(why, append(more, zap.Uint16("error_code", refusal.Code), zap.String("error_message", refusal.Message))...)
	sayGoodbye(cx, seq, refusal)
}

// log says that a client was refused: for each peer and reason once a minute at most.
func (f *front) log(why reason, more ...zap.Field) {
	refusals.log(f.handler.logger, "refused login", originAddr(f.cx), why, more...)
}
