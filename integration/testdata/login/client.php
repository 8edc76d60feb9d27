<?php
// The login matrix's mysqli client. It reads one task per line, "key=value" with tabs between, logs in once for each,
// and prints a line of what it was told, with tabs between: first the facts of the session, or why there is none.
mysqli_report(MYSQLI_REPORT_OFF);

function text(array $rows): string
{
    return implode(', ', array_map(fn ($row) => implode('|', array_map(fn ($v) => $v ?? 'NULL', $row)), $rows));
}

function session(array $task): array
{
    $c = mysqli_init();
    $flags = 0;
    if ($task['tls'] !== '') {
        $flags = MYSQLI_CLIENT_SSL | ($task['tls'] === 'any' ? MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT : 0);
        $c->ssl_set(null, null, $task['tls'] === 'any' ? null : $task['tls'], null, null);
    }
    $host = $task['socket'] === '' ? $task['host'] : 'localhost'; // by which name mysqli means the socket
    // What goes wrong besides the server's refusal, it tells as PHP's warnings.
    $warnings = [];
    set_error_handler(function ($level, $message) use (&$warnings) {
        $warnings[] = preg_replace('/PID=\d+/', 'PID', $message);
        return true;
    });
    if (!$c->real_connect($host, $task['user'], $task['password'], $task['database'], (int) $task['port'],
        $task['socket'], $flags)) {
        return ["$c->connect_errno: $c->connect_error (" . implode('; ', $warnings) . ')'];
    }
    $told = [];
    $run = function (string $statement) use ($c, &$told) {
        $result = $c->query($statement);
        $told[] = match (true) {
            $result === false => "$c->errno ($c->sqlstate): $c->error",
            $result === true => "$c->affected_rows affected",
            default => text($result->fetch_all()),
        };
    };
    $run($task['facts']);
    $run($task['rows']);
    $stmt = $c->prepare($task['prepared']);
    foreach ([1, 2] as $id) {
        $stmt->bind_param('i', $id);
        $stmt->execute();
        $told[] = text($stmt->get_result()->fetch_all());
    }
    $stmt->close();
    $run($task['error']);
    $c->begin_transaction();
    $run($task['insert']);
    $run($task['count']);
    $c->rollback();
    $run($task['count']);
    $c->select_db('information_schema');
    $run('SELECT DATABASE()');
    $run('USE ' . $task['database']);
    $run('SELECT DATABASE()');
    if (!$c->change_user($task['other_user'], $task['other_password'], $task['other_database'])) {
        $told[] = "change of user: $c->errno ($c->sqlstate): $c->error (" . implode('; ', $warnings) . ')';
        return $told; // the server has ended the session
    }
    $run('SELECT CURRENT_USER(), DATABASE(), @@character_set_client');
    $c->close();
    return $told;
}

while (($line = fgets(STDIN)) !== false) {
    $task = [];
    foreach (explode("\t", rtrim($line, "\n")) as $field) {
        [$key, $value] = explode('=', $field, 2);
        $task[$key] = $value;
    }
    echo implode("\t", str_replace(["\t", "\n"], ' ', session($task))), "\n";
}
