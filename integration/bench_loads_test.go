package integration

import (
	"encoding/binary"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A benchSize is how much work one measurement has.
type benchSize struct {
	selects, logins  time.Duration // for how long
	download, upload int64         // how many bytes, about
}

// A benchUnit is what a load is counted in.
type benchUnit struct {
	rate      string // what is counted, per second
	rateScale float64
	cost      string // CPU for each of it
	costScale float64
}

var (
	queryUnit = benchUnit{"queries/s", 1, "us/query", 1e6}
	loginUnit = benchUnit{"logins/s", 1, "us/login", 1e6}
	byteUnit  = benchUnit{"MB/s", 1e-6, "s/GB", 1e9}
)

// A benchLoad is what clients do to one side.
type benchLoad struct {
	name, what string
	unit       benchUnit
	extra      bool // only if it is asked for
	run        func(to wireTarget, size benchSize, m *meter) error
}

// benchLoads are in the order of the report.
var benchLoads = []benchLoad{
	{"select-8", "point selects, 8 connections", queryUnit, false, selects(8)},
	{"select-64", "point selects, 64 connections", queryUnit, true, selects(64)},
	{"download", "one result of 1 KB rows", byteUnit, false, download(1000)},
	{"download-100", "one result of 100 byte rows", byteUnit, true, download(100)},
	{"download-100k", "one result of 100 KB rows", byteUnit, true, download(100_000)},
	{"upload", "parameters in packets of 1 MB", byteUnit, false, upload(1_000_000)},
	{"upload-16k", "parameters in packets of 16 KB", byteUnit, true, upload(16_000)},
	{"login-1", "connect, log in, quit; 1 client", loginUnit, false, logins(1)},
	{"login-8", "connect, log in, quit; 8 clients", loginUnit, false, logins(8)},
}

// benchPoints is how many rows the table of the point selects has.
const benchPoints = 10_000

// fillPoints makes the table of the point selects.
func fillPoints(t testing.TB, db *MariaDB, a Account) {
	t.Helper()
	table := a.Database() + ".points"
	db.exec(t, "CREATE TABLE "+table+" (id INT PRIMARY KEY, c CHAR(120) NOT NULL) ENGINE=InnoDB")
	db.exec(t, fmt.Sprintf("INSERT INTO %s SELECT seq, REPEAT(MD5(seq), 3) FROM %s.seq_1_to_%d", table, a.Database(), benchPoints))
	db.exec(t, "ANALYZE TABLE "+table)
}

// selects reads single rows by their key.
func selects(clients int) func(wireTarget, benchSize, *meter) error {
	return func(to wireTarget, size benchSize, m *meter) error {
		to.buffer = 4 << 10
		sessions := make([]*wireSession, clients)
		for i := range sessions {
			var err error
			if sessions[i], err = to.logIn(); err != nil {
				return err
			}
			defer sessions[i].close()
		}
		latencies := make([][]time.Duration, clients)
		m.begin()
		stop := time.Now().Add(size.selects)
		err := together(clients, func(i int) error {
			s := sessions[i]
			for now := time.Now(); now.Before(stop); {
				s.command(mysqlwire.ComQuery)
				s.out = append(s.out, "SELECT c FROM points WHERE id = "...)
				s.out = strconv.AppendInt(s.out, 1+mathrand.Int64N(benchPoints), 10)
				if err := s.send(); err != nil {
					return err
				}
				if _, err := s.result(); err != nil {
					return err
				}
				before := now
				now = time.Now()
				latencies[i] = append(latencies[i], now.Sub(before))
			}
			return nil
		})
		m.endEach(slices.Concat(latencies...))
		return err
	}
}

// download reads one result of size.download bytes, with rows of this many bytes.
func download(row int64) func(wireTarget, benchSize, *meter) error {
	return func(to wireTarget, size benchSize, m *meter) error {
		to.buffer = 256 << 10
		s, err := to.logIn()
		if err != nil {
			return err
		}
		defer s.close()
		m.begin()
		s.command(mysqlwire.ComQuery)
		s.out = fmt.Appendf(s.out, "SELECT REPEAT('x', %d) FROM seq_1_to_%d", row, max(1, size.download/row))
		if err := s.send(); err != nil {
			return err
		}
		got, err := s.result()
		if err == nil && got < size.download {
			err = fmt.Errorf("a result of %d bytes, want %d", got, size.download)
		}
		m.end(float64(got))
		return err
	}
}

// upload sends size.upload bytes, in packets of this many bytes. They are a parameter of a statement that is
// never executed: a server only collects them, so that parsing or storing them does not hide what a proxy costs.
func upload(packet int) func(wireTarget, benchSize, *meter) error {
	return func(to wireTarget, size benchSize, m *meter) error {
		to.buffer = 4 << 10
		s, err := to.logIn()
		if err != nil {
			return err
		}
		defer s.close()
		id, err := s.prepare("DO ?")
		if err != nil {
			return err
		}
		const forget = 8_000_000 // less than max_allowed_packet, which holds for the parameter
		data := make([]byte, packet)
		m.begin()
		var sent int64
		for kept := 0; sent < size.upload; {
			s.command(mysqlwire.ComStmtSendLongData)
			s.out = binary.LittleEndian.AppendUint32(s.out, id)
			s.out = append(append(s.out, 0, 0), data...) // of parameter 0
			if err := s.send(); err != nil {
				return err
			}
			sent += int64(len(s.out))
			if kept += packet; kept+packet <= forget && sent < size.upload {
				continue
			}
			kept = 0
			s.command(mysqlwire.ComStmtReset)
			s.out = binary.LittleEndian.AppendUint32(s.out, id)
			if err := s.send(); err != nil {
				return err
			}
			if _, err := s.packet(); err != nil {
				return err
			}
		}
		m.end(float64(sent))
		return nil
	}
}

// logins connects, logs in and quits, again and again.
func logins(clients int) func(wireTarget, benchSize, *meter) error {
	return func(to wireTarget, size benchSize, m *meter) error {
		to.buffer = 4 << 10
		latencies := make([][]time.Duration, clients)
		m.begin()
		stop := time.Now().Add(size.logins)
		err := together(clients, func(i int) error {
			for {
				begun := time.Now()
				if !begun.Before(stop) {
					return nil
				}
				s, err := to.logIn()
				if err != nil {
					return err
				}
				latencies[i] = append(latencies[i], time.Since(begun))
				if err := s.quit(); err != nil {
					return err
				}
			}
		})
		m.endEach(slices.Concat(latencies...))
		return err
	}
}

// together runs n functions at the same time.
func together(n int, work func(i int) error) error {
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { errs[i] = work(i) })
	}
	group.Wait()
	return errors.Join(errs...)
}
