// SPDX-License-Identifier: ISC

package imap

import "strings"

// Matcher is a pattern of LIST: * is any run of characters, % one without the
// hierarchy's separator. It is not for use by several goroutines.
type Matcher struct {
	sep byte
	// All are sets of bits, one word or more each. Bit i of live: the pattern's
	// first i bytes match the name so far.
	live, next []uint64
	start      []uint64      // live before the first byte
	literal    [256][]uint64 // bit i: the pattern's byte i is this one; nil: none is
	wild       []uint64      // bit i: the pattern's byte i is a wildcard
	any, level []uint64      // bit i+1: byte i is *, it is %
	end        int           // the bit that says that all of the pattern matches
}

// NewMatcher reads a pattern. A sep of 0 says that there is no hierarchy.
func NewMatcher(pattern string, sep byte) *Matcher {
	pattern = squeeze(pattern) // no two wildcards in a row: spread needs one step
	words := len(pattern)/64 + 1
	m := &Matcher{sep: sep, end: len(pattern)}
	for _, s := range []*[]uint64{&m.live, &m.next, &m.start, &m.wild, &m.any, &m.level} {
		*s = make([]uint64, words)
	}
	for i := range len(pattern) {
		switch c := pattern[i]; c {
		case '*':
			set1(m.wild, i)
			set1(m.any, i+1)
		case '%':
			set1(m.wild, i)
			set1(m.level, i+1)
		default:
			if m.literal[c] == nil {
				m.literal[c] = make([]uint64, words)
			}
			set1(m.literal[c], i)
		}
	}
	set1(m.start, 0)
	m.spread(m.start)
	return m
}

func set1(s []uint64, i int) { s[i/64] |= 1 << (i % 64) }

// spread lets wildcards match nothing.
func (m *Matcher) spread(s []uint64) {
	carry := uint64(0)
	for i := range s {
		w := s[i] & m.wild[i]
		s[i] |= w<<1 | carry
		carry = w >> 63
	}
}

// Match says whether a mailbox's name matches. INBOX, alone or as the first
// level, does so in any case. The time is that of reading the name once for
// every 64 bytes of the pattern.
func (m *Matcher) Match(name string) bool {
	fold := 0 // bytes of name in which case does not count
	if len(name) >= 5 && strings.EqualFold(name[:5], "INBOX") && (len(name) == 5 || name[5] == m.sep) {
		fold = 5
	}
	copy(m.live, m.start)
	for i := range len(name) {
		other := name[i]
		if i < fold {
			other ^= 'a' - 'A' // a letter of INBOX in its other case
		}
		if !m.step(name[i], other) {
			return false
		}
	}
	return m.live[m.end/64]>>(m.end%64)&1 != 0
}

// step takes in a byte, which may as well be other; false: nothing matches any
// more.
func (m *Matcher) step(c, other byte) bool {
	a, b := m.literal[c], m.literal[other]
	level := c != m.sep || m.sep == 0
	some, carry := uint64(0), uint64(0)
	for i, live := range m.live {
		var lit uint64
		if a != nil {
			lit = a[i]
		}
		if b != nil {
			lit |= b[i]
		}
		lit &= live
		stay := m.any[i]
		if level {
			stay |= m.level[i]
		}
		m.next[i] = lit<<1 | carry | live&stay
		carry = lit >> 63
		some |= m.next[i]
	}
	m.live, m.next = m.next, m.live
	m.spread(m.live)
	return some != 0
}

// squeeze makes one of a run of wildcards.
func squeeze(pattern string) string {
	if !strings.Contains(pattern, "**") && !strings.Contains(pattern, "%%") && !strings.Contains(pattern, "*%") && !strings.Contains(pattern, "%*") {
		return pattern
	}
	var b strings.Builder
	for i := 0; i < len(pattern); {
		j := i
		for j < len(pattern) && (pattern[j] == '*' || pattern[j] == '%') {
			j++
		}
		switch {
		case j == i:
			b.WriteByte(pattern[i])
			j++
		case strings.Contains(pattern[i:j], "*"):
			b.WriteByte('*')
		default:
			b.WriteByte('%')
		}
		i = j
	}
	return b.String()
}
