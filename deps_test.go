package l4mysql_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/l4mysql/l4mysql"

// pure lists the packages that are usable without Caddy, each with all that it may depend on, directly
// or not, besides the standard library and itself: modules or packages.
var pure = map[string][]string{
	"proxyheader": {"github.com/pires/go-proxyproto"},
	"mysqlwire":   {},
	"mysqldump":   {modulePath + "/mysqlwire", "golang.org/x/text", "github.com/klauspost/compress"},
	"mysqlproxy":  {modulePath + "/mysqlwire"},
}

// TestDependencies asks the go command what each pure package pulls in. depguard, in .golangci.yml, sees
// direct imports only: a library that is allowed there could still bring Caddy along.
func TestDependencies(t *testing.T) {
	for name, allow := range pure {
		t.Run(name, func(t *testing.T) {
			self := modulePath + "/" + name
			deps := goList(t, "-deps", "./"+name)
			if !slices.Contains(deps, self) {
				t.Fatalf("go list -deps ./%s: got %q, want the package itself among them", name, deps)
			}
			for _, dep := range deps {
				if dep != self && !within(dep, allow) {
					t.Errorf("%s depends on %s; it may depend on the standard library and %q", name, dep, allow)
				}
			}
		})
	}
}

// TestEveryPackageHasARule fails for a package that was added without saying what it may depend on, and
// when the root depends on what is there to run or to test it.
func TestEveryPackageHasARule(t *testing.T) {
	packages := goList(t, "./...")
	if !slices.Contains(packages, modulePath) {
		t.Fatalf("go list ./...: got %q, want %s among them", packages, modulePath)
	}
	tooling := []string{modulePath + "/cmd", modulePath + "/examples", modulePath + "/internal"}
	for _, pkg := range packages {
		_, ok := pure[strings.TrimPrefix(pkg, modulePath+"/")]
		if pkg != modulePath && !ok && !within(pkg, tooling) {
			t.Errorf("package %s has no line in the table of pure packages", pkg)
		}
	}
	deps := goList(t, "-deps", ".")
	if !slices.Contains(deps, "github.com/mholt/caddy-l4/layer4") {
		t.Fatalf("go list -deps .: got %q, want caddy-l4 among them", deps)
	}
	for _, dep := range deps {
		if within(dep, tooling) {
			t.Errorf("the root package depends on %s", dep)
		}
	}
}

// within reports whether pkg is one of roots or below one of them.
func within(pkg string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return pkg == root || strings.HasPrefix(pkg, root+"/")
	})
}

// goList returns the import paths that go list prints for args, without the standard library's.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return strings.Fields(string(out))
}
