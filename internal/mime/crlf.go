// SPDX-License-Identifier: ISC

package mime

import (
	"bytes"
	"io"
)

// CRLF writes a text in CRLF form: a CR is put before each LF that has none.
type CRLF struct {
	w  io.Writer
	n  int64 // bytes written
	cr bool
}

// NewCRLF writes to w, in pieces as short as lines: give it a buffer.
func NewCRLF(w io.Writer) *CRLF { return &CRLF{w: w} }

// Write writes b, and tells how much of b it took.
func (c *CRLF) Write(b []byte) (took int, err error) {
	for took < len(b) {
		rest := b[took:]
		i := bytes.IndexByte(rest, '\n')
		switch {
		case i < 0:
			i = len(rest)
			c.cr = rest[i-1] == '\r'
		case i > 0 && rest[i-1] == '\r', i == 0 && c.cr:
			i++
			c.cr = false
		default:
			if err := c.put(rest[:i]); err != nil {
				return took, err
			}
			if err := c.put([]byte("\r\n")); err != nil {
				return took, err
			}
			took += i + 1
			c.cr = false
			continue
		}
		if err := c.put(rest[:i]); err != nil {
			return took, err
		}
		took += i
	}
	return took, nil
}

func (c *CRLF) put(b []byte) error {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return err
}
