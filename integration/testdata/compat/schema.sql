-- What each scenario of the compatibility matrix finds in its schema. db stands for its name.
CREATE TABLE db.t (id INT UNSIGNED PRIMARY KEY AUTO_INCREMENT, v VARCHAR(100)) DEFAULT CHARSET utf8mb4;
INSERT INTO db.t (v) VALUES ('one'), ('two'), ('three');
-- What the server has understood of a parameter, for each type.
CREATE TABLE db.kept (id INT PRIMARY KEY AUTO_INCREMENT,
	i8 TINYINT, u8 TINYINT UNSIGNED, i16 SMALLINT, u16 SMALLINT UNSIGNED, i32 INT, u32 INT UNSIGNED,
	i64 BIGINT, u64 BIGINT UNSIGNED, f FLOAT, d DOUBLE, n DECIMAL(30, 6), s LONGTEXT, x LONGBLOB,
	da DATE, ti TIME(6), dt DATETIME(6)) DEFAULT CHARSET utf8mb4;
CREATE TABLE db.lengths (n BIGINT);
CREATE TABLE db.ids (n BIGINT UNSIGNED);
CREATE TABLE db.attributes (name VARCHAR(40), value TEXT) DEFAULT CHARSET utf8mb4;
CREATE PROCEDURE db.sets(IN a INT) BEGIN SELECT id, v FROM t WHERE id <= a; SELECT 'last'; END;
CREATE PROCEDURE db.quiet(IN a TEXT) BEGIN INSERT INTO t (v) VALUES (a), (a); UPDATE t SET v = 'quiet' WHERE v = a; END;
CREATE PROCEDURE db.fails() BEGIN SELECT 'before'; SELECT * FROM nosuch; SELECT 'never'; END;
CREATE PROCEDURE db.outs(IN a INT, OUT b INT, INOUT c INT) BEGIN SET b = a + 1, c = c * a; SELECT a; END;
