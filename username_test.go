package l4mysql

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestUserName(t *testing.T) {
	tests := []struct {
		name, in string
		want     userName
		wantErr  error
	}{
		{"user", "app", userName{user: "app"}, nil},
		{"tenant", "acme:app", userName{tenant: "acme", user: "app"}, nil},
		{"role", "acme:app:reader", userName{tenant: "acme", user: "app", role: "reader"}, nil},
		{"role takes the rest", "acme:app:a:b", userName{tenant: "acme", user: "app", role: "a:b"}, nil},
		{"tenant with #", "acme#app", userName{tenant: "acme", user: "app"}, nil},
		{"role with #", "acme#app#reader", userName{tenant: "acme", user: "app", role: "reader"}, nil},
		{"tenant with %3A", "acme%3Aapp", userName{tenant: "acme", user: "app"}, nil},
		{"role with %3A", "acme%3Aapp%3Areader", userName{tenant: "acme", user: "app", role: "reader"}, nil},
		{"%3a is no separator", "acme%3aapp", userName{user: "acme%3aapp"}, nil},
		{"# behind a colon", "a:b#c", userName{tenant: "a", user: "b#c"}, nil},
		{"# before a colon", "a#b:c", userName{tenant: "a#b", user: "c"}, nil},
		{"%3A before a colon", "a%3Ab:c", userName{tenant: "a%3Ab", user: "c"}, nil},
		{"%3A before #", "a%3Ab#c", userName{tenant: "a%3Ab", user: "c"}, nil},
		{"bytes", "\xffcme:\x00pp\xfe", userName{tenant: "\xffcme", user: "\x00pp\xfe"}, nil},
		{"blanks are kept", " acme : app ", userName{tenant: " acme ", user: " app "}, nil},

		{"label", "app?zone=a", userName{user: "app", labels: []label{{"zone", "a"}}}, nil},
		{"labels", "app?zone=a,tier=gold", userName{user: "app", labels: []label{{"zone", "a"}, {"tier", "gold"}}}, nil},
		{"labels with colons", "app?zone:a,tier:gold", userName{user: "app", labels: []label{{"zone", "a"}, {"tier", "gold"}}}, nil},
		{"labels in both ways", "app?zone:a,tier=gold", userName{user: "app", labels: []label{{"zone", "a"}, {"tier", "gold"}}}, nil},
		{"label with %3A", "app?zone%3Aa", userName{user: "app", labels: []label{{"zone", "a"}}}, nil},
		{"everything", "acme:app:reader?zone=a,tier:gold", userName{
			tenant: "acme", user: "app", role: "reader", labels: []label{{"zone", "a"}, {"tier", "gold"}},
		}, nil},
		{"everything with #", "acme#app#reader?zone=a", userName{
			tenant: "acme", user: "app", role: "reader", labels: []label{{"zone", "a"}},
		}, nil},
		{"separators in a value", "app?addr=10.0.0.1:3306,expr:b=c?d#e", userName{
			user: "app", labels: []label{{"addr", "10.0.0.1:3306"}, {"expr", "b=c?d#e"}},
		}, nil},
		{"question mark and no labels", "acme:app?", userName{tenant: "acme", user: "app"}, nil},
		{"names differ in case", "app?Zone=a,zone=b", userName{user: "app", labels: []label{{"Zone", "a"}, {"zone", "b"}}}, nil},

		{"nothing", "", userName{}, errNoUser},
		{"labels and no user", "?zone=a", userName{}, errNoUser},
		{"no tenant", ":app", userName{}, errNoTenant},
		{"no tenant with #", "#app", userName{}, errNoTenant},
		{"no tenant with %3A", "%3Aapp", userName{}, errNoTenant},
		{"no user", "acme:", userName{}, errNoUser},
		{"no user, but a role", "acme::reader", userName{}, errNoUser},
		{"no user, but labels", "acme:?zone=a", userName{}, errNoUser},
		{"no role", "acme:app:", userName{}, errNoRole},
		{"no role, but labels", "acme:app:?zone=a", userName{}, errNoRole},
		{"only a separator", ":", userName{}, errNoTenant},
		{"no name", "app?=a", userName{}, errNoLabelName},
		{"comma at the end", "app?zone=a,", userName{}, errNoLabelName},
		{"only a comma", "app?,", userName{}, errNoLabelName},
		{"no value", "app?zone=", userName{}, errNoLabel},
		{"no value and no separator", "app?zone", userName{}, errNoLabel},
		{"twice", "app?zone=a,tier=b,zone=c", userName{}, errLabelTwice},
		{"twice, in both ways", "app?zone=a,zone:a", userName{}, errLabelTwice},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseUserName(syntaxTenant, []byte(tt.in))
			if !reflect.DeepEqual(got, tt.want) || !errors.Is(err, tt.wantErr) {
				t.Errorf("got %+v, error %v, want %+v, error %v", got, err, tt.want, tt.wantErr)
			}
			got, err = parseUserName(syntaxPlain, []byte(tt.in))
			if want := (userName{user: tt.in}); !reflect.DeepEqual(got, want) || err != nil {
				t.Errorf("plain: got %+v, error %v, want %+v", got, err, want)
			}
		})
	}
}

// TestManyLabels: as many as are allowed, one more, and as many as a login of 1 MiB has room for.
func TestManyLabels(t *testing.T) {
	for _, n := range []int{maxLabels, maxLabels + 1, 1 << 18} {
		var b strings.Builder
		b.WriteString("app?")
		for i := range n {
			fmt.Fprintf(&b, "%x=a,", i)
		}
		name, err := parseUserName(syntaxTenant, []byte(strings.TrimSuffix(b.String(), ",")))
		if n > maxLabels {
			if !errors.Is(err, errLabels) {
				t.Errorf("%d labels: got error %v, want %v", n, err, errLabels)
			}
		} else if err != nil || len(name.labels) != n {
			t.Errorf("%d labels: got %d, error %v", n, len(name.labels), err)
		}
	}
}

// FuzzUserName: plain is the identity, and what the syntax tenant reads are parts that are not empty and that,
// put together, read the same.
func FuzzUserName(f *testing.F) {
	for _, seed := range []string{"", "app", "acme:app:reader?zone=a,tier:gold", "a#b#c", "a%3Ab%3Ac?x%3Ay", "a#b:c", ":?,=", "\xff:\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got, err := parseUserName(syntaxPlain, raw); err != nil || got.user != string(raw) || got.tenant+got.role != "" || got.labels != nil {
			t.Fatalf("plain: got %+v, error %v, want the user %q", got, err, raw)
		}
		got, err := parseUserName(syntaxTenant, raw)
		if err != nil {
			if !reflect.DeepEqual(got, userName{}) {
				t.Fatalf("got %+v along with error %v", got, err)
			}
			return
		}
		if got.user == "" || got.tenant == "" && got.role != "" || len(got.labels) > maxLabels {
			t.Fatalf("got %+v", got)
		}
		seen := make(map[string]bool)
		for _, l := range got.labels {
			if l.name == "" || l.value == "" || seen[l.name] {
				t.Fatalf("got labels %+v", got.labels)
			}
			seen[l.name] = true
		}
		// A name put together from the parts reads the same.
		text := got.user
		if got.tenant != "" {
			text = got.tenant + ":" + text
		}
		if got.role != "" {
			text += ":" + got.role
		}
		for i, l := range got.labels {
			text += []string{"?", ","}[min(i, 1)] + l.name + "=" + l.value
		}
		if again, err := parseUserName(syntaxTenant, []byte(text)); err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("%q: got %+v, error %v, want %+v", text, again, err, got)
		}
	})
}
