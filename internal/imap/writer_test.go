// SPDX-License-Identifier: ISC

package imap

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func written(utf8on bool, f func(*Writer)) string {
	var b bytes.Buffer
	w := NewWriter(&b)
	w.UTF8 = utf8on
	f(w)
	if err := w.Flush(); err != nil {
		return err.Error()
	}
	return b.String()
}

func TestWriter(t *testing.T) {
	date := time.Date(1996, 7, 7, 2, 44, 25, 0, time.FixedZone("", -7*3600))
	for _, c := range []struct {
		want string
		f    func(*Writer)
	}{
		// RFC 9051 §7 and §8
		{"* OK [ALERT] System shutdown in 10 minutes\r\n", func(w *Writer) { w.Status("", "OK", "ALERT", "System shutdown in 10 minutes") }},
		{"a1 OK done\r\n", func(w *Writer) { w.Status("a1", "OK", "", "") }},
		{"+ go on\r\n", func(w *Writer) { w.Continue("go on") }},
		{"* 23 EXISTS\r\n", func(w *Writer) { w.Counted(23, "EXISTS").End() }},
		{"* 12 FETCH (FLAGS (\\Seen) UID 5)\r\n", func(w *Writer) {
			w.Counted(12, "FETCH (FLAGS ").Flags([]string{`\Seen`}).Raw(" UID ").Number(5).Raw(")").End()
		}},
		{"* LIST (\\Noselect) \"/\" ~/Mail/foo\r\n", func(w *Writer) {
			w.Untagged("LIST ").Flags([]string{`\Noselect`}).Raw(" ").String("/").Raw(" ").Mailbox("~/Mail/foo").End()
		}},
		{"* ESEARCH (TAG \"A285\") UID MIN 7 ALL 2,10:11\r\n", func(w *Writer) { // RFC 4731 §3.1
			w.Untagged("ESEARCH (TAG ").String("A285").Raw(") UID MIN ").Number(7).Raw(" ALL ").Set([]Range{{2, 2}, {10, 11}}).End()
		}},
		{"\" 7-Jul-1996 02:44:25 -0700\"", func(w *Writer) { w.DateTime(date) }},
		{"BODY[TEXT]<0> {5}\r\nhello)", func(w *Writer) {
			it := Item{Kind: ItemSection, Section: Section{Name: "TEXT"}, Partial: &Partial{0, 5}}
			w.Item(it).Raw(" ").Literal(strings.NewReader("hello world"), 5, false).Raw(")")
		}},
		{"~{3}\r\na\x00b", func(w *Writer) { w.Literal(strings.NewReader("a\x00b"), 3, true) }},
		{"{0}\r\n", func(w *Writer) { w.Literal(strings.NewReader(""), 0, false) }},
		{`NIL "" "NIL"`, func(w *Writer) { w.NString("x", true).Raw(" ").NString("", false).Raw(" ").AString("NIL") }},
		{`"a\"b\\c" a]`[:len(`"a\"b\\c"`)], func(w *Writer) { w.String(`a"b\c`) }},
		{"{3}\r\na\r\n {2}\r\nü", func(w *Writer) { w.String("a\r\n").Raw(" ").String("ü") }},
		{"&U,BTFw- \"a b\" \"\" \"&-%\"", func(w *Writer) {
			w.Mailbox("台北").Raw(" ").Mailbox("a b").Raw(" ").Mailbox("").Raw(" ").Mailbox("&%")
		}},
		{"()", func(w *Writer) { w.Flags(nil) }},
		{"a BAD [TOOBIG] literal too large\r\n", func(w *Writer) { w.Refuse(&Error{Tag: "a", Status: "BAD", Code: "TOOBIG", Text: "literal too large"}) }},
		{"* BAD expected a tag\r\n", func(w *Writer) { w.Refuse(&Error{Status: "BAD", Text: "expected a tag"}) }},
	} {
		if got := written(false, c.f); got != c.want {
			t.Errorf("got %q; want %q", got, c.want)
		}
	}
	if got, want := written(true, func(w *Writer) {
		w.String("ü").Raw(" ").Mailbox("台北").Raw(" ").String("\xff").Raw(" ").Mailbox("\xff")
	}),
		"\"ü\" \"台北\" {1}\r\n\xff \"\ufffd\""; got != want {
		t.Errorf("UTF-8: %q; want %q", got, want)
	}
}

// TestMI6: what is no flag is not written, whatever a file's name gave; text
// ends no line.
func TestMI6(t *testing.T) {
	got := written(false, func(w *Writer) {
		w.Flags([]string{"\x01SZ", `\Seen`, "a b", "a\r\nb", "", `\`, `\*`, "(", "ü", strings.Repeat("x", maxKeyword+1), "$Junk", `\\x`})
		w.Status("a", "NO", "CODE\r\n", "x\r\n* BYE\x00\x7fü")
	})
	if want := "(\\Seen \\* $Junk)a NO [CODE??] x??* BYE????\r\n"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
	if got, want := written(false, func(w *Writer) { w.String("a\x00b") }), "{5}\r\na\ufffdb"; got != want {
		t.Errorf("NUL in a string: %q; want %q", got, want)
	}
}

// pieces notes the sizes of writes.
type pieces struct{ sizes []int }

func (p *pieces) Write(b []byte) (int, error) {
	p.sizes = append(p.sizes, len(b))
	return len(b), nil
}

// TestWriterBounded: the buffer goes out at 64 kB, in lines and in literals.
func TestWriterBounded(t *testing.T) {
	var p pieces
	w := NewWriter(&p)
	for range 10000 {
		w.Untagged("1 EXISTS, 2 EXISTS, 3 EXISTS").End()
	}
	many := make([]Range, 100000)
	for i := range many {
		many[i] = Range{uint32(3*i + 1), uint32(3*i + 2)}
	}
	w.Set(many)
	w.Literal(iotest.HalfReader(strings.NewReader(strings.Repeat("x", 1<<20))), 1<<20, false)
	if n := w.Pending(); n >= flushAt {
		t.Errorf("%d bytes pending", n)
	}
	if err := w.Release(); err != nil || w.Pending() != 0 || w.buf != nil {
		t.Errorf("Release: %v, %d pending", err, w.Pending())
	}
	total := 0
	for _, n := range p.sizes[:len(p.sizes)-1] {
		if total += n; n < flushAt || n > 2*flushAt {
			t.Errorf("a write of %d bytes; want 64 kB", n)
		}
	}
	if total < 2<<20 {
		t.Errorf("%d bytes; want all", total)
	}
}

// TestWriterErrors: the first error sticks.
func TestWriterErrors(t *testing.T) {
	if got := written(false, func(w *Writer) { w.Literal(strings.NewReader("abc"), 5, false) }); got != io.ErrUnexpectedEOF.Error() {
		t.Errorf("short literal: %q", got)
	}
	w := NewWriter(failing{})
	w.Raw(strings.Repeat("x", flushAt)).Raw("y")
	if err := w.Flush(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Flush = %v; want the first error", err)
	}
	w.Literal(strings.NewReader("abc"), 3, false)
	if err := w.Release(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Release = %v; want the first error", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestWriterLarge: of a line that is there already no second copy is gathered.
func TestWriterLarge(t *testing.T) {
	line := []byte(strings.Repeat("0123456789", flushAt))
	var out bytes.Buffer
	w := NewWriter(&out)
	w.Raw("* ").RawBytes(line).Raw("|").RawBytes(nil).RawBytes(line)
	if c := cap(w.buf); c > 2*flushAt {
		t.Errorf("%d bytes are gathered; want at most %d", c, 2*flushAt)
	}
	if err := w.Flush(); err != nil || out.String() != "* "+string(line)+"|"+string(line) {
		t.Errorf("%d bytes, %v; want %d", out.Len(), err, 3+2*len(line))
	}
}
