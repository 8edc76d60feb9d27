package mysqldump

import "unicode/utf8"

// An exception is a character, or with last a block of them, and what the server takes it for: the
// characters of to in order and, when they are used up, those that follow the last of them in Unicode.
// Without to they are undefined. A block holds the characters of which each byte lies between that of
// first and that of last.
type exception struct{ first, last, to string }

// holds reports whether char is in the block.
func (e *exception) holds(char []byte) bool {
	if e.last == "" {
		return string(char) == e.first
	}
	if len(char) != len(e.first) {
		return false
	}
	for i, b := range char {
		if b < e.first[i] || b > e.last[i] {
			return false
		}
	}
	return true
}

// index returns the place of char in the block.
func (e *exception) index(char []byte, f form) int {
	if e.last == "" {
		return 0
	}
	index := 0
	for i, b := range char {
		first, last := int(e.first[i]), int(e.last[i])
		index = index*count(first, last+1, f[i]) + count(first, int(b), f[i])
	}
	return index
}

// count returns how many of the bytes from first on, and below end, are in ranges.
func count(first, end int, ranges string) int {
	n := 0
	for b := first; b < end; b++ {
		if within(byte(b), ranges) {
			n++
		}
	}
	return n
}

// at returns the character of a block at the given place, utf8.RuneError for one that is undefined.
func (e *exception) at(place int) rune {
	if e.to == "" {
		return utf8.RuneError
	}
	var last rune
	for _, last = range e.to {
		if place == 0 {
			return last
		}
		place--
	}
	return last + 1 + rune(place)
}
