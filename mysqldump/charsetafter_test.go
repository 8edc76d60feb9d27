package mysqldump

import "testing"

// TestCharsetAfter: what MySQL 9.7.4 and MariaDB 10.11.19 do with these statements.
func TestCharsetAfter(t *testing.T) {
	const succeeded = true
	var (
		none    charsetChange
		both    = charsetChange{client: "greek", server: "greek", hasClient: true, hasServer: true}
		client  = charsetChange{client: "greek", hasClient: true}
		server  = charsetChange{server: "hebrew", hasServer: true}
		unknown = charsetChange{hasClient: true, hasServer: true}
		mixed   = charsetChange{client: "greek", server: "hebrew", hasClient: true, hasServer: true}
	)
	for _, tt := range []struct {
		text    string
		results int
		all     bool
		want    charsetChange
	}{
		{"SET NAMES greek", 1, succeeded, both},
		{"set names 'Greek' collate greek_bin", 1, succeeded, both},
		{`SET NAMES "greek"`, 1, succeeded, both},
		{"SET NAMES `greek`;", 1, succeeded, both},
		{"/* hi */ SET NAMES/**/greek -- there", 1, succeeded, both},
		{"/*!40101 SET NAMES greek */", 1, succeeded, both},
		{"/*!80000 SET NAMES greek */", 1, succeeded, none}, // only some servers do
		{"SET NAMES DEFAULT", 1, succeeded, unknown},
		{"SET NAMES ?", 1, succeeded, unknown},
		{"SET CHARACTER SET greek", 1, succeeded, both},
		{"SET CHARACTER SET 'greek'", 1, succeeded, both},
		{"SET CHAR SET greek", 1, succeeded, both},
		{"SET CHARSET greek", 1, succeeded, both},
		{"SET CHARACTER SET DEFAULT", 1, succeeded, unknown},
		{"SET NAMES utf8", 1, succeeded, charsetChange{"utf8mb3", "utf8mb3", true, true}},
		{"SET NAMES UTF8MB4", 1, succeeded, charsetChange{"utf8mb4", "utf8mb4", true, true}},
		{"SET NAMES binary", 1, succeeded, charsetChange{"binary", "binary", true, true}},

		{"SET character_set_client=greek", 1, succeeded, client},
		{"SET @@character_set_client := 'greek'", 1, succeeded, client},
		{"SET @@session.character_set_client=greek", 1, succeeded, client},
		{"SET @@SESSION . character_set_client = greek", 1, succeeded, client},
		{"SET @@local.`character_set_client` = greek", 1, succeeded, client},
		{"SET SESSION Character_Set_Client=greek", 1, succeeded, client},
		{"SET LOCAL character_set_client=greek", 1, succeeded, client},
		{"SET character_set_results=hebrew", 1, succeeded, server},
		{"SET character_set_results=NULL", 1, succeeded, charsetChange{hasServer: true}},
		{"SET character_set_client=25", 1, succeeded, charsetChange{hasClient: true}},
		{"SET character_set_client=@@character_set_server", 1, succeeded, charsetChange{hasClient: true}},
		{"SET character_set_client=@@global.character_set_client", 1, succeeded, charsetChange{hasClient: true}},
		{"SET character_set_client=@old", 1, succeeded, charsetChange{hasClient: true}},
		{"SET character_set_client=DEFAULT", 1, succeeded, charsetChange{hasClient: true}},
		{"SET character_set_client=CONCAT('gre', 'ek')", 1, succeeded, charsetChange{hasClient: true}},
		{"SET character_set_client=('greek')", 1, succeeded, charsetChange{hasClient: true}},
		{"SET character_set_client='gr\\eek'", 1, succeeded, charsetChange{hasClient: true}},
		{"SET character_set_connection=greek", 1, succeeded, none},
		{"SET collation_connection=greek_bin", 1, succeeded, none},

		{"SET GLOBAL character_set_client=greek", 1, succeeded, none},
		{"SET @@global.character_set_client=greek", 1, succeeded, none},
		{"SET PERSIST character_set_client=greek", 1, succeeded, none},
		{"SET @@PERSIST_ONLY.character_set_client=greek", 1, succeeded, none},
		{"SET GLOBAL sort_buffer_size=300000, character_set_client=greek", 1, succeeded, none},
		{"SET @@global.sort_buffer_size=300000, character_set_client=greek", 1, succeeded, client},
		{"SET GLOBAL autocommit=1, SESSION character_set_client=greek, character_set_results=hebrew", 1, succeeded, mixed},
		{"SET GLOBAL sort_buffer_size=300000, NAMES greek", 1, succeeded, both},
		{"SET autocommit=1, NAMES greek", 1, succeeded, both},
		{"SET NAMES greek, autocommit=1", 1, succeeded, both},
		{"SET NAMES greek COLLATE greek_bin, character_set_results=hebrew", 1, succeeded, mixed},
		{"SET @a=1, CHARACTER SET greek, @b='x, NAMES hebrew'", 1, succeeded, both},
		{"SET @x=(SELECT 1, NAMES FROM t), NAMES greek", 1, succeeded, both},
		{"SET @names=1, @character_set_client='greek'", 1, succeeded, none},
		{"SET STATEMENT max_statement_time=1 FOR SET NAMES greek", 1, succeeded, both},
		{"SET STATEMENT character_set_results=greek FOR SELECT 1", 1, succeeded, none},
		{"SET STATEMENT", 1, succeeded, none},
		{"SET PASSWORD FOR a@b = 'greek'", 1, succeeded, none},
		{"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", 1, succeeded, none},

		{"SET NAMES greek", 0, !succeeded, none},
		{"SET NAMES greek; SET NAMES nosuch", 1, !succeeded, both},
		{"SET NAMES hebrew; SET NAMES greek", 2, succeeded, both},
		{"CALL p(); SET NAMES greek", 3, succeeded, both},
		{"CREATE PROCEDURE p() BEGIN SET NAMES greek; SET NAMES hebrew; END", 1, succeeded, none},
		{"SELECT 'a; SET NAMES greek'", 1, succeeded, none},
		{"UPDATE t SET names = 'greek'", 1, succeeded, none},
		{"SET", 1, succeeded, none},
		{"SET NAMES", 1, succeeded, unknown},
		{"SET @@", 1, succeeded, none},
		{"SET @@session", 1, succeeded, none},
		{"SET GLOBAL", 1, succeeded, none},
		{"SET CHARACTER", 1, succeeded, unknown},
		{"", 0, succeeded, none},
	} {
		if got := charsetAfter([]byte(tt.text), tt.results, tt.all); got != tt.want {
			t.Errorf("%q, %d results: got %+v, want %+v", tt.text, tt.results, got, tt.want)
		}
	}
}
