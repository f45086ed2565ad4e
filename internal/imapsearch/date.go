// SPDX-License-Identifier: ISC

package imapsearch

import (
	"bytes"
	"time"
)

// maxDate is the bytes of a Date field that are read, and maxWords its words.
const (
	maxDate  = 256
	maxWords = 12
)

const months = "janfebmaraprmayjunjulaugsepoctnovdec"

// day is a day as a number that is the greater the later it is.
type day int64

func dayOf(year int, month time.Month, d int) day { return day(year<<9 | int(month)<<5 | d) }

// sentDay is the day that a Date field names, its zone disregarded (RFC 9051
// §6.4.4); false where it names none. It reads RFC 5322 §3.3 and §4.3 with
// comments anywhere, and also the forms of asctime, of IMAP and of ISO 8601.
func sentDay(b []byte) (day, bool) {
	r := dateReader{rest: b[:min(len(b), maxDate)]}
	var year, month, d int
	hasYear := false
	for range maxWords {
		w := r.word()
		if len(w) == 0 {
			break
		}
		n, digits := decimal(w)
		switch {
		case !digits:
			if m := monthOf(w); m > 0 && month == 0 {
				month = m
			}
		case hasYear && month == 0: // 2006-01-02
			month = n
		case d == 0 && month == 0 && len(w) == 4:
			year, hasYear = n, true
		case d == 0:
			d = n
		case month > 0 && !hasYear:
			year, hasYear = fullYear(n, len(w)), true
		}
		if hasYear && month > 0 && d > 0 {
			break
		}
	}
	if !hasYear || year < 1 || year > 9999 || month < 1 || month > 12 || d < 1 || time.Date(year, time.Month(month), d, 0, 0, 0, 0, time.UTC).Day() != d {
		return 0, false
	}
	return dayOf(year, time.Month(month), d), true
}

// fullYear is RFC 5322 §4.3.
func fullYear(n, digits int) int {
	switch {
	case digits <= 2 && n < 50:
		return 2000 + n
	case digits <= 3:
		return 1900 + n
	}
	return n
}

// dateReader gives the words of a date.
type dateReader struct{ rest []byte }

// word is the next run of letters and digits that is no time of day and no zone.
func (r *dateReader) word() []byte {
	for len(r.rest) > 0 {
		switch c := r.rest[0]; {
		case c == '(':
			r.comment()
			continue
		case c == '+' || c == '-':
			r.rest = r.rest[1:]
			r.run() // a zone
			continue
		case !alnum(c):
			r.rest = r.rest[1:]
			continue
		}
		w := r.run()
		if len(r.rest) > 0 && r.rest[0] == ':' {
			for len(r.rest) > 0 && (alnum(r.rest[0]) || r.rest[0] == ':' || r.rest[0] == '.') {
				r.rest = r.rest[1:]
			}
			continue
		}
		if len(r.rest) > 0 && (r.rest[0] == '-' || r.rest[0] == 'T') {
			r.rest = r.rest[1:] // 2-Jan-2006
		}
		return w
	}
	return nil
}

// run takes digits, or else letters.
func (r *dateReader) run() []byte {
	i := 0
	for i < len(r.rest) && alnum(r.rest[i]) && isDigit(r.rest[i]) == isDigit(r.rest[0]) {
		i++
	}
	w := r.rest[:i]
	r.rest = r.rest[i:]
	return w
}

// comment passes over a comment, and those within.
func (r *dateReader) comment() {
	depth := 0
	for i := 0; i < len(r.rest); i++ {
		switch r.rest[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				r.rest = r.rest[i+1:]
				return
			}
		}
	}
	r.rest = nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func alnum(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' }

// decimal is the number that w, which is not empty, says in up to four digits.
func decimal(w []byte) (n int, ok bool) {
	if !isDigit(w[0]) {
		return 0, false
	}
	for _, c := range w[:min(len(w), 5)] {
		n = n*10 + int(c-'0')
	}
	return n, true
}

// monthOf is the month that w names by its first three letters or more, or 0.
func monthOf(w []byte) int {
	if len(w) < 3 {
		return 0
	}
	var three [3]byte
	for i := range three {
		three[i] = w[i] | 0x20
	}
	if i := bytes.Index([]byte(months), three[:]); i >= 0 && i%3 == 0 {
		return i/3 + 1
	}
	return 0
}
