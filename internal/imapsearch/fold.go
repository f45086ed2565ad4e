// SPDX-License-Identifier: ISC

package imapsearch

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// appendFold appends text as it is compared: of characters that differ in case
// alone (Unicode's simple folding) one stands for all, a tab is a space, and CR is
// left out, so that it is all one how lines end. Bytes that are no UTF-8 stay.
// The result is never longer than b, and may take its place.
func appendFold(dst, b []byte) []byte {
	dst = slices.Grow(dst, len(b))
	n := len(dst)
	to := dst[:n+len(b)]
	for i := 0; i < len(b); {
		c := b[i]
		switch {
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(b[i:])
			if i += size; r == utf8.RuneError && size == 1 {
				to[n] = c
				n++
			} else {
				n = len(utf8.AppendRune(to[:n], foldRune(r)))
			}
			continue
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c == '\t':
			c = ' '
		case c == '\r':
			i++
			continue
		}
		to[n] = c
		n++
		i++
	}
	return to[:n]
}

// foldRune is the least of the characters that differ from r in case alone, but a
// small letter of ASCII: the Kelvin sign is k.
func foldRune(r rune) rune {
	if r >= 0x2e80 && r < 0xa640 { // Han, Kana, Yi: these have no case
		return r
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	if least >= 'A' && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}

// whole is how much of b there is without a character at its end that is cut off.
func whole(b []byte) int {
	for i := len(b) - 1; i >= 0 && i >= len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return i
			}
			break
		}
	}
	return len(b)
}
