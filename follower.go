package l4mysql

import (
	"runtime/debug"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/l4mysql/l4mysql/mysqldump"
)

// A follower tells a [mysqlproxy.Session] where its conversation stands. It is the engine that records are made by,
// without the records.
type follower struct {
	session *mysqldump.Session
	failed  bool
}

// followed says that nothing is recorded but another user of the session.
var followed = mysqldump.Options{MaxQuery: 1, MaxParams: -1, Events: 1 << mysqldump.EventChangeUser}

// newFollower returns a follower that tells changed of each COM_CHANGE_USER that the server has accepted.
func newFollower(changed func(user string)) *follower {
	return &follower{session: mysqldump.NewSession(&followed, func(r *mysqldump.Record) { changed(r.Username) })}
}

// loggedIn tells the session of a login that has succeeded.
func (f *follower) loggedIn(l *login, payload, ok []byte) {
	f.FromServer(framed(0, l.greeted))
	f.FromClient(framed(l.seq, payload))
	f.FromServer(framed(l.seq+1, ok))
}

// FromClient shows bytes of the client.
func (f *follower) FromClient(p []byte) { f.feed(mysqldump.Client, p) }

// FromServer shows bytes of the server.
func (f *follower) FromServer(p []byte) { f.feed(mysqldump.Server, p) }

func (f *follower) feed(side mysqldump.Side, p []byte) {
	if f.failed {
		return
	}
	defer f.rescue()
	f.session.Feed(side, p, 0)
}

// rescue gives the session up where it has panicked, which is a defect of this module: layer4 does not recover, and
// one connection must not end all others.
func (f *follower) rescue() {
	if r := recover(); r != nil {
		f.failed = true
		caddy.Log().Error("stopped following a session: internal error", zap.Any("panic", r), zap.ByteString("stack", debug.Stack()))
		f.session.Discard()
	}
}

// Idle and the others are the session's: see [mysqlproxy.Tracker].
func (f *follower) Idle() bool { return f.session.Idle() }

// ChangingUser is the session's.
func (f *follower) ChangingUser() bool { return f.session.ChangingUser() }

// InTransaction is the session's.
func (f *follower) InTransaction() bool { return f.session.InTransaction() }

// ExpectsCommand is the session's.
func (f *follower) ExpectsCommand() bool { return f.session.ExpectsCommand() }

// Opaque is the session's.
func (f *follower) Opaque() bool {
	reason, _ := f.session.Opaque()
	return reason != "" || f.failed
}
