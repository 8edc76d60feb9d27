package l4mysql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// A glob is what stands between the asterisks of a pattern.
type glob []string

type globs []glob

// parseGlobs resolves the placeholders in an option's values and parses what they then hold.
func parseGlobs(option string, values []string) (globs, error) {
	repl := caddy.NewReplacer()
	parsed := make(globs, 0, len(values))
	for _, value := range values {
		pattern, err := repl.ReplaceOrErr(value, true, true)
		if err != nil {
			return nil, fmt.Errorf("%s: '%s': %w", option, value, err)
		}
		parsed = append(parsed, strings.Split(pattern, "*"))
	}
	return parsed, nil
}

// match reports whether one of the patterns matches all of s.
func (g globs) match(s string) bool {
	return slices.ContainsFunc(g, func(g glob) bool { return g.match(s) })
}

// match takes each text at its first place. A later place would leave the others less room, so nothing is
// ever tried twice, whatever the client sends.
func (g glob) match(s string) bool {
	last := len(g) - 1
	if last == 0 {
		return s == g[0]
	}
	s, begins := strings.CutPrefix(s, g[0])
	s, ends := strings.CutSuffix(s, g[last])
	if !begins || !ends {
		return false
	}
	for _, text := range g[1:last] {
		var found bool
		if _, s, found = strings.Cut(s, text); !found {
			return false
		}
	}
	return true
}
