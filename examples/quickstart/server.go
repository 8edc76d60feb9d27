package main

import (
	"crypto/x509"
	"io"
	"net"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/mysql"
	"github.com/sirupsen/logrus"
)

// database is the name of the one database that the server has.
const database = "shop"

// startMySQL answers on ln as a MySQL server that keeps its data in memory and lets everyone in, until the
// process ends.
func startMySQL(ln net.Listener) error {
	logrus.SetOutput(io.Discard) // go-mysql-server writes its log there, by default to standard error

	provider := memory.NewDBProvider(memory.NewDatabase(database))
	config := server.Config{
		Listener: ln,
		ProtocolListenerFactory: func(c server.Config, lc mysql.ListenerConfig, events server.ServerEventListener) (server.ProtocolListener, error) {
			lc.AuthServer = withSHA2{lc.AuthServer}
			return server.MySQLProtocolListenerFactory(c, lc, events)
		},
	}
	s, err := server.NewServer(config, sqle.NewDefault(provider), sql.NewContext, memory.NewSessionBuilder(provider), nil)
	if err != nil {
		return err
	}
	go func() { _ = s.Start() }() // returns nil when ln is closed, which nobody does
	return nil
}

// withSHA2 adds caching_sha2_password without TLS to an AuthServer: the mysql command of MySQL 9 has no
// other method, and vitess wants TLS for it.
type withSHA2 struct{ mysql.AuthServer }

func (a withSHA2) AuthMethods() []mysql.AuthMethod {
	return append(a.AuthServer.AuthMethods(), sha2{mysql.NewSha2CachingAuthMethod(everyone{}, nil, nil)})
}

type sha2 struct{ mysql.AuthMethod }

func (sha2) HandleUser(*mysql.Conn, string) bool { return true }

type everyone struct{}

func (everyone) UserEntryWithCacheHash(_ []*x509.Certificate, _ []byte, user string, _ []byte, _ net.Addr) (mysql.Getter, mysql.CacheState, error) {
	return sql.MysqlConnectionUser{User: user, Host: "localhost"}, mysql.AuthAccepted, nil
}
