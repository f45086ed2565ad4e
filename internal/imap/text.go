// SPDX-License-Identifier: ISC

package imap

import "time"

// IsKeyword says whether s can be sent as a keyword.
func IsKeyword(s string) bool { return len(s) <= maxKeyword && isAtom(s) }

// AppendDateTime writes an internal date in quotes.
func AppendDateTime(b []byte, t time.Time) []byte {
	return append(t.AppendFormat(append(b, '"'), dateTimeForm), '"')
}

// Fail has Flush tell an error: what was written last cannot be completed, and
// the connection must end.
func (w *Writer) Fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
