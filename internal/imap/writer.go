// SPDX-License-Identifier: ISC

package imap

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// flushAt is how much a Writer gathers.
const flushAt = 64 << 10

// quotedMost is the longest string sent quoted; longer ones are literals.
const quotedMost = 1024

// Writer writes a server's lines. It gathers them in one buffer that goes out
// when it reaches 64 kB or Flush is called; the first error sticks and is
// Flush's. No bytes given to it can end a line or a string early.
type Writer struct {
	// UTF8 says that the client reads UTF-8 in strings and mailbox names: it
	// has enabled UTF8=ACCEPT or IMAP4rev2.
	UTF8 bool

	w   io.Writer
	buf []byte
	err error
}

// NewWriter writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Flush sends what was gathered, and tells the first error there was.
func (w *Writer) Flush() error {
	if w.err == nil && len(w.buf) > 0 {
		_, w.err = w.w.Write(w.buf)
	}
	w.buf = w.buf[:0]
	return w.err
}

// Release is Flush that gives the buffer back, for a session that will wait.
func (w *Writer) Release() error {
	err := w.Flush()
	w.buf = nil
	return err
}

// Err is the first error there was, without writing: nobody hears more.
func (w *Writer) Err() error { return w.err }

// Pending is how many bytes wait for Flush.
func (w *Writer) Pending() int { return len(w.buf) }

func (w *Writer) grown() {
	if len(w.buf) >= flushAt {
		w.Flush() // the error sticks
	}
}

// Raw writes bytes that are IMAP already: words of ours, a kept ENVELOPE.
func (w *Writer) Raw(s string) *Writer {
	w.buf = append(w.buf, s...)
	w.grown()
	return w
}

// RawBytes is Raw of bytes, however many.
func (w *Writer) RawBytes(b []byte) *Writer {
	for {
		n := min(len(b), flushAt-len(w.buf)) // the buffer is never full
		w.buf = append(w.buf, b[:n]...)
		w.grown()
		if b = b[n:]; len(b) == 0 || w.err != nil {
			return w
		}
	}
}

// Number writes a number.
func (w *Writer) Number(n uint64) *Writer {
	w.buf = strconv.AppendUint(w.buf, n, 10)
	w.grown()
	return w
}

// End ends a line.
func (w *Writer) End() *Writer { return w.Raw("\r\n") }

// Untagged begins an untagged line: "* " and words.
func (w *Writer) Untagged(words string) *Writer { return w.Raw("* ").Raw(words) }

// Counted begins an untagged line with a number: * 5 EXISTS.
func (w *Writer) Counted(n uint32, words string) *Writer {
	return w.Raw("* ").Number(uint64(n)).Raw(" ").Raw(words)
}

// Status writes a whole status line: tag (or *), OK, NO, BAD, BYE or PREAUTH,
// a response code without brackets or none, text.
func (w *Writer) Status(tag, status, code, text string) *Writer {
	if tag == "" {
		tag = "*"
	}
	w.Raw(tag).Raw(" ").Raw(status).Raw(" ")
	if code != "" {
		w.Raw("[").text(code).Raw("] ")
	}
	return w.text(text).End()
}

// Refuse answers a command that was not understood.
func (w *Writer) Refuse(e *Error) *Writer { return w.Status(e.Tag, e.Status, e.Code, e.Text) }

// Continue asks for more: "+ text".
func (w *Writer) Continue(text string) *Writer { return w.Raw("+ ").text(text).End() }

// text writes free text, in which control characters become question marks. It
// must not be empty, RFC 9051 §9, nor 8-bit for clients that do not know.
func (w *Writer) text(s string) *Writer {
	if s == "" {
		s = "done"
	}
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == 0x7f || c >= 0x80 && !w.UTF8 {
			c = '?'
		}
		w.buf = append(w.buf, c)
	}
	w.grown()
	return w
}

// String writes a string, quoted if it can be, else as a literal. NUL, which no
// string may hold, becomes U+FFFD.
func (w *Writer) String(s string) *Writer {
	w.buf = appendString(w.buf, s, false, w.UTF8)
	w.grown()
	return w
}

// AString writes an atom if s is one, else a string.
func (w *Writer) AString(s string) *Writer {
	w.buf = appendString(w.buf, s, true, w.UTF8)
	w.grown()
	return w
}

// NString writes a string or NIL.
func (w *Writer) NString(s string, null bool) *Writer {
	if null {
		return w.Raw("NIL")
	}
	return w.String(s)
}

// Mailbox writes a name in the form that the client reads.
func (w *Writer) Mailbox(name string) *Writer {
	return w.AString(EncodeMailbox(name, w.UTF8))
}

// Flags writes a list of flags. What is no flag, and came from the name of a
// file perhaps, is left out.
func (w *Writer) Flags(flags []string) *Writer {
	w.Raw("(")
	first := true
	for _, f := range flags {
		if !isFlag(f) {
			continue
		}
		if !first {
			w.Raw(" ")
		}
		first = false
		w.Raw(f)
	}
	return w.Raw(")")
}

// isFlag takes atoms, with a backslash before them or not, and \*.
func isFlag(f string) bool {
	return f == `\*` || len(f) <= maxKeyword && isAtom(strings.TrimPrefix(f, `\`))
}

func isAtom(s string) bool {
	for i := range len(s) {
		if !isAtomChar(s[i]) {
			return false
		}
	}
	return s != ""
}

// Set writes ranges.
func (w *Writer) Set(rs []Range) *Writer {
	for i := 0; i < len(rs); i += maxItems { // in pieces, so that the buffer stays small
		if i > 0 {
			w.Raw(",")
		}
		w.buf = AppendRanges(w.buf, rs[i:min(i+maxItems, len(rs))])
		w.grown()
	}
	return w
}

// DateTime writes an internal date.
func (w *Writer) DateTime(t time.Time) *Writer {
	w.buf = AppendDateTime(w.buf, t)
	w.grown()
	return w
}

// Item writes the name of a FETCH item.
func (w *Writer) Item(it Item) *Writer {
	w.buf = it.Append(w.buf)
	w.grown()
	return w
}

// Literal writes n bytes of r as a literal, in pieces, as literal8 where the
// bytes may hold NUL. Where r has fewer the line cannot be saved: the error
// sticks, and the connection must end.
func (w *Writer) Literal(r io.Reader, n int64, binary bool) *Writer {
	if binary {
		w.Raw("~")
	}
	w.Raw("{").Number(uint64(n)).Raw("}\r\n")
	for n > 0 && w.err == nil {
		some := int(min(n, int64(flushAt-len(w.buf))))
		w.buf = slices.Grow(w.buf, some)
		got, err := io.ReadFull(r, w.buf[len(w.buf):len(w.buf)+some])
		w.buf = w.buf[:len(w.buf)+got]
		n -= int64(got)
		w.grown()
		if err != nil && w.err == nil {
			w.err = unexpected(err)
		}
	}
	return w
}

// appendString writes s as an atom where atoms may stand, quoted where that
// will do, else as a literal.
func appendString(b []byte, s string, atoms, utf8on bool) []byte {
	if atoms && isAtom(s) && !strings.EqualFold(s, "NIL") {
		return append(b, s...)
	}
	s = strings.ReplaceAll(s, "\x00", "\ufffd")
	if !quotable(s, utf8on) {
		b = append(b, '{')
		b = strconv.AppendInt(b, int64(len(s)), 10)
		return append(append(b, "}\r\n"...), s...)
	}
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

func quotable(s string, utf8on bool) bool {
	for i := range len(s) {
		if c := s[i]; c == '\r' || c == '\n' || c >= 0x80 && !utf8on {
			return false
		}
	}
	return len(s) <= quotedMost && (!utf8on || utf8.ValidString(s))
}
