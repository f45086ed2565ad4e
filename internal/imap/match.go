// SPDX-License-Identifier: ISC

package imap

import "strings"

// Match says whether a mailbox's name matches LIST's pattern: * is any run of
// characters, % one without sep (0: there is no hierarchy). INBOX, alone or as
// the first level, matches in any case. It takes at most the product of both
// lengths.
func Match(pattern, name string, sep byte) bool {
	fold := 0 // bytes of name in which case does not count
	if len(name) >= 5 && strings.EqualFold(name[:5], "INBOX") && (len(name) == 5 || name[5] == sep) {
		fold = 5
	}
	pattern = squeeze(pattern)
	// live[i]: pattern[:i] matches the name so far.
	live := make([]bool, len(pattern)+1)
	live[0] = true
	spread(live, pattern)
	for at := range len(name) {
		c, any := name[at], false
		for i := len(pattern); i > 0; i-- {
			switch p := pattern[i-1]; {
			case p == '*':
			case p == '%':
				live[i] = live[i] && (c != sep || sep == 0)
			default:
				live[i] = live[i-1] && (p == c || at < fold && lower(p) == lower(c))
			}
			any = any || live[i]
		}
		live[0] = false
		if !any {
			return false
		}
		spread(live, pattern)
	}
	return live[len(pattern)]
}

// spread lets wildcards match nothing.
func spread(live []bool, pattern string) {
	for i := range len(pattern) {
		if c := pattern[i]; live[i] && (c == '*' || c == '%') {
			live[i+1] = true
		}
	}
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

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
