package l4mysql

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The values of the option user_syntax.
const (
	syntaxPlain  = "plain"
	syntaxTenant = "tenant"
)

// A userName is what the user name in a login says. Its parts are as the client has sent them: bytes in the
// character set of the login.
type userName struct {
	user   string  // the plain user name, which strip_user sends to the server
	tenant string  // empty if none is named
	role   string  // empty if none is named
	labels []label // in the order sent; each name is there once
}

// A label is one of what a tenant's user name says of the session after its question mark.
type label struct{ name, value string }

// maxLabels is how many labels a user name may have. Nobody needs as many, and a login of 64 KiB has room for
// thousands, each of which is compared with those before it.
const maxLabels = 64

// What is wrong with a user name: texts for a refusal, which show nothing of the name.
var (
	errNoUser      = errors.New("the user name is empty")
	errNoTenant    = errors.New("the tenant in the user name is empty")
	errNoRole      = errors.New("the role in the user name is empty")
	errNoLabelName = errors.New("a label in the user name has no name")
	errNoLabel     = errors.New("a label in the user name has no value")
	errLabelTwice  = errors.New("a label in the user name is there twice")
	errLabels      = fmt.Errorf("the user name has more than %d labels", maxLabels)
)

// parseUserName reads the user name of a login in the given user_syntax. In the syntax plain, also for an
// empty syntax, all of it is the user.
//
// The syntax tenant is MatrixOne's:
//
//	[<tenant>:]<user>[:<role>][?<name>=<value>,...]
//
// with # or the three characters %3A in place of each colon between tenant, user and role, and with a colon or
// %3A in place of an equals sign. A role is named only behind a tenant. The error's text is for the client.
func parseUserName(syntax string, raw []byte) (userName, error) {
	if syntax != syntaxTenant {
		return userName{user: string(raw)}, nil
	}
	account, text, _ := strings.Cut(string(raw), "?")
	n, err := parseAccount(account)
	if err != nil {
		return userName{}, err
	}
	if n.labels, err = parseLabels(text); err != nil {
		return userName{}, err
	}
	return n, nil
}

// parseAccount reads what stands before the labels. One separator rules: a colon wherever there is one, else
// #, else %3A; the others are then characters like any. So does MatrixOne, and the proxy must not take a login
// for another tenant's than the server does: a#b:c is the tenant a#b, and a:b#c the user b#c.
func parseAccount(text string) (userName, error) {
	for _, separator := range []string{":", "#", "%3A"} {
		tenant, rest, ok := strings.Cut(text, separator)
		if !ok {
			continue
		}
		user, role, hasRole := strings.Cut(rest, separator)
		switch {
		case tenant == "":
			return userName{}, errNoTenant
		case user == "":
			return userName{}, errNoUser
		case hasRole && role == "":
			return userName{}, errNoRole
		}
		return userName{tenant: tenant, user: user, role: role}, nil
	}
	if text == "" {
		return userName{}, errNoUser
	}
	return userName{user: text}, nil
}

// parseLabels reads what stands behind the question mark. MatrixOne describes name:value and reads name=value.
func parseLabels(text string) ([]label, error) {
	if text == "" {
		return nil, nil
	}
	if strings.Count(text, ",") >= maxLabels {
		return nil, errLabels
	}
	var labels []label
	for pair := range strings.SplitSeq(text, ",") {
		name, value := cutLabel(pair)
		switch {
		case name == "":
			return nil, errNoLabelName
		case value == "":
			return nil, errNoLabel
		case slices.ContainsFunc(labels, func(l label) bool { return l.name == name }):
			return nil, errLabelTwice
		}
		labels = append(labels, label{name, value})
	}
	return labels, nil
}

// cutLabel parts a label at the first = or colon, so that a value may have both.
func cutLabel(pair string) (name, value string) {
	if i := strings.IndexAny(pair, "=:"); i >= 0 {
		return pair[:i], pair[i+1:]
	}
	name, value, _ = strings.Cut(pair, "%3A")
	return name, value
}
