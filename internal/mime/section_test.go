// SPDX-License-Identifier: ISC

package mime

import (
	"bytes"
	"strings"
	"testing"
	"testing/iotest"
)

// numbered is the message of RFC 3501 §6.4.5's example of part numbers.
const numbered = `Subject: top
Content-Type: multipart/mixed; boundary=A

--A
Content-Type: text/plain

one
--A
Content-Type: application/octet-stream

two
--A
Content-Type: message/rfc822

Subject: three
Content-Type: multipart/mixed; boundary=B

--B
Content-Type: text/plain

three.one
--B
Content-Type: application/octet-stream

three.two
--B--
--A
Content-Type: multipart/mixed; boundary=C

--C
Content-Type: image/gif

four.one
--C
Content-Type: message/rfc822

Subject: four.two
Content-Type: multipart/mixed; boundary=D

--D
Content-Type: text/plain

four.two.one
--D
Content-Type: multipart/alternative; boundary=E

--E
Content-Type: text/plain

four.two.two.one
--E
Content-Type: text/richtext

four.two.two.two
--E--
--D--
--C--
--A--
`

// sections are of numbered: what is to be read in each, "-" for none.
var sections = []struct{ section, want string }{
	{"HEADER", "Subject: top\nContent-Type: multipart/mixed; boundary=A\n\n"},
	{"", numbered},
	{"1", "one"},
	{"1.MIME", "Content-Type: text/plain\n\n"},
	{"1.HEADER", "-"}, {"1.TEXT", "-"}, {"1.1", "-"},
	{"2", "two"},
	{"3.MIME", "Content-Type: message/rfc822\n\n"},
	{"3.HEADER", "Subject: three\nContent-Type: multipart/mixed; boundary=B\n\n"},
	{"3.TEXT", "--B\nContent-Type: text/plain\n\nthree.one\n--B\nContent-Type: application/octet-stream\n\nthree.two\n--B--"},
	{"3", "Subject: three\nContent-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/plain\n\nthree.one\n--B\nContent-Type: application/octet-stream\n\nthree.two\n--B--"},
	{"3.1", "three.one"}, {"3.2", "three.two"}, {"3.3", "-"}, {"3.1.1", "-"},
	{"4.MIME", "Content-Type: multipart/mixed; boundary=C\n\n"},
	{"4.HEADER", "-"}, {"4.TEXT", "-"},
	{"4.1", "four.one"}, {"4.1.MIME", "Content-Type: image/gif\n\n"},
	{"4.2.HEADER", "Subject: four.two\nContent-Type: multipart/mixed; boundary=D\n\n"},
	{"4.2.1", "four.two.one"},
	{"4.2.2", "--E\nContent-Type: text/plain\n\nfour.two.two.one\n--E\nContent-Type: text/richtext\n\nfour.two.two.two\n--E--"},
	{"4.2.2.1", "four.two.two.one"}, {"4.2.2.2", "four.two.two.two"},
	{"4.2.2.2.MIME", "Content-Type: text/richtext\n\n"},
	{"5", "-"}, {"4294967295", "-"}, {"4.2.2.2.1", "-"},
}

func TestSections(t *testing.T) {
	for _, msg := range []string{numbered, strings.ReplaceAll(numbered, "\n", "\r\n")} {
		p := parse(t, msg)
		for _, c := range sections {
			s, err := ParseSection(strings.ToLower(c.section))
			if err != nil {
				t.Fatal(err)
			}
			r, ok := p.Locate(s)
			got := "-"
			if ok {
				var out bytes.Buffer
				if _, err := NewCRLF(&out).Write([]byte(msg[r.From:r.To])); err != nil {
					t.Fatal(err)
				}
				got = strings.ReplaceAll(out.String(), "\r\n", "\n")
				if r.Size != int64(out.Len()) {
					t.Errorf("%s: size %d; want %d", c.section, r.Size, out.Len())
				}
			}
			if got != c.want {
				t.Errorf("section %q = %q; want %q", c.section, got, c.want)
			}
		}
	}
}

// TestSectionsOfOne: a message that is no multipart is its own only part, and
// so is one that is a message.
func TestSectionsOfOne(t *testing.T) {
	text := "Subject: s\n\nbody\n"
	for _, c := range []struct{ msg, section, want string }{
		{text, "1", "body\n"}, {text, "TEXT", "body\n"}, {text, "1.MIME", "Subject: s\n\n"}, {text, "2", "-"}, {text, "1.1", "-"}, {text, "1.TEXT", "-"},
		{"Content-Type: message/rfc822\n\n" + text, "1", text},
		{"Content-Type: message/rfc822\n\n" + text, "1.HEADER", "Subject: s\n\n"},
		{"Content-Type: message/rfc822\n\n" + text, "1.1", "body\n"},
		{"Content-Type: message/rfc822\n\n" + text, "1.1.1", "-"},
	} {
		s, err := ParseSection(c.section)
		if err != nil {
			t.Fatal(err)
		}
		r, ok := parse(t, c.msg).Locate(s)
		if got := c.msg[r.From:r.To]; ok && got != c.want || ok != (c.want != "-") {
			t.Errorf("section %s of %q = %q, %v; want %q", c.section, c.msg, got, ok, c.want)
		}
	}
}

func TestParseSection(t *testing.T) {
	deep := strings.Repeat(".1", maxDepth)[1:]
	for _, s := range []string{"0", "1.0", "01", "1.", ".1", "4294967296", "-1", "1..2", "1.X", "X", "MIME", "HEADER.", "TEXT.1", " 1", "1 ", deep + ".1"} {
		if c, err := ParseSection(s); err == nil {
			t.Errorf("ParseSection(%.20q) = %v; want an error", s, c)
		}
	}
	if c, err := ParseSection(deep + ".HEADER.FIELDS.NOT"); err != nil || len(c.Path) != maxDepth || c.What != HeaderFieldsNot {
		t.Errorf("ParseSection of %d numbers = %v, %v", maxDepth, c, err)
	}
}

func TestFields(t *testing.T) {
	const header = "From x\nSubject: a\n b\nTO : c\nX: d\n\te\nno colon\nto: f\n\n"
	for _, c := range []struct {
		header, names string
		not           bool
		want          string
	}{
		{header, "subject", false, "Subject: a\n b\n\n"},
		{header, "To X-None", false, "TO : c\nto: f\n\n"},
		{header, "To X", true, "From x\nSubject: a\n b\nno colon\n\n"},
		{header, "", false, "\n"},
		{header, "", true, header},
		{"Subject: x", "subject", false, "Subject: x"},
		{"Subject: x\n", "to", false, ""},
		{" x\nTo: y\n\n", "to", false, "To: y\n\n"},
		{" x\nTo: y\n\n", "to", true, " x\n\n"},
		{"", "to", false, ""},
		{strings.Repeat("x", 3*bufferSize) + ": y\nTo: " + strings.Repeat("z", 3*bufferSize) + "\n\n", "to", false, "To: " + strings.Repeat("z", 3*bufferSize) + "\n\n"},
	} {
		want := strings.ReplaceAll(c.want, "\n", "\r\n")
		for _, h := range []string{c.header, strings.ReplaceAll(c.header, "\n", "\r\n")} {
			names := bytes.Fields([]byte(c.names))
			if got := string(Fields([]byte(h), names, c.not)); got != want {
				t.Errorf("Fields(%.80q, %s, %v) = %.80q; want %.80q", h, c.names, c.not, got, want)
			}
			var out bytes.Buffer
			n, err := CopyFields(&out, iotest.OneByteReader(strings.NewReader(h)), names, c.not)
			if err != nil || out.String() != want || n != int64(len(want)) {
				t.Errorf("CopyFields(%.80q, %s, %v) = %d, %v; want %d bytes", h, c.names, c.not, n, err, len(want))
			}
		}
	}
}

func TestEach(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Subject: a\n b\n\tc\nTO : d\nX:\n\nbody: x\n", "Subject=a b\tc|TO=d|X=|"},
		{"From x\n y: z\nA:b:c\n: d\n e: f\nB: \x00\rg", "A=b:c|B=? g|"},
		{" x: y\nA: b\n", "A=b|"},
		{"\nA: b\n", ""},
		{"", ""},
	} {
		for _, in := range []string{c.in, strings.ReplaceAll(c.in, "\n", "\r\n")} {
			var got strings.Builder
			for name, text := range Each([]byte(in)) {
				got.WriteString(name + "=" + text + "|")
			}
			if got.String() != c.want {
				t.Errorf("fields of %q: %s; want %s", in, got.String(), c.want)
			}
		}
	}
	for name := range Each([]byte("A: 1\nB: 2\n")) {
		if name != "A" {
			t.Errorf("%s after a break", name)
		}
		break
	}
}

// TestCRLF writes a text cut at every place.
func TestCRLF(t *testing.T) {
	const in, want = "\na\r\n\r\rb\n\n\r\r\n\rc\r", "\r\na\r\n\r\rb\r\n\r\n\r\r\n\rc\r"
	for i := range len(in) + 1 {
		var out bytes.Buffer
		c := NewCRLF(&out)
		for _, b := range []string{in[:i], in[i:]} {
			if n, err := c.Write([]byte(b)); n != len(b) || err != nil {
				t.Fatalf("Write(%q) = %d, %v", b, n, err)
			}
		}
		if out.String() != want {
			t.Errorf("cut at %d: %q; want %q", i, out.String(), want)
		}
	}
}
