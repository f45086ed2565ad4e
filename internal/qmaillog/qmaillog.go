// SPDX-License-Identifier: ISC

// Package qmaillog writes the lines of qmail-send's log in the grammar of
// qmail-log(5), which qmailanalog and its kin read: one line an event, no byte
// of remote text that could end or forge one.
package qmaillog

import "strings"

// Safe is text as the log has it: LF as '/', other bytes below 33 or above 126
// and '%' as '_'.
func Safe(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n':
			return '/'
		case c < 33 || c > 126 || c == '%':
			return '_'
		}
		return c
	}, bytewise(s))
}

// bytewise makes each byte above 126 one character, so that each becomes one
// '_'.
func bytewise(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 128 {
			b := []byte(s)
			for j := range b {
				if b[j] >= 128 {
					b[j] = 127
				}
			}
			return string(b)
		}
	}
	return s
}
