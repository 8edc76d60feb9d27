// The login matrix's MariaDB Connector/J client. It reads one task per line, "key=value" with tabs between, logs in
// once for each, and prints a line of what it was told, with tabs between: first the facts of the session, or why
// there is none.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

public class Client {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line; (line = in.readLine()) != null;) {
            Map<String, String> task = new HashMap<>();
            for (String field : line.split("\t")) {
                int i = field.indexOf('=');
                task.put(field.substring(0, i), field.substring(i + 1));
            }
            List<String> told = new ArrayList<>();
            try (Connection c = DriverManager.getConnection(url(task))) {
                session(c, task, told);
            } catch (SQLException e) {
                told.add(text(e));
            } catch (RuntimeException | LinkageError e) { // what the driver makes of a unix socket, without JNA
                told.add(e.toString());
            }
            for (int i = 0; i < told.size(); i++) {
                told.set(i, told.get(i).replace('\t', ' ').replace('\n', ' '));
            }
            out.println(String.join("\t", told));
        }
    }

    static String url(Map<String, String> task) {
        String url = "jdbc:mariadb://" + task.get("host") + ":" + task.get("port") + "/" + task.get("database") + "?user="
                + task.get("user") + "&password=" + task.get("password") + "&useServerPrepStmts=true&allowPublicKeyRetrieval=true";
        if (!task.get("socket").isEmpty()) {
            url += "&localSocket=" + task.get("socket");
        }
        switch (task.get("tls")) {
            case "":
                return url;
            case "any":
                return url + "&useSsl=true&trustServerCertificate=true";
            default:
                return url + "&useSsl=true&serverSslCert=" + task.get("tls");
        }
    }

    static String text(SQLException e) {
        return e.getErrorCode() + " (" + e.getSQLState() + "): " + e.getMessage();
    }

    static String text(ResultSet r) throws SQLException {
        List<String> rows = new ArrayList<>();
        while (r.next()) {
            List<String> values = new ArrayList<>();
            for (int i = 1; i <= r.getMetaData().getColumnCount(); i++) {
                values.add(r.getString(i) == null ? "NULL" : r.getString(i));
            }
            rows.add(String.join("|", values));
        }
        return String.join(", ", rows);
    }

    static void session(Connection c, Map<String, String> task, List<String> told) throws SQLException {
        run(c, told, task.get("facts"));
        run(c, told, task.get("rows"));
        try (PreparedStatement s = c.prepareStatement(task.get("prepared"))) {
            for (int id = 1; id <= 2; id++) {
                s.setInt(1, id);
                told.add(text(s.executeQuery()));
            }
        }
        run(c, told, task.get("error"));
        if (task.get("cancel").equals("true")) {
            cancel(c, told);
        }
        c.setAutoCommit(false);
        run(c, told, task.get("insert"));
        run(c, told, task.get("count"));
        c.rollback();
        c.setAutoCommit(true);
        run(c, told, task.get("count"));
        c.setCatalog("information_schema");
        run(c, told, "SELECT DATABASE()");
        run(c, told, "USE " + task.get("database"));
        run(c, told, "SELECT DATABASE()");
        c.isValid(10);
    }

    /** Cancels a statement: the driver logs in once more, to kill it. */
    static void cancel(Connection c, List<String> told) throws SQLException {
        try (Statement s = c.createStatement()) {
            Thread canceller = new Thread(() -> {
                try {
                    while (true) { // it may not have begun
                        Thread.sleep(20);
                        s.cancel();
                    }
                } catch (InterruptedException e) {
                    return;
                } catch (SQLException e) {
                    told.add(text(e));
                }
            });
            canceller.start();
            try {
                s.execute("SELECT SLEEP(20)");
                told.add("not cancelled");
            } catch (SQLException e) {
                told.add(text(e));
            } finally {
                canceller.interrupt();
            }
            try {
                canceller.join();
            } catch (InterruptedException e) {
                told.add(e.toString());
            }
        }
    }

    static void run(Connection c, List<String> told, String statement) {
        try (Statement s = c.createStatement()) {
            told.add(s.execute(statement) ? text(s.getResultSet()) : s.getUpdateCount() + " affected");
        } catch (SQLException e) {
            told.add(text(e));
        }
    }
}
