# The login matrix's PyMySQL client. It reads one task per line, "key=value" with tabs between, logs in once for each,
# and prints a line of what it was told, with tabs between: first the facts of the session, or why there is none.
import ssl
import sys

import pymysql


def text(rows):
    return ", ".join("|".join("NULL" if v is None else str(v) for v in row) for row in rows)


def session(task, told):
    options = {"unix_socket": task["socket"]} if task["socket"] else {"host": task["host"], "port": int(task["port"])}
    if task["tls"] == "any":
        options["ssl"] = {"verify_mode": "none", "check_hostname": False}
    elif task["tls"]:
        options["ssl"] = {"ca": task["tls"], "verify_mode": "required", "check_hostname": True}
    try:
        c = pymysql.connect(user=task["user"], password=task["password"], database=task["database"], autocommit=True, **options)
    except Exception as error:
        told.append("%s: %s" % (type(error).__name__, error))
        return
    cursor = c.cursor()

    def run(statement, *values):
        try:
            cursor.execute(statement, values or None)
            told.append(text(cursor.fetchall()))
        except pymysql.MySQLError as error:
            told.append("%s: %s" % (type(error).__name__, error))

    run(task["facts"])
    if not task["socket"]:
        told[0] += "|%s:%d" % c._sock.getsockname()
    run(task["rows"])
    run("PREPARE s FROM '%s'" % task["prepared"])
    run("SET @v = 1")
    run("EXECUTE s USING @v")
    run(task["error"])
    c.begin()
    run(task["insert"])
    run(task["count"])
    c.rollback()
    run(task["count"])
    c.select_db("information_schema")
    run("SELECT DATABASE()")
    run("USE " + task["database"])
    run("SELECT DATABASE()")
    c.ping(reconnect=False)
    c.close()


for line in sys.stdin:
    told = []
    session(dict(field.split("=", 1) for field in line.rstrip("\n").split("\t")), told)
    print("\t".join(t.replace("\t", " ").replace("\n", " ") for t in told), flush=True)
