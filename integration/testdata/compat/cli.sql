-- What the command line clients do in each scenario of the compatibility matrix. The test replaces @words@.

-- scenario: text
SELECT '@word@', '€ü', NULL;
SELECT * FROM t;
SELECT * FROM t WHERE id < 0;
INSERT INTO t (v) VALUES ('a'), ('b');
UPDATE t SET v = 'c' WHERE id > 2;
DELETE FROM t WHERE id = 1;
CREATE TABLE made (id INT);
SET @a = 1;

-- scenario: multi
DELIMITER //
SELECT 1; INSERT INTO t (v) VALUES ('m'), ('n'); SELECT id, v FROM t; DELETE FROM t WHERE v = 'n'//
SET @a = 1; SET @b = 2//

-- scenario: call
CALL sets(2);
CALL quiet('q');
CALL fails();
DELIMITER //
CALL sets(1); CALL sets(2)//

-- scenario: out
SET @c = 3;
CALL outs(20, @b, @c);
SELECT @b, @c;

-- scenario: infile
LOAD DATA LOCAL INFILE '@file@' INTO TABLE t (v);
SELECT COUNT(*) FROM t;
LOAD DATA LOCAL INFILE '@file@.missing' INTO TABLE t (v);
SELECT 'after';

-- scenario: errors
SELEC 1;
SELECT * FROM nosuch;
INSERT INTO t (id, v) VALUES (1, 'again');
SELECT nosuch FROM t;
SELECT (SELECT id FROM t);
SELECT 'after';

-- scenario: errors_multi
DELIMITER //
SELECT 1; SELECT * FROM nosuch; SELECT 3//
SELECT 1, 2; SELEC 4; SELECT 5//
SELECT 'after'//

-- scenario: transaction
BEGIN;
INSERT INTO t (v) VALUES ('t');
ROLLBACK;
SET autocommit = 0;
INSERT INTO t (v) VALUES ('u');
SAVEPOINT s;
DELETE FROM t;
ROLLBACK TO s;
COMMIT;
SET autocommit = 1;
START TRANSACTION READ ONLY;
INSERT INTO t (v) VALUES ('v');
COMMIT;

-- scenario: schema
SELECT DATABASE();
USE information_schema
SELECT DATABASE();
USE nosuch_@word@
USE @database@
SELECT DATABASE();

-- scenario: reset
SET @a = 1;
USE information_schema
resetconnection
SELECT @a, DATABASE();

-- scenario: kill
SELECT 'before';
@endless@;
SELECT 'after';

-- scenario: big_result
@many@;
@many@ LIMIT 5000;

-- scenario: big_text
@measure 6000@;
@measure 1048576@;
SELECT 'after';

-- scenario: huge_text
@measure 17825792@;
SELECT 'after';

-- scenario: returning
INSERT INTO t (v) VALUES ('r'), ('s') RETURNING id, v;
DELETE FROM t WHERE v = 's' RETURNING id;
REPLACE INTO t (id, v) VALUES (1, 'q') RETURNING v;

-- scenario: warnings
SELECT 1/0, CAST('x' AS SIGNED);
SHOW WARNINGS;
DROP TABLE IF EXISTS nosuch;
SHOW WARNINGS;
SELECT 'none';
SHOW COUNT(*) WARNINGS;
SELECT CAST('7x' AS SIGNED) FROM t;

-- scenario: insert_id
INSERT INTO t (v) VALUES ('i');
INSERT INTO ids VALUES (LAST_INSERT_ID());
INSERT INTO t (v) VALUES ('j'), ('k'), ('l');
INSERT INTO ids VALUES (LAST_INSERT_ID());
INSERT INTO t (id, v) VALUES (4000000000, 'm');

-- scenario: latin1
INSERT INTO t (v) VALUES ('@latin1 é@');
INSERT INTO t (v) VALUES ('@latin1 ÿß@');
SELECT v FROM t WHERE v = '@latin1 é@';

-- scenario: names
INSERT INTO t (v) VALUES ('é');
SET NAMES latin1;
INSERT INTO t (v) VALUES ('@latin1 éà@');
SET NAMES utf8mb4;
INSERT INTO t (v) VALUES ('ü€');

-- scenario: compression
@compressed@;
@many@;
@measure 1048576@;
SELECT * FROM nosuch;
DELIMITER //
SELECT 1; SELECT 2//

-- scenario: zstd
@compressed@;
@many@;
@measure 1048576@;
SELECT * FROM nosuch;
DELIMITER //
SELECT 1; SELECT 2//

-- scenario: attributes
query_attributes traceparent 00-@word@-01 kind 'a b'
INSERT INTO attributes VALUES ('traceparent', mysql_query_attribute_string('traceparent')),
	('kind', mysql_query_attribute_string('kind'));
SELECT 'none';
query_attributes long @x 300@
INSERT INTO attributes VALUES ('long', mysql_query_attribute_string('long'));

-- scenario: commands
status
SELECT 'after';
