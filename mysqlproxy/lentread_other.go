//go:build !unix

package mysqlproxy

import "net"

// readsDirectly is false where sockets do not tell when there is something to read.
const readsDirectly = false

type directRead struct{}

func (l *Loan) readDirectly(conn net.Conn) ([]byte, error) { return l.readWaiting(conn) }
