#!/bin/sh
# Prints what a MySQL or MariaDB server makes of all characters of its character sets, for
# TestCharsetsLikeServer. Use: make.sh set... -- client options
#
#   make.sh latin1 latin2 latin5 latin7 greek hebrew cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 koi8r koi8u \
#     macroman tis620 big5 gbk gb2312 sjis cp932 euckr ujis eucjpms -- -uroot mysql >mariadb-10.11.19.txt
#   make.sh gb18030 -- -uroot mysql >mysql-9.7.4.txt
#
# MySQL 9.7.4 gives the same for the sets of the first line, but that its eucjpms drops a first byte without its second.
#
# A set of one byte has a line per 16 bytes: the set, the first byte, the code points, - for an undefined one.
# The others have a line per 256 sequences: the set, their first bytes, the CRC-32 of their texts in UTF-8 in
# order, each - where the server finds it malformed or undefined. All sequences of two bytes are in it; of
# those of three, what begins with 8f (ujis, eucjpms); of those of four, the forms that gb18030 has, by
# their first byte.
sets=
while [ "$1" != -- ]; do
	sets="$sets $1"
	shift
done
shift

bytes='WITH RECURSIVE b(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM b WHERE n < 255)'
# A server that cannot convert a text gives NULL or question marks, or U+FFFD from its own table.
text="IFNULL(CONVERT(CONVERT(s USING @) USING utf8mb4), '-') t"
bad="LOCATE(_utf8mb4 0xEFBFBD, t) OR LENGTH(t) - LENGTH(REPLACE(t, '?', '')) > LENGTH(s) - LENGTH(REPLACE(s, '?', ''))"

query() {
	set="$1"
	shift
	sql="SET SESSION group_concat_max_len = 1000000, NAMES utf8mb4; $(cat)"
	echo "$sql" | sed "s/@/$set/g" | mariadb --no-defaults -N -B "$@"
}

# sums SEQUENCES KEY
sums() {
	echo "$bytes, r AS (SELECT $2 k, s, $text FROM ($1) c)
	SELECT CONCAT_WS(' ', '@', LOWER(HEX(k)),
		LPAD(LOWER(HEX(CRC32(GROUP_CONCAT(IF($bad, '-', t) ORDER BY s SEPARATOR '')))), 8, '0'))
	FROM r GROUP BY k ORDER BY k"
}

mariadb --no-defaults -N -B -e "SELECT CONCAT('# What the server ', VERSION(), ' makes of characters; make.sh tells how to read and remake it.')" "$@"
for set in $sets; do
	case $set in
	big5 | gbk | gb2312 | sjis | cp932 | euckr | ujis | eucjpms | gb18030)
		sums 'SELECT CONCAT(CHAR(a.n), CHAR(b.n)) s FROM b a, b' 'SUBSTR(s, 1, 1)' | query $set "$@"
		;;
	*)
		echo "$bytes, r AS (SELECT n, s, $text FROM (SELECT n, CHAR(n) s FROM b) c)
		SELECT CONCAT_WS(' ', '@', LOWER(HEX(MIN(n))), GROUP_CONCAT(
			IF($bad, '-', LOWER(TRIM(LEADING '0' FROM HEX(CONVERT(t USING utf32))))) ORDER BY n SEPARATOR ' '))
		FROM r WHERE n >= 128 GROUP BY n DIV 16 ORDER BY MIN(n)" | query $set "$@"
		;;
	esac
	case $set in
	ujis | eucjpms)
		sums "SELECT CONCAT(x'8f', CHAR(a.n), CHAR(b.n)) s FROM b a, b" 'SUBSTR(s, 1, 2)' | query $set "$@"
		;;
	gb18030)
		sums 'SELECT CONCAT(CHAR(a.n), CHAR(b.n), CHAR(c.n), CHAR(d.n)) s FROM b a, b, b c, b d
			WHERE a.n BETWEEN 129 AND 254 AND b.n BETWEEN 48 AND 57 AND c.n BETWEEN 129 AND 254 AND d.n BETWEEN 48 AND 57' \
			"CONCAT(SUBSTR(s, 1, 1), '0')" | query $set "$@"
		;;
	esac
done
