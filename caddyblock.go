package l4mysql

import (
	"math"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

// A block reads the options in a module's block of a Caddyfile, one per line. The first error sticks, names
// the option and the word that was wrong, and ends the reading, so that an option costs two lines:
//
//	b := newBlock(d)
//	for b.next() {
//		switch b.option {
//		case "timeout":
//			h.Timeout = b.once().duration()
//		default:
//			b.unknown()
//		}
//	}
//	return b.err
type block struct {
	option string // the name of the option to read
	err    error

	d       *caddyfile.Dispenser
	module  string
	nesting int
	seen    map[string]bool
}

// newBlock begins with the module's name, which is d's next token.
func newBlock(d *caddyfile.Dispenser) *block {
	b, words := newBlockWithArgs(d)
	if len(words) > 0 {
		b.fail("unexpected '%s' on its line; options go into a block", words[0])
	}
	return b
}

// newBlockWithArgs is newBlock for a module that takes words on its line.
func newBlockWithArgs(d *caddyfile.Dispenser) (b *block, words []string) {
	d.Next()
	b = &block{d: d, module: d.Val(), nesting: d.Nesting(), seen: make(map[string]bool)}
	return b, d.RemainingArgs()
}

// inner begins the block of the option, which may be absent.
func (b *block) inner() *block {
	return &block{d: b.d, module: b.option, nesting: b.d.Nesting(), seen: make(map[string]bool)}
}

// next goes to the next option, and refuses what the last one did not read.
func (b *block) next() bool {
	if b.err == nil && b.option != "" {
		if b.d.NextArg() {
			b.fail("unexpected '%s'", b.d.Val())
		} else if b.d.NextBlock(b.nesting + 1) {
			b.fail("unexpected block with '%s'", b.d.Val())
		}
	}
	if b.err != nil || !b.d.NextBlock(b.nesting) {
		return false
	}
	b.option = b.d.Val()
	return true
}

// once refuses the option if it has been there before.
func (b *block) once() *block {
	if b.seen[b.option] {
		b.fail("given twice")
	}
	b.seen[b.option] = true
	return b
}

// unknown refuses the option.
func (b *block) unknown() {
	b.fail("not an option of %s", b.module)
}

// args reads all words on the option's line, at least one.
func (b *block) args() []string {
	words := b.d.RemainingArgs()
	if len(words) == 0 {
		b.fail("a value is missing")
	}
	return words
}

// firstArg reads the next word.
func (b *block) firstArg() string {
	if !b.d.NextArg() {
		b.fail("a value is missing")
		return ""
	}
	return b.d.Val()
}

// arg reads the option's only word.
func (b *block) arg() string {
	word := b.firstArg()
	if b.d.NextArg() {
		b.fail("takes one value, and '%s' is another", b.d.Val())
	}
	return word
}

// flag reads an option without a value, and returns true.
func (b *block) flag() bool {
	if b.d.NextArg() {
		b.fail("takes no value, got '%s'", b.d.Val())
	}
	return true
}

// duration reads a duration: 5s, 1m30s, 1d.
func (b *block) duration() time.Duration {
	word := b.arg()
	duration, err := caddy.ParseDuration(word)
	if err != nil {
		b.fail("'%s' is not a duration", word)
	}
	return duration
}

// size reads a number of bytes: 4096, 4KiB, 1MB.
func (b *block) size() int {
	word := b.arg()
	size, err := humanize.ParseBytes(word)
	if err != nil || size > math.MaxInt32 {
		b.fail("'%s' is not a size in bytes", word)
		return 0
	}
	return int(size)
}

// integer reads the option's only word as an integer.
func (b *block) integer() int { return b.number(b.arg()) }

// integers reads all words on the option's line as integers.
func (b *block) integers() []int {
	var numbers []int
	for _, word := range b.args() {
		numbers = append(numbers, b.number(word))
	}
	return numbers
}

func (b *block) number(word string) int {
	number, err := strconv.Atoi(word)
	if err != nil {
		b.fail("'%s' is not a number", word)
	}
	return number
}

// fail keeps the first error.
func (b *block) fail(format string, args ...any) {
	if b.err != nil {
		return
	}
	subject := b.option
	if subject == "" {
		subject = b.module
	}
	b.err = b.d.Errf("%s: "+format, append([]any{subject}, args...)...)
}
