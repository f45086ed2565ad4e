// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"io"
	"os"
)

// maxLine is the bytes of a recorded line; longer ones are cut.
const maxLine = 4096

// record writes what passes in one direction, line by line: number, direction,
// text, and '+' where a line was cut.
type record struct {
	prefix string
	line   []byte
}

func newRecord(number string, direction byte) *record {
	return &record{prefix: number + " " + string(rune(direction)) + " "}
}

// take records bytes that have passed.
func (r *record) take(b []byte) {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		part := b
		if i >= 0 {
			part = b[:i]
		}
		for len(r.line)+len(part) > maxLine {
			n := maxLine - len(r.line)
			r.line = append(r.line, part[:n]...)
			part = part[n:]
			r.put("+")
		}
		r.line = append(r.line, part...)
		if i < 0 {
			return
		}
		r.put(" ")
		b = b[i+1:]
	}
}

// put writes the line gathered: as it came, but for the CR before its LF and
// other control bytes, which a terminal must not obey.
func (r *record) put(mark string) {
	text := bytes.TrimSuffix(r.line, []byte("\r"))
	for i, c := range text {
		if c < 32 && c != '\t' || c == 127 {
			text[i] = '?'
		}
	}
	os.Stderr.WriteString(r.prefix + string(text) + mark + "\n")
	r.line = r.line[:0]
}

// end records the direction's end, after what is left of a line.
func (r *record) end() {
	if len(r.line) > 0 {
		r.put("+")
	}
	os.Stderr.WriteString(r.prefix + "[EOF]\n")
}

// pump copies from one side to the other and records it.
func pump(to io.Writer, from io.Reader, r *record) {
	defer r.end()
	buf := make([]byte, 8192)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
			r.take(buf[:n])
		}
		if err != nil {
			return
		}
	}
}
