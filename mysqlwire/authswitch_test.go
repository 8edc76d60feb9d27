package mysqlwire

import "testing"

func TestParseAuthSwitch(t *testing.T) {
	got, err := ParseAuthSwitch([]byte("\xfemysql_native_password\x0012345678901234567890\x00"))
	if err != nil || string(got.Plugin) != "mysql_native_password" || string(got.Data) != "12345678901234567890\x00" {
		t.Errorf("got %q, %q, %v", got.Plugin, got.Data, err)
	}
	if got, err := ParseAuthSwitch([]byte{0xfe}); err != nil || len(got.Plugin) != 0 || len(got.Data) != 0 {
		t.Errorf("old password: got %q, %q, %v", got.Plugin, got.Data, err)
	}
}
