// The compatibility matrix's MariaDB Connector/J client. It reads one task per line, "key=value" with tabs
// between, runs the scenario that the task names in one connection, and prints a line when that is closed: what
// went wrong, or nothing.

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.StringReader;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.HashMap;
import java.util.Map;
import org.mariadb.jdbc.MariaDbPoolDataSource;

public class Client {
    interface Scenario {
        void run(Connection c, Map<String, String> task) throws Exception;
    }

    interface Executed {
        boolean execute() throws SQLException;
    }

    static final Map<String, Scenario> scenarios = new HashMap<>();
    static final Map<String, String> options = new HashMap<>();

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line; (line = in.readLine()) != null;) {
            Map<String, String> task = new HashMap<>();
            for (String field : line.split("\t")) {
                int i = field.indexOf('=');
                task.put(field.substring(0, i), field.substring(i + 1));
            }
            String name = task.get("scenario");
            String answer = "";
            String url = "jdbc:mariadb://" + task.get("host") + ":" + task.get("port") + "/" + task.get("database")
                    + "?user=" + task.get("user") + "&password=" + task.get("password")
                    + "&allowPublicKeyRetrieval=true" + options.getOrDefault(name, "");
            try {
                if (name.equals("reset")) { // what a pool does
                    reset(url);
                } else {
                    try (Connection c = DriverManager.getConnection(url)) {
                        scenarios.get(name).run(c, task);
                    }
                }
            } catch (Exception e) { // whatever it is, the test tells it
                answer = e.toString();
            }
            out.println(answer.replace('\n', ' '));
        }
    }

    /** Reads all that a statement has returned, and goes on after the server's errors. */
    static void drain(Statement s, Executed executed) throws SQLException {
        try {
            boolean rows = executed.execute();
            while (rows || s.getUpdateCount() != -1) {
                if (rows) {
                    ResultSet r = s.getResultSet();
                    while (r.next()) {
                    }
                }
                rows = s.getMoreResults();
            }
        } catch (SQLException e) {
            if (e.getErrorCode() == 0 || e.getSQLState() != null && e.getSQLState().startsWith("08")) {
                throw e; // the client's own error, or one of the connection
            }
        }
    }

    static void run(Connection c, String... statements) throws SQLException {
        for (String statement : statements) {
            try (Statement s = c.createStatement()) {
                drain(s, () -> s.execute(statement));
            }
        }
    }

    /** Prepares a statement and executes it once for each list of values. */
    static void execute(Connection c, String text, Object[]... executions) throws SQLException {
        try (PreparedStatement s = c.prepareStatement(text)) {
            for (Object[] values : executions) {
                for (int i = 0; i < values.length; i++) {
                    s.setObject(i + 1, values[i]);
                }
                drain(s, s::execute);
            }
        } catch (SQLException e) {
            if (e.getErrorCode() == 0) {
                throw e;
            }
        }
    }

    static Object[] values(Object... values) {
        return values;
    }

    /** The connector sends a DATE of seven bytes: MariaDB takes it, MySQL calls it malformed. */
    static Object date(Connection c, String text) throws SQLException {
        return c.getMetaData().getDatabaseProductName().equals("MariaDB") ? Date.valueOf(text) : text;
    }

    static byte[] bytes(int... values) {
        byte[] b = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            b[i] = (byte) values[i];
        }
        return b;
    }

    static void expectError(Executed executed) throws SQLException {
        try {
            executed.execute();
        } catch (SQLException e) {
            if (e.getErrorCode() == 0) {
                throw e;
            }
        }
    }

    static final String KEPT = "INSERT INTO kept (i8, u8, i16, u16, i32, u32, i64, u64, f, d, n, s, x, da, ti, dt)"
            + " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

    static void batch(Connection c) throws SQLException {
        try (PreparedStatement s = c.prepareStatement("INSERT INTO t (v) VALUES (?)")) {
            for (int i = 0; i < 10; i++) {
                s.setString(1, i == 3 ? null : "batch " + i);
                s.addBatch();
            }
            s.executeBatch();
            s.setString(1, "another");
            s.addBatch();
            s.setString(1, "and one");
            s.addBatch();
            s.executeBatch();
        }
    }

    static void reset(String url) throws Exception {
        try (MariaDbPoolDataSource pool = new MariaDbPoolDataSource(url)) {
            try (Connection c = pool.getConnection()) {
                execute(c, "SELECT ?", values(1));
                run(c, "SET @a = 1", "USE information_schema");
            }
            try (Connection c = pool.getConnection()) {
                run(c, "SELECT @a, DATABASE()");
                execute(c, "SELECT ?", values(2));
            }
        }
    }

    static {
        scenarios.put("text", (c, task) -> run(c, "SELECT '" + task.get("word") + "', '€ü', NULL", "SELECT * FROM t",
                "SELECT * FROM t WHERE id < 0", "INSERT INTO t (v) VALUES ('a'), ('b')",
                "UPDATE t SET v = 'c' WHERE id > 2", "DELETE FROM t WHERE id = 1", "CREATE TABLE made (id INT)",
                "SET @a = 1"));
        options.put("multi", "&allowMultiQueries=true");
        scenarios.put("multi", (c, task) -> run(c,
                "SELECT 1; INSERT INTO t (v) VALUES ('m'), ('n'); SELECT id, v FROM t; DELETE FROM t WHERE v = 'n'",
                "SET @a = 1; SET @b = 2"));
        options.put("call", "&useServerPrepStmts=true");
        scenarios.put("call", (c, task) -> {
            run(c, "CALL sets(2)", "CALL quiet('q')", "CALL fails()");
            execute(c, "CALL sets(?)", values(2), values(3));
        });
        options.put("out", "&useServerPrepStmts=true");
        scenarios.put("out", (c, task) -> {
            try (CallableStatement s = c.prepareCall("{CALL outs(?, ?, ?)}")) {
                s.setInt(1, 20);
                s.registerOutParameter(2, Types.INTEGER);
                s.setInt(3, 3);
                s.registerOutParameter(3, Types.INTEGER);
                s.execute();
                if (s.getInt(2) != 21 || s.getInt(3) != 60) {
                    throw new Exception("OUT parameters: " + s.getInt(2) + ", " + s.getInt(3));
                }
            }
        });
        options.put("prepared", "&useServerPrepStmts=true");
        scenarios.put("prepared", (c, task) -> {
            execute(c, "SELECT id, v FROM t WHERE id >= ? AND v <> ?", values(2, "x"), values(1, "two"),
                    values(9, "y"));
            execute(c, "SELECT * FROM t", values());
            execute(c, "INSERT INTO t (v) VALUES (?), (?)", values("p", "q"), values(null, "r"));
            execute(c, "UPDATE t SET v = ? WHERE id > ?", values("s", 1.5));
            execute(c, "SELECT 1 / ?", values(0));
        });
        options.put("values", "&useServerPrepStmts=true");
        scenarios.put("values", (c, task) -> {
            execute(c, KEPT,
                    values((byte) 127, (short) 255, (short) 32767, 65535, 2147483647, 4294967295L, Long.MAX_VALUE,
                            new BigDecimal("18446744073709551615"), 1.5f, 1.0e300,
                            new BigDecimal("123456789012345678901234.567891"), "it's €ü 😀", bytes(0, 0xff, 0xfe, 0x80),
                            date(c, "2026-03-04"), java.time.LocalTime.of(23, 59, 59, 123456000),
                            Timestamp.valueOf("2026-03-04 05:06:07.123456")),
                    values((byte) -128, (short) 0, (short) -32768, 0, -2147483648, 0L, Long.MIN_VALUE, BigDecimal.ZERO,
                            -0.25f, -2.5, new BigDecimal("-0.5"), "", bytes(), date(c, "1000-01-01"),
                            java.sql.Time.valueOf("00:00:01"), Timestamp.valueOf("1000-01-01 00:00:00")),
                    new Object[16],
                    values((byte) 1, (short) 2, (short) 3, 4, 5, 6L, 7L, new BigDecimal("8"), 9.5f, 10.25,
                            new BigDecimal("11.125"), "line\nbreak \"quoted\" \\",
                            "plain".getBytes(StandardCharsets.UTF_8),
                            date(c, "2026-12-31"), java.sql.Time.valueOf("12:00:00"),
                            Timestamp.valueOf("2026-12-31 23:59:59")));
        });
        options.put("longdata", "&useServerPrepStmts=true");
        scenarios.put("longdata", (c, task) -> {
            try (PreparedStatement s = c.prepareStatement("INSERT INTO kept (s, x, i32) VALUES (?, ?, ?)")) {
                byte[] x = new byte[40_000];
                for (int i = 0; i < x.length; i += 2) {
                    x[i] = (byte) 0xff;
                }
                s.setCharacterStream(1, new StringReader("abc".repeat(100) + "end"));
                s.setBinaryStream(2, new ByteArrayInputStream(x));
                s.setInt(3, 7);
                s.execute();
                s.setCharacterStream(1, new StringReader("short"));
                s.setBinaryStream(2, new ByteArrayInputStream(bytes(0x80)));
                s.execute();
            }
        });
        options.put("bulk", "&useServerPrepStmts=true&useBulkStmts=true");
        scenarios.put("bulk", (c, task) -> batch(c));
        options.put("pipeline", "&useServerPrepStmts=true&useBulkStmts=false&useBatchMultiSend=true");
        scenarios.put("pipeline", (c, task) -> {
            batch(c);
            try (Statement s = c.createStatement()) {
                for (int i = 0; i < 50; i++) {
                    s.addBatch("INSERT INTO t (v) VALUES ('pipelined " + i + "')");
                }
                s.executeBatch();
            }
        });
        options.put("infile", "&allowLocalInfile=true");
        scenarios.put("infile", (c, task) -> run(c,
                "LOAD DATA LOCAL INFILE '" + task.get("file") + "' INTO TABLE t (v)", "SELECT COUNT(*) FROM t",
                "SELECT 'after'"));
        scenarios.put("errors", (c, task) -> run(c, "SELEC 1", "SELECT * FROM nosuch",
                "INSERT INTO t (id, v) VALUES (1, 'again')", "SELECT nosuch FROM t", "SELECT (SELECT id FROM t)",
                "SELECT 'after'"));
        options.put("errors_multi", "&allowMultiQueries=true");
        scenarios.put("errors_multi", (c, task) -> run(c, "SELECT 1; SELECT * FROM nosuch; SELECT 3",
                "SELECT 1, 2; SELEC 4; SELECT 5", "SELECT 'after'"));
        options.put("errors_prepared", "&useServerPrepStmts=true");
        scenarios.put("errors_prepared", (c, task) -> {
            execute(c, "SELEC ?", values(1));
            execute(c, "SELECT * FROM nosuch WHERE id = ?", values(1));
            execute(c, "INSERT INTO t (id, v) VALUES (?, ?)", values(1, "again"), values(10, "ten"), values(10, "ten"));
            execute(c, "SELECT (SELECT id FROM t WHERE id > ?)", values(2), values(0));
            run(c, "SELECT 'after'");
        });
        scenarios.put("transaction", (c, task) -> {
            c.setAutoCommit(false);
            run(c, "INSERT INTO t (v) VALUES ('t')");
            c.rollback();
            run(c, "INSERT INTO t (v) VALUES ('u')");
            java.sql.Savepoint s = c.setSavepoint("s");
            run(c, "DELETE FROM t");
            c.rollback(s);
            c.commit();
            c.setAutoCommit(true);
            run(c, "START TRANSACTION READ ONLY", "INSERT INTO t (v) VALUES ('v')", "COMMIT");
        });
        scenarios.put("schema", (c, task) -> {
            run(c, "SELECT DATABASE()", "USE information_schema", "SELECT DATABASE()",
                    "USE nosuch_" + task.get("word"));
            c.setCatalog(task.get("database"));
            run(c, "SELECT DATABASE()");
            expectError(() -> {
                c.setCatalog("nosuch_" + task.get("word"));
                return false;
            });
            run(c, "SELECT DATABASE()");
        });
        options.put("reset", "&minPoolSize=1&maxPoolSize=1&useResetConnection=true&useServerPrepStmts=true");
        scenarios.put("kill", (c, task) -> run(c, "SELECT 'before'", task.get("endless"), "SELECT 'after'"));
        options.put("big_result", "&useServerPrepStmts=true");
        scenarios.put("big_result", (c, task) -> {
            run(c, task.get("many"));
            try (Statement s = c.createStatement()) {
                s.setFetchSize(100);
                drain(s, () -> s.execute(task.get("many") + " LIMIT 5000"));
            }
            execute(c, task.get("many") + " LIMIT ?", values(3000));
        });
        scenarios.put("big_text", (c, task) -> run(c, String.format(task.get("measure"), "x".repeat(6000)),
                String.format(task.get("measure"), "y".repeat(1 << 20)), "SELECT 'after'"));
        scenarios.put("huge_text", (c, task) -> run(c, String.format(task.get("measure"), "z".repeat(17 << 20)),
                "SELECT 'after'"));
        options.put("returning", "&useServerPrepStmts=true");
        scenarios.put("returning", (c, task) -> {
            run(c, "INSERT INTO t (v) VALUES ('r'), ('s') RETURNING id, v", "DELETE FROM t WHERE v = 's' RETURNING id",
                    "REPLACE INTO t (id, v) VALUES (1, 'q') RETURNING v");
            execute(c, "INSERT INTO t (v) VALUES (?), (?) RETURNING id", values("a", "b"), values("c", "d"));
        });
        scenarios.put("warnings", (c, task) -> {
            run(c, "SELECT 1/0, CAST('x' AS SIGNED)", "SHOW WARNINGS", "DROP TABLE IF EXISTS nosuch", "SHOW WARNINGS",
                    "SELECT 'none'", "SHOW COUNT(*) WARNINGS", "SELECT CAST('7x' AS SIGNED) FROM t");
            try (Statement s = c.createStatement()) {
                drain(s, () -> s.execute("SELECT 1/0"));
                s.getWarnings();
            }
        });
        options.put("insert_id", "&useServerPrepStmts=true");
        scenarios.put("insert_id", (c, task) -> {
            run(c, "INSERT INTO t (v) VALUES ('i')", "INSERT INTO ids VALUES (LAST_INSERT_ID())",
                    "INSERT INTO t (v) VALUES ('j'), ('k'), ('l')", "INSERT INTO ids VALUES (LAST_INSERT_ID())",
                    "INSERT INTO t (id, v) VALUES (4000000000, 'm')");
            execute(c, "INSERT INTO t (v) VALUES (?)", values("n"));
            run(c, "INSERT INTO ids VALUES (LAST_INSERT_ID())");
        });
        options.put("compression", "&useCompression=true&useServerPrepStmts=true&allowMultiQueries=true");
        scenarios.put("compression", (c, task) -> {
            run(c, task.get("compressed"), task.get("many"),
                    String.format(task.get("measure"), "x".repeat(1 << 20)), "SELECT * FROM nosuch",
                    "SELECT 1; SELECT 2");
            execute(c, "SELECT id, v FROM t WHERE id >= ?", values(1), values(3));
        });
        scenarios.put("commands", (c, task) -> {
            c.isValid(1);
            run(c, "SELECT 'after'");
        });
    }
}
