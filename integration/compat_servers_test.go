package integration

import "testing"

// A compatServer is a server that the matrix is made for.
type compatServer struct {
	name    string
	mysql   bool   // whether it is MySQL's, whose performance schema tells some things otherwise
	status  string // the table of the session's status variables
	start   func(t testing.TB) *MariaDB
	clients []compatClient
}

var compatServers = []compatServer{
	{
		name: "MariaDB", status: "information_schema.session_status",
		start: func(t testing.TB) *MariaDB {
			t.Helper()
			return startMariaDB(t, append(compatOptions, "--max-recursive-iterations=100000")...)
		},
		clients: []compatClient{mariadbCLI, goDriver, pyMySQL, mysqli, connectorJ},
	},
	{
		name: "MySQL", mysql: true, status: "performance_schema.session_status",
		start: func(t testing.TB) *MariaDB {
			t.Helper()
			return startMySQL(t, append(compatOptions, "--cte-max-recursion-depth=100000")...)
		},
		clients: []compatClient{mysqlCLI, mariadbCLI, goDriver, pyMySQL, mysqli, connectorJ},
	},
}
