# The compatibility matrix's PyMySQL client. It reads one task per line, "key=value" with tabs between, runs the
# scenario that the task names in one connection, and prints a line when that is closed: what went wrong, or nothing.
import sys

import pymysql
from pymysql.constants import CLIENT, COMMAND


def connect(task, **options):
    return pymysql.connect(
        host=task["host"], port=int(task["port"]), user=task["user"], password=task["password"],
        database=task["database"], charset=options.pop("charset", "utf8mb4"), max_allowed_packet=64 << 20,
        autocommit=True, **options)


def run(cursor, *statements):
    """Runs statements, reads all that they return, and goes on after the server's errors."""
    for statement in statements:
        try:
            cursor.execute(statement)
            while True:
                cursor.fetchall()
                if not cursor.nextset():
                    break
        except pymysql.MySQLError as error:
            if error.args[0] >= 2000 and error.args[0] < 3000:  # the client's own errors
                raise


def text(c, task):
    run(c.cursor(), "SELECT 'w', '€ü', NULL".replace("w", task["word"]), "SELECT * FROM t",
        "SELECT * FROM t WHERE id < 0", "INSERT INTO t (v) VALUES ('a'), ('b')", "UPDATE t SET v = 'c' WHERE id > 2",
        "DELETE FROM t WHERE id = 1",
        "CREATE TABLE made (id INT)", "SET @a = 1")
    c.cursor().executemany("INSERT INTO t (v) VALUES (%s)", [("x",), ("y'",), (None,)])


def multi(c, task):
    run(c.cursor(), "SELECT 1; INSERT INTO t (v) VALUES ('m'), ('n'); SELECT id, v FROM t; DELETE FROM t WHERE v = 'n'",
        "SET @a = 1; SET @b = 2")


def call(c, task):
    cursor = c.cursor()
    run(cursor, "CALL sets(2)", "CALL quiet('q')", "CALL fails()")
    cursor.callproc("sets", (3,))
    while cursor.nextset():
        pass


def out(c, task):
    cursor = c.cursor()
    cursor.callproc("outs", (20, 0, 3))
    while cursor.nextset():
        pass
    run(cursor, "SELECT @_outs_0, @_outs_1, @_outs_2")


def infile(c, task):
    run(c.cursor(), "LOAD DATA LOCAL INFILE '%s' INTO TABLE t (v)" % task["file"], "SELECT COUNT(*) FROM t",
        "LOAD DATA LOCAL INFILE '%s.missing' INTO TABLE t (v)" % task["file"], "SELECT 'after'")


def errors(c, task):
    run(c.cursor(), "SELEC 1", "SELECT * FROM nosuch", "INSERT INTO t (id, v) VALUES (1, 'again')",
        "SELECT nosuch FROM t", "SELECT (SELECT id FROM t)", "SELECT 'after'")


def errors_multi(c, task):
    run(c.cursor(), "SELECT 1; SELECT * FROM nosuch; SELECT 3", "SELECT 1, 2; SELEC 4; SELECT 5", "SELECT 'after'")


def transaction(c, task):
    cursor = c.cursor()
    c.begin()
    run(cursor, "INSERT INTO t (v) VALUES ('t')")
    c.rollback()
    c.autocommit(False)
    run(cursor, "INSERT INTO t (v) VALUES ('u')", "SAVEPOINT s", "DELETE FROM t", "ROLLBACK TO s")
    c.commit()
    c.autocommit(True)
    run(cursor, "START TRANSACTION READ ONLY", "INSERT INTO t (v) VALUES ('v')", "COMMIT")


def schema(c, task):
    run(c.cursor(), "SELECT DATABASE()", "USE information_schema", "SELECT DATABASE()", "USE nosuch_" + task["word"])
    c.select_db(task["database"])
    run(c.cursor(), "SELECT DATABASE()")
    try:
        c.select_db("nosuch_" + task["word"])
    except pymysql.MySQLError:
        pass
    run(c.cursor(), "SELECT DATABASE()")


def kill(c, task):
    run(c.cursor(), "SELECT 'before'", task["endless"], "SELECT 'after'")


def big_result(c, task):
    run(c.cursor(), task["many"])
    cursor = c.cursor(pymysql.cursors.SSCursor)
    run(cursor, task["many"] + " LIMIT 5000")


def big_text(c, task):
    run(c.cursor(), task["measure"] % ("x" * 6000), task["measure"] % ("y" * (1 << 20)), "SELECT 'after'")


def huge_text(c, task):
    run(c.cursor(), task["measure"] % ("z" * (17 << 20)), "SELECT 'after'")


def returning(c, task):
    run(c.cursor(), "INSERT INTO t (v) VALUES ('r'), ('s') RETURNING id, v", "DELETE FROM t WHERE v = 's' RETURNING id",
        "REPLACE INTO t (id, v) VALUES (1, 'q') RETURNING v")


def warnings(c, task):
    run(c.cursor(), "SELECT 1/0, CAST('x' AS SIGNED)", "SHOW WARNINGS", "DROP TABLE IF EXISTS nosuch", "SHOW WARNINGS",
        "SELECT 'none'", "SHOW COUNT(*) WARNINGS", "SELECT CAST('7x' AS SIGNED) FROM t")


def insert_id(c, task):
    run(c.cursor(), "INSERT INTO t (v) VALUES ('i')", "INSERT INTO ids VALUES (LAST_INSERT_ID())",
        "INSERT INTO t (v) VALUES ('j'), ('k'), ('l')", "INSERT INTO ids VALUES (LAST_INSERT_ID())",
        "INSERT INTO t (id, v) VALUES (4000000000, 'm')")


def latin1(c, task):
    run(c.cursor(), "INSERT INTO t (v) VALUES ('é')", "INSERT INTO t (v) VALUES ('ÿß')",
        "SELECT v FROM t WHERE v = 'é'")


def names(c, task):
    run(c.cursor(), "INSERT INTO t (v) VALUES ('é')", "SET NAMES latin1")
    c.query("INSERT INTO t (v) VALUES ('éà')".encode("latin1"))
    run(c.cursor(), "SET NAMES utf8mb4", "INSERT INTO t (v) VALUES ('ü€')")


def commands(c, task):
    c.ping(reconnect=False)
    try:
        c.kill(4294967295)
    except pymysql.MySQLError:
        pass
    for command in (COMMAND.COM_STATISTICS, COMMAND.COM_DEBUG, COMMAND.COM_SET_OPTION, COMMAND.COM_CREATE_DB):
        c._execute_command(command, b"\0\0" if command == COMMAND.COM_SET_OPTION else b"")
        try:
            c._read_packet()
        except pymysql.MySQLError:
            pass
    run(c.cursor(), "SELECT 'after'")


OPTIONS = {
    "multi": {"client_flag": CLIENT.MULTI_STATEMENTS},
    "errors_multi": {"client_flag": CLIENT.MULTI_STATEMENTS},
    "infile": {"local_infile": True},
    "latin1": {"charset": "latin1"},
}

for line in sys.stdin:
    task = dict(field.split("=", 1) for field in line.rstrip("\n").split("\t"))
    answer = ""
    try:
        connection = connect(task, **OPTIONS.get(task["scenario"], {}))
        globals()[task["scenario"]](connection, task)
        connection.close()
    except Exception as error:  # whatever it is, the test tells it
        answer = "%s: %s" % (type(error).__name__, error)
    print(answer.replace("\n", " "), flush=True)
