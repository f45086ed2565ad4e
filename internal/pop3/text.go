// SPDX-License-Identifier: ISC

package pop3

import (
	"bytes"
	"io"
)

// text sends a message as RETR and TOP want it: lines end in CRLF, a dot that
// starts a line is doubled, a last line without its end gets one. A bare CR
// goes out as it is and starts no line.
type text struct {
	w     io.Writer
	begun bool // the line being sent has begun
	cr    bool // the last byte was a CR
	lines int  // body lines still wanted; -1 is all
	head  bool // in the header
	size  int  // bytes of the line so far, its end not included
}

var (
	crlf   = []byte("\r\n")
	lf     = []byte("\n")
	dotDot = []byte(".")
)

// feed sends more of the message; done says that no more is wanted.
func (t *text) feed(b []byte) (done bool, err error) {
	for len(b) > 0 {
		if !t.begun && !t.head && t.lines == 0 {
			return true, nil
		}
		i := bytes.IndexByte(b, '\n')
		part := b
		if i >= 0 {
			part = b[:i]
		}
		if err := t.part(part); err != nil {
			return false, err
		}
		if i < 0 {
			return false, nil
		}
		b = b[i+1:]
		if err := t.end(); err != nil {
			return false, err
		}
	}
	return !t.begun && !t.head && t.lines == 0, nil
}

// part sends bytes within a line.
func (t *text) part(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if !t.begun && b[0] == '.' {
		if _, err := t.w.Write(dotDot); err != nil {
			return err
		}
	}
	t.begun = true
	t.cr = b[len(b)-1] == '\r'
	t.size += len(b)
	_, err := t.w.Write(b)
	return err
}

// end ends the line.
func (t *text) end() error {
	ending := crlf
	if t.cr {
		ending = lf
		t.size--
	}
	switch {
	case t.head && t.size == 0:
		t.head = false
	case !t.head && t.lines > 0:
		t.lines--
	}
	t.begun, t.cr, t.size = false, false, 0
	_, err := t.w.Write(ending)
	return err
}

// finish ends a last line that has no end.
func (t *text) finish() error {
	if !t.begun {
		return nil
	}
	return t.end()
}
