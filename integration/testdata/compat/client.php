<?php
// The compatibility matrix's mysqli client. It reads one task per line, "key=value" with tabs between, runs the
// scenario that the task names in one connection, and prints a line when that is closed: what went wrong, or nothing.
mysqli_report(MYSQLI_REPORT_OFF);

// drain reads all that a statement has returned.
function drain(mysqli $c): void
{
    while (true) {
        if ($result = $c->store_result()) {
            $result->free();
        }
        if (!$c->more_results() || !$c->next_result()) {
            return;
        }
    }
}

function run(mysqli $c, string ...$statements): void
{
    foreach ($statements as $statement) {
        if ($c->multi_query($statement)) {
            drain($c);
        }
    }
}

// execute prepares a statement, executes it once for each list of values, and reads all that it returns.
function execute(mysqli $c, string $text, string $types, array ...$executions): void
{
    $stmt = $c->prepare($text);
    if (!$stmt) {
        return;
    }
    $values = array_fill(0, strlen($types), null);
    if ($types !== '') {
        $references = [];
        foreach ($values as $i => $_) {
            $references[] = &$values[$i];
        }
        $stmt->bind_param($types, ...$references);
    }
    foreach ($executions as $execution) {
        foreach ($execution as $i => $value) {
            $values[$i] = $value;
        }
        if (!$stmt->execute()) {
            continue;
        }
        do {
            if ($result = $stmt->get_result()) {
                $result->fetch_all();
                $result->free();
            }
        } while ($stmt->more_results() && $stmt->next_result());
    }
    $stmt->close();
}

const KEPT = 'INSERT INTO kept (i8, u8, i16, u16, i32, u32, i64, u64, f, d, n, s, x, da, ti, dt)'
    . ' VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)';

$scenarios = [
    'text' => function (mysqli $c, array $task) {
        run($c, "SELECT '{$task['word']}', '€ü', NULL", 'SELECT * FROM t', 'SELECT * FROM t WHERE id < 0',
            "INSERT INTO t (v) VALUES ('a'), ('b')", "UPDATE t SET v = 'c' WHERE id > 2", 'DELETE FROM t WHERE id = 1',
            'CREATE TABLE made (id INT)', 'SET @a = 1');
    },
    'multi' => function (mysqli $c) {
        run($c, "SELECT 1; INSERT INTO t (v) VALUES ('m'), ('n'); SELECT id, v FROM t; DELETE FROM t WHERE v = 'n'",
            'SET @a = 1; SET @b = 2');
    },
    'call' => function (mysqli $c) {
        run($c, 'CALL sets(2)', "CALL quiet('q')", 'CALL fails()', 'CALL sets(1); CALL sets(2)');
        execute($c, 'CALL sets(?)', 'i', [2], [3]);
    },
    'out' => function (mysqli $c) {
        run($c, 'SET @c = 3', 'CALL outs(20, @b, @c)', 'SELECT @b, @c');
        execute($c, 'CALL outs(?, ?, ?)', 'iii', [20, 0, 3], [21, 0, 4]);
    },
    'prepared' => function (mysqli $c) {
        execute($c, 'SELECT id, v FROM t WHERE id >= ? AND v <> ?', 'is', [2, 'x'], [1, 'two'], [9, 'y']);
        execute($c, 'SELECT * FROM t', '', []);
        execute($c, 'INSERT INTO t (v) VALUES (?), (?)', 'ss', ['p', 'q'], [null, 'r']);
        execute($c, 'UPDATE t SET v = ? WHERE id > ?', 'sd', ['s', 1.5]);
        execute($c, 'SELECT 1 / ?', 'i', [0]);
    },
    'values' => function (mysqli $c) {
        execute($c, KEPT, 'iiiiiiisddssssss',
            [127, 255, 32767, 65535, 2147483647, 4294967295, PHP_INT_MAX, '18446744073709551615', 1.5, 1.0e300,
                '123456789012345678901234.567891', "it's €ü 😀", "\x00\xff\xfe\x80", '2026-03-04', '838:59:59',
                '2026-03-04 05:06:07.123456'],
            [-128, 0, -32768, 0, -2147483648, 0, PHP_INT_MIN, '0', -0.25, -2.5, '-0.5', '', '',
                '1000-01-01', '-838:59:59',
                '1000-01-01 00:00:00'],
            array_fill(0, 16, null),
            [1, 2, 3, 4, 5, 6, 7, '8', 9.5, 10.25, '11.125', "line\nbreak \"quoted\" \\", 'plain', '2026-12-31',
                '-00:00:01.5', '2026-12-31 23:59:59']);
    },
    'longdata' => function (mysqli $c) {
        $stmt = $c->prepare('INSERT INTO kept (s, x, i32) VALUES (?, ?, ?)');
        $s = $x = null;
        $i = 7;
        $stmt->bind_param('bbi', $s, $x, $i);
        $stmt->send_long_data(0, str_repeat('abc', 100));
        $stmt->send_long_data(1, str_repeat("\xff\x00", 2000));
        $stmt->send_long_data(0, 'end');
        $stmt->execute();
        $stmt->send_long_data(0, 'short');
        $stmt->send_long_data(1, "\x80");
        $stmt->execute();
        $stmt->send_long_data(0, 'forgotten');
        $stmt->reset();
        $stmt->send_long_data(0, 'kept');
        $stmt->execute();
        $stmt->close();
    },
    'cursor' => function (mysqli $c) {
        $stmt = $c->prepare('SELECT id, v FROM t WHERE id >= ?');
        $stmt->attr_set(MYSQLI_STMT_ATTR_CURSOR_TYPE, MYSQLI_CURSOR_TYPE_READ_ONLY);
        $stmt->attr_set(MYSQLI_STMT_ATTR_PREFETCH_ROWS, 2);
        $least = 1;
        $stmt->bind_param('i', $least);
        foreach ([1, 2, 9] as $least) {
            $stmt->execute();
            $stmt->bind_result($id, $v);
            while ($stmt->fetch()) {
            }
        }
        $stmt->close();
    },
    'infile' => function (mysqli $c, array $task) {
        run($c, "LOAD DATA LOCAL INFILE '{$task['file']}' INTO TABLE t (v)", 'SELECT COUNT(*) FROM t');
        // A file that is not there is sent as an empty one, with a warning of PHP's.
        @run($c, "LOAD DATA LOCAL INFILE '{$task['file']}.missing' INTO TABLE t (v)");
        run($c, "SELECT 'after'");
    },
    'errors' => function (mysqli $c) {
        run($c, 'SELEC 1', 'SELECT * FROM nosuch', "INSERT INTO t (id, v) VALUES (1, 'again')", 'SELECT nosuch FROM t',
            'SELECT (SELECT id FROM t)', "SELECT 'after'");
    },
    'errors_multi' => function (mysqli $c) {
        run($c, 'SELECT 1; SELECT * FROM nosuch; SELECT 3', 'SELECT 1, 2; SELEC 4; SELECT 5', "SELECT 'after'");
    },
    'errors_prepared' => function (mysqli $c) {
        execute($c, 'SELEC ?', 'i', [1]);
        execute($c, 'SELECT * FROM nosuch WHERE id = ?', 'i', [1]);
        execute($c, 'INSERT INTO t (id, v) VALUES (?, ?)', 'is', [1, 'again'], [10, 'ten'], [10, 'ten']);
        execute($c, 'SELECT (SELECT id FROM t WHERE id > ?)', 'i', [2], [0]);
        run($c, "SELECT 'after'");
    },
    'transaction' => function (mysqli $c) {
        $c->begin_transaction();
        run($c, "INSERT INTO t (v) VALUES ('t')");
        $c->rollback();
        $c->autocommit(false);
        run($c, "INSERT INTO t (v) VALUES ('u')");
        $c->savepoint('s');
        run($c, 'DELETE FROM t', 'ROLLBACK TO s');
        $c->commit();
        $c->autocommit(true);
        $c->begin_transaction(MYSQLI_TRANS_START_READ_ONLY, 'named');
        run($c, "INSERT INTO t (v) VALUES ('v')");
        $c->commit();
    },
    'schema' => function (mysqli $c, array $task) {
        run($c, 'SELECT DATABASE()', 'USE information_schema', 'SELECT DATABASE()', "USE nosuch_{$task['word']}");
        $c->select_db($task['database']);
        run($c, 'SELECT DATABASE()');
        $c->select_db("nosuch_{$task['word']}");
        run($c, 'SELECT DATABASE()');
    },
    'change_user' => function (mysqli $c, array $task) {
        $stmt = $c->prepare('SELECT ?');
        run($c, 'SELECT CURRENT_USER()');
        $c->change_user($task['other_user'], $task['other_password'], $task['database']);
        run($c, 'SELECT CURRENT_USER()', "SET NAMES latin1");
        $c->change_user($task['user'], $task['password'], $task['database']);
        run($c, 'SELECT CURRENT_USER()');
        $stmt->close();
        $c->change_user($task['other_user'], 'wrong', $task['database']); // the server ends the connection
    },
    'kill' => function (mysqli $c, array $task) {
        run($c, "SELECT 'before'", $task['endless'], "SELECT 'after'");
    },
    'big_result' => function (mysqli $c, array $task) {
        run($c, $task['many']);
        $result = $c->query($task['many'] . ' LIMIT 5000', MYSQLI_USE_RESULT);
        while ($result->fetch_row()) {
        }
        $result->free();
        execute($c, $task['many'] . ' LIMIT ?', 'i', [3000]);
    },
    'big_text' => function (mysqli $c, array $task) {
        run($c, sprintf($task['measure'], str_repeat('x', 6000)), sprintf($task['measure'], str_repeat('y', 1 << 20)),
            "SELECT 'after'");
    },
    'huge_text' => function (mysqli $c, array $task) {
        run($c, sprintf($task['measure'], str_repeat('z', 17 << 20)), "SELECT 'after'");
    },
    'returning' => function (mysqli $c) {
        run($c, "INSERT INTO t (v) VALUES ('r'), ('s') RETURNING id, v", "DELETE FROM t WHERE v = 's' RETURNING id",
            "REPLACE INTO t (id, v) VALUES (1, 'q') RETURNING v");
        execute($c, 'INSERT INTO t (v) VALUES (?), (?) RETURNING id', 'ss', ['a', 'b'], ['c', 'd']);
    },
    'warnings' => function (mysqli $c) {
        run($c, "SELECT 1/0, CAST('x' AS SIGNED)", 'SHOW WARNINGS', 'DROP TABLE IF EXISTS nosuch', 'SHOW WARNINGS',
            "SELECT 'none'", 'SHOW COUNT(*) WARNINGS', "SELECT CAST('7x' AS SIGNED) FROM t");
        $c->query('SELECT 1/0');
        $c->get_warnings();
    },
    'insert_id' => function (mysqli $c) {
        run($c, "INSERT INTO t (v) VALUES ('i')", 'INSERT INTO ids VALUES (LAST_INSERT_ID())',
            "INSERT INTO t (v) VALUES ('j'), ('k'), ('l')", 'INSERT INTO ids VALUES (LAST_INSERT_ID())',
            "INSERT INTO t (id, v) VALUES (4000000000, 'm')");
        execute($c, 'INSERT INTO t (v) VALUES (?)', 's', ['n']);
        run($c, 'INSERT INTO ids VALUES (LAST_INSERT_ID())');
    },
    'latin1' => function (mysqli $c) {
        $c->set_charset('latin1');
        run($c, "INSERT INTO t (v) VALUES ('\xe9')", "INSERT INTO t (v) VALUES ('\xff\xdf')",
            "SELECT v FROM t WHERE v = '\xe9'");
        execute($c, 'INSERT INTO kept (s) VALUES (?)', 's', ["\xe9t\xe9"], ["\x80"]);
        execute($c, "INSERT INTO kept (s) VALUES (?) /* \xe9 */", 's', ["\xe9"]);
    },
    'names' => function (mysqli $c) {
        run($c, "INSERT INTO t (v) VALUES ('é')", 'SET NAMES latin1', "INSERT INTO t (v) VALUES ('\xe9\xe0')",
            'SET NAMES utf8mb4', "INSERT INTO t (v) VALUES ('ü€')");
    },
    'compression' => function (mysqli $c, array $task) {
        run($c, $task['compressed'], $task['many'], sprintf($task['measure'], str_repeat('x', 1 << 20)),
            'SELECT * FROM nosuch', 'SELECT 1; SELECT 2');
        execute($c, 'SELECT id, v FROM t WHERE id >= ?', 'i', [1], [3]);
    },
    'commands' => function (mysqli $c) {
        $c->ping();
        $c->stat();
        $c->refresh(MYSQLI_REFRESH_LOG);
        $c->kill(4294967295);
        $c->dump_debug_info();
        $c->options(MYSQLI_OPT_INT_AND_FLOAT_NATIVE, 1);
        $stmt = $c->prepare('SELECT ?');
        $stmt->reset();
        $stmt->close();
        run($c, "SELECT 'after'");
    },
];

while (($line = fgets(STDIN)) !== false) {
    $task = [];
    foreach (explode("\t", rtrim($line, "\n")) as $field) {
        [$key, $value] = explode('=', $field, 2);
        $task[$key] = $value;
    }
    $answer = '';
    try {
        $c = mysqli_init();
        $c->options(MYSQLI_OPT_LOCAL_INFILE, 1);
        $c->options(MYSQLI_SET_CHARSET_NAME, 'utf8mb4');
        $flags = $task['scenario'] === 'compression' ? MYSQLI_CLIENT_COMPRESS : 0;
        if (!$c->real_connect($task['host'], $task['user'], $task['password'], $task['database'],
            (int) $task['port'], null, $flags)) {
            throw new Exception($c->connect_error);
        }
        $scenarios[$task['scenario']]($c, $task);
        $c->close();
    } catch (Throwable $error) { // whatever it is, the test tells it
        $answer = get_class($error) . ': ' . $error->getMessage();
    }
    echo str_replace("\n", ' ', $answer), "\n";
}
