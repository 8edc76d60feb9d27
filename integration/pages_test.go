package integration

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A fence is a block of code in a page, with the text before it.
type fence struct {
	language, text string
	line           int // of the page
	before         string
}

var fences = regexp.MustCompile("(?s)(.*?)(?:^|\n)```([a-z]*)\n(.*?)```\n")

// fencesOf returns the blocks of a page.
func fencesOf(page string) []fence {
	var found []fence
	line := 1
	for _, m := range fences.FindAllStringSubmatch(page, -1) {
		found = append(found, fence{language: m[2], text: m[3], line: line + strings.Count(m[1], "\n") + 2, before: m[1]})
		line += strings.Count(m[0], "\n")
	}
	return found
}

// pages returns the paths of the README and of all that is in docs.
func pages(t testing.TB) []string {
	t.Helper()
	paths := []string{"../README.md"}
	err := filepath.WalkDir("../docs", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) < 5 {
		t.Fatalf("got pages %v and error %v, want some", paths, err)
	}
	return paths
}

// TestPages adapts every Caddyfile in the README and the documentation, and compares it with the JSON that the page has
// for it. A handler or an option that stands alone in a block is not adapted. With -update the JSON is written anew.
func TestPages(t *testing.T) {
	twins := 0
	for _, path := range pages(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		page, last := string(text), ""
		for _, f := range fencesOf(page) {
			name := fmt.Sprintf("%s, line %d", path, f.line)
			switch {
			case f.language == "caddyfile" && strings.HasPrefix(f.text, "{\n"):
				if last, err = tryAdapt(t, f.text); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			case f.language == "json" && strings.Contains(f.before, "JSON equivalent to the caddyfile config provided above"):
				twins++
				if sameJSON(f.text, last) {
					continue
				}
				if !*update {
					t.Errorf("%s: is not what the Caddyfile before it adapts to:\n%s", name, last)
				}
				page = strings.Replace(page, "```json\n"+f.text+"```", "```json\n"+strings.ReplaceAll(last, "\t", "    ")+"```", 1)
			}
		}
		if *update && page != string(text) {
			if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if twins == 0 {
		t.Error("no page has a Caddyfile in both forms")
	}
}

// sameJSON reports whether two texts are JSON and mean the same.
func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// TestExamplePages: the pages in docs/examples have the Caddyfile of the example with their name, without the lines
// that tell how to run it. With -update they get it anew.
func TestExamplePages(t *testing.T) {
	for _, path := range glob(t, "../docs/examples/*.md") {
		name := strings.TrimSuffix(filepath.Base(path), ".md")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		example, err := os.ReadFile(filepath.Join("..", "examples", name+".caddyfile"))
		if err != nil {
			t.Fatal(err)
		}
		_, caddyfile, _ := strings.Cut("\n"+string(example), "\n{\n")
		caddyfile = "{\n" + caddyfile
		blocks := fencesOf(string(text))
		if len(blocks) != 2 || blocks[0].language != "caddyfile" || blocks[1].language != "json" {
			t.Errorf("%s has other blocks than a Caddyfile and its JSON", path)
			continue
		}
		if *update {
			page := strings.Replace(string(text), blocks[0].text, caddyfile, 1)
			if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if blocks[0].text != caddyfile {
			t.Errorf("%s has\n%s\nwant examples/%s.caddyfile:\n%s", path, blocks[0].text, name, caddyfile)
		}
	}
}

var (
	links    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headings = regexp.MustCompile("(?m)^#+ (.*)$")
	noSlug   = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestLinks: what the README, the documentation and the examples' page link to in this repository is there.
func TestLinks(t *testing.T) {
	for _, path := range append(pages(t), "../examples/README.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range links.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s: %v", path, m[1], err)
			} else if anchor != "" && !hasHeading(t, target, anchor) {
				t.Errorf("%s: %s: no such heading", path, m[1])
			}
		}
	}
}

// hasHeading reports whether a page has the heading that GitHub gives this name in links.
func hasHeading(t testing.TB, path, anchor string) bool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(headings.FindAllStringSubmatch(string(text), -1), func(m []string) bool {
		slug := noSlug.ReplaceAllString(strings.ToLower(m[1]), "")
		return strings.ReplaceAll(slug, " ", "-") == anchor
	})
}
