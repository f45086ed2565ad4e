// SPDX-License-Identifier: ISC

package imap

import "time"

// IsKeyword says whether s can be sent as a keyword.
func IsKeyword(s string) bool { return len(s) <= maxKeyword && isAtom(s) }

// AppendDateTime writes an internal date in quotes: dateTimeForm, without
// reading that form for each message of a mailbox.
func AppendDateTime(b []byte, t time.Time) []byte {
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return append(t.AppendFormat(append(b, '"'), dateTimeForm), '"')
	}
	hour, minute, second := t.Clock()
	_, zone := t.Zone()
	sign := byte('+')
	if zone < 0 {
		sign, zone = '-', -zone
	}
	b = append(b, '"')
	if b = append2(b, day); day < 10 {
		b[len(b)-2] = ' '
	}
	b = append(append(append(b, '-'), months[3*month-3:3*month]...), '-')
	b = append2(append2(b, year/100), year%100)
	b = append2(append(b, ' '), hour)
	b = append2(append(b, ':'), minute)
	b = append2(append(b, ':'), second)
	b = append(b, ' ', sign)
	return append(append2(append2(b, zone/3600), zone/60%60), '"')
}

// append2 writes two digits.
func append2(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// Fail has Flush tell an error: what was written last cannot be completed, and
// the connection must end.
func (w *Writer) Fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
