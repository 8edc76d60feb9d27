package mysqlwire

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestCharsetMariaDB compares with what a server lists.
func TestCharsetMariaDB(t *testing.T) {
	list, err := os.ReadFile("testdata/collations-mariadb-10.11.19.txt")
	if err != nil {
		t.Fatal(err)
	}
	ids := 0
	for line := range strings.Lines(string(list)) {
		if line[0] == '#' {
			continue
		}
		var first, last uint16
		var want string
		if _, err := fmt.Sscanf(line, "%d-%d %s", &first, &last, &want); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for id := first; id <= last; id++ {
			if got := Charset(id); got != want {
				t.Errorf("Charset(%d): got %q, want %q", id, got, want)
			}
			ids++
		}
	}
	if want := 1242; ids != want {
		t.Errorf("got %d ids, want %d", ids, want)
	}
}

// TestCharset has what MariaDB does not know, and what nobody does.
func TestCharset(t *testing.T) {
	for _, tt := range []struct {
		id   uint16
		want string
	}{
		{0, ""},
		{17, ""},
		{76, "utf8mb3"}, // utf8mb3_tolower_ci
		{100, ""},
		{223, "utf8mb3"}, // utf8mb3_general_mysql500_ci
		{248, "gb18030"}, // gb18030_chinese_ci
		{249, "gb18030"}, // gb18030_bin
		{250, "gb18030"}, // gb18030_unicode_520_ci
		{251, ""},
		{254, ""},
		{255, "utf8mb4"}, // utf8mb4_0900_ai_ci
		{278, "utf8mb4"}, // utf8mb4_0900_as_cs
		{309, "utf8mb4"}, // utf8mb4_0900_bin
		{323, "utf8mb4"}, // utf8mb4_mn_cyrl_0900_as_cs
		{1023, ""},
		{2047, ""},
		{3328, ""},
		{65535, ""},
	} {
		if got := Charset(tt.id); got != tt.want {
			t.Errorf("Charset(%d): got %q, want %q", tt.id, got, tt.want)
		}
	}
}
