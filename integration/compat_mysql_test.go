package integration

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// mysqlRoot is the directory in whose /usr MySQL is installed: .ci/mysql9 makes one. Without it, nothing is
// tested with a MySQL server.
var mysqlRoot = os.Getenv("L4MYSQL_MYSQL_ROOT")

// inMySQLRoot makes cmd run below mysqlRoot, which is its root directory.
func inMySQLRoot(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "LC_ALL=C.UTF-8"}
	if mysqlRoot != "/" {
		chroot(cmd, mysqlRoot)
	}
	return cmd
}

// newMySQLDir makes a directory below mysqlRoot that lives as long as the test, and returns its path as seen
// from here, and from there.
func newMySQLDir(t testing.TB) (here, there string) {
	t.Helper()
	there = "/tmp/l4mysql-" + word()
	here = filepath.Join(mysqlRoot, there)
	if err := os.Mkdir(here, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !*keep {
			_ = os.RemoveAll(here)
		}
	})
	return here, there
}

// startMySQL starts a MySQL server for one test, without TLS unless the options name a version of it, and with
// the functions that tell query attributes.
func startMySQL(t testing.TB, options ...string) *MariaDB {
	t.Helper()
	if mysqlRoot == "" {
		t.Skip("L4MYSQL_MYSQL_ROOT is not set; `make test-mysql` sets it")
	}
	here, there := newMySQLDir(t)
	options = append([]string{
		"--no-defaults", "--skip-name-resolve", "--disable-log-bin", "--datadir=" + there + "/data",
		"--secure-file-priv=NULL", "--innodb-buffer-pool-size=32M", "--innodb-redo-log-capacity=8M",
		"--innodb-flush-log-at-trx-commit=0", "--tls-version=",
	}, options...)
	// mysqld must not run as root. Its user owns the directory, and has a number only.
	asServer := func(args ...string) *exec.Cmd {
		cmd := exec.Command("/usr/sbin/mysqld", slices.Concat(options, args)...)
		if err := unprivileged(cmd, here, "nobody"); err != nil {
			t.Fatal(err)
		}
		return inMySQLRoot(cmd)
	}
	if out, err := asServer("--initialize-insecure").CombinedOutput(); err != nil {
		t.Fatalf("mysqld --initialize-insecure: %v\n%s", err, out)
	}
	port := freePort(t)
	db := &MariaDB{Addr: local(port), Socket: filepath.Join(here, "sock")}
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr = "root", "unix", db.Socket
	config.Params = map[string]string{"sql_log_off": "1"}
	config.InterpolateParams = true
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db.Admin = sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Admin.Close() })
	db.process, err = startProcess(asServer(
		"--socket="+there+"/sock", "--pid-file="+there+"/pid", "--tmpdir="+there, "--bind-address=127.0.0.1",
		fmt.Sprint("--port=", port), "--mysqlx=OFF", "--performance-schema=ON",
		"--general-log=ON", "--log-output=TABLE",
	), func(*process) error { return db.Admin.Ping() })
	if err != nil {
		t.Fatal(err)
	}
	db.stopAfter(t)
	db.exec(t, "INSTALL COMPONENT 'file://component_query_attributes'")
	return db
}
