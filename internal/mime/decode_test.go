// SPDX-License-Identifier: ISC

package mime

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// encodings are texts in a transfer encoding, good and bad (attacks.md MI5).
var encodings = []struct{ encoding, in, want string }{
	{"", "a=20\x00", "a=20\x00"},
	{"BINARY", "a=20\x00", "a=20\x00"},
	{"Base64", "", ""},
	{"base64", "TWFu", "Man"},
	{"base64", "TWE=", "Ma"},
	{"base64", "TQ==", "M"},
	{"base64", "TWFu\r\nTWFu\r\n", "ManMan"},
	{"base64", "TQ==TWE=", "MMa"},
	{"base64", "T!W\x00F\xffu", "Man"},
	{"base64", "TWE", "Ma"},
	{"base64", "T", ""},
	{"base64", "====", ""},
	{"base64", "+/+/", "\xfb\xff\xbf"},
	// RFC 2045 §6.7
	{"quoted-printable", "Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.", "Now's the time for all folk to come to the aid of their country."},
	{"quoted-printable", "a=3Db=c3=BC", "a=b\u00fc"},
	{"quoted-printable", "a  \t\r\nb \n", "a\r\nb\n"},
	{"quoted-printable", "a =\nb", "a b"},
	{"quoted-printable", "a= \t\r\nb", "ab"},
	{"quoted-printable", "a=", "a"},
	{"quoted-printable", "a=\r", "a"},
	{"quoted-printable", "a=4", "a=4"},
	{"quoted-printable", "a  ", "a"},
	{"quoted-printable", "=XY=4X=\x00==41", "=XY=4X=\x00=A"},
	{"quoted-printable", "=4\nx= y=", "=4\nx= y"},
	{"quoted-printable", "a\rb \rc", "a\rb \rc"},
	{"quoted-printable", strings.Repeat(" ", 5000) + "x", strings.Repeat(" ", 5000) + "x"},
	{"quoted-printable", "=" + strings.Repeat(" ", 5000) + "x", "=" + strings.Repeat(" ", 5000) + "x"},
}

func TestDecode(t *testing.T) {
	for _, c := range encodings {
		for _, in := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in)), iotest.DataErrReader(strings.NewReader(c.in))} {
			r, ok := Decode(in, c.encoding)
			got, err := io.ReadAll(r)
			if !ok || err != nil || string(got) != c.want {
				t.Errorf("Decode(%.60q, %s) = %.60q, %v, %v; want %.60q", c.in, c.encoding, got, ok, err, c.want)
			}
		}
	}
	if r, ok := Decode(strings.NewReader("begin 644 x\n"), "x-uuencode"); ok || r == nil {
		t.Error("x-uuencode is known")
	}
}

// TestStreams: streams behave as readers must, and end with the reader's error.
func TestStreams(t *testing.T) {
	want := bytes.Repeat([]byte("Man\xe4"), 5000)
	in := strings.Repeat("TWFu5A==\n", 5000)
	r, _ := Decode(strings.NewReader(in), "base64")
	if err := iotest.TestReader(r, want); err != nil {
		t.Error(err)
	}
	r, _ = Decode(io.MultiReader(strings.NewReader("TWFu"), iotest.ErrReader(io.ErrNoProgress)), "base64")
	if got, err := io.ReadAll(r); string(got) != "Man" || err != io.ErrNoProgress {
		t.Errorf("ReadAll = %q, %v; want what was there and the reader's error", got, err)
	}
}

func TestTextReader(t *testing.T) {
	for _, c := range []struct{ header, body, want string }{
		{"", "a\xc3\xa4\xff", "a\xc3\xa4\xff"},
		{"Content-Type: text/plain; charset=utf-8", "a\xc3\xa4\xff", "a\xc3\xa4\xff"},
		{"Content-Type: text/plain; charset=koi8-r", "a\xc3", "a\xc3"},
		{"Content-Type: text/plain; charset=ISO-8859-1", "a\xa4\x80", "a\u00a4\u0080"},
		{"Content-Type: text/plain; charset=iso-8859-15", "\xa4\xa6\xa8\xb4\xb8\xbc\xbd\xbe\xe4", "€ŠšŽžŒœŸä"},
		{"Content-Type: text/plain; charset=windows-1252", "\x80\x85\x92\x9f\x81\xe4", "€…’Ÿ\u0081ä"},
		{"Content-Type: text/plain; charset=windows-1252\nContent-Transfer-Encoding: base64", "gOQ=", "€ä"},
		{"Content-Type: text/plain; charset=latin1\nContent-Transfer-Encoding: quoted-printable", "=E4=\n=f6", "äö"},
		{"Content-Transfer-Encoding: x-unknown", "=E4", "=E4"},
	} {
		msg := c.header + "\n\n" + c.body
		p := parse(t, strings.TrimPrefix(msg, "\n"))
		got, err := io.ReadAll(p.TextReader(strings.NewReader(c.body)))
		if err != nil || string(got) != c.want {
			t.Errorf("text of %q = %q, %v; want %q", msg, got, err, c.want)
		}
	}
}

// TestGarbage holds attacks.md MI5: what makes no sense is told as it is, and is
// text or bytes like any other.
func TestGarbage(t *testing.T) {
	for _, c := range []struct{ msg, structure, date, text string }{
		{"Date: 99 Foo 99999 \x01\n\nx", `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0)`, "99 Foo 99999 \x01", "x"},
		{"Date: " + strings.Repeat("9", 100) + "\nContent-Type: text/plain; charset=\"\\\"\x01\"\n\n\xff",
			"(\"text\" \"plain\" (\"charset\" {2}\r\n\"\x01) NIL NIL \"7bit\" 1 0)", strings.Repeat("9", 100), "\xff"},
		{"Content-Transfer-Encoding: x\"y z\n\n=41", `("text" "plain" ("charset" "us-ascii") NIL NIL "x" 3 0)`, "", "=41"},
		{"Content-Transfer-Encoding: \"base64\"\n\nQQ==", `("text" "plain" ("charset" "us-ascii") NIL NIL "base64" 4 0)`, "", "A"},
		{"Content-Transfer-Encoding: base64\n\nbegin 644 x\n#0V%T\n`\nend\n", `("text" "plain" ("charset" "us-ascii") NIL NIL "base64" 28 4)`, "", "m\xe8"},
		{"Content-Type: application/ms-tnef; name=winmail.dat\n\n\x78\x9f\x3e\x22\x00", `("application" "ms-tnef" ("name" "winmail.dat") NIL NIL "7bit" 5)`, "", "\x78\x9f\x3e\x22\x00"},
	} {
		p := parse(t, c.msg)
		text, err := io.ReadAll(p.TextReader(strings.NewReader(c.msg[p.Body:p.End])))
		got := string(p.AppendStructure(nil, false))
		if err != nil || got != c.structure || p.Envelope.Date.Value != c.date || !strings.HasPrefix(string(text), c.text) {
			t.Errorf("%q: %s, %q, %q, %v; want %s, %q, %q", c.msg, got, p.Envelope.Date.Value, text, err, c.structure, c.date, c.text)
		}
	}
}

// encodedWords are texts of RFC 2047 §8 and others.
var encodedWords = []struct{ in, want string }{
	{"", ""},
	{"plain = ? text", "plain = ? text"},
	{"=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"},
	{"=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>", "Keld Jørn Simonsen <keld@dkuug.dk>"},
	{"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
		"If you can read this yo\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?="},
	{"(=?ISO-8859-1?Q?a?=)", "(a)"},
	{"(=?ISO-8859-1?Q?a?= b)", "(a b)"},
	{"(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"},
	{"(=?ISO-8859-1?Q?a?=  \n  =?ISO-8859-1?Q?b?=)", "(ab)"},
	{"(=?ISO-8859-1?Q?a_b?=)", "(a b)"},
	{"(=?ISO-8859-1?Q?a?= =?utf-8?Q?_b?=)", "(a b)"},
	{"=?utf-8?q?=C3?= =?utf-8?b?pA==?=", "ä"},
	{"=?utf-8?q?a?= ", "a "},
	{"=?us-ascii*en?q?a?=", "a"},
	{"x=?utf-8?q?a b?=y", "xa by"},
	{"=?windows-1252?q?=80?=", "€"},
	{"=?utf-8?q??= =?utf-8?q?a?=", "a"},
	// broken
	{"=?", "=?"},
	{"=?utf-8?", "=?utf-8?"},
	{"=?utf-8?q?a", "=?utf-8?q?a"},
	{"=?utf-8?q?a?", "=?utf-8?q?a?"},
	{"=?utf-8?q?a?x", "=?utf-8?q?a?x"},
	{"=?utf-8?x?a?=", "=?utf-8?x?a?="},
	{"=?x?q?a?=", "=?x?q?a?="},
	{"=??q?a?=", "=??q?a?="},
	{"=?utf 8?q?a?=", "=?utf 8?q?a?="},
	{"=?utf-8?q?=4?= =?utf-8?q?=XY?=", "=4=XY"},
	{"=?=?utf-8?q?a?=", "=?a"},
}

func TestDecodeWords(t *testing.T) {
	for _, c := range encodedWords {
		if got := DecodeWords(c.in); got != c.want {
			t.Errorf("DecodeWords(%q) = %q; want %q", c.in, got, c.want)
		}
	}
}

// TestBrokenWords holds attacks.md MI4: the work is linear.
func TestBrokenWords(t *testing.T) {
	for _, s := range []string{"=?x?q?", "=?", "?", "=?utf-8?q?", "=?utf-8?q?a?= ", "=?utf-8?b?=?=", "=?utf-8?q?a?x"} {
		for _, n := range []int{100000, 200000} {
			d := wordDecoder{}
			if d.decode(strings.Repeat(s, n)); d.steps > 5*n*len(s) {
				t.Errorf("%d times %q: %d steps", n, s, d.steps)
			}
		}
	}
}

func FuzzWords(f *testing.F) {
	for _, c := range encodedWords {
		f.Add(c.in)
	}
	for _, c := range encodings {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := wordDecoder{}
		if d.decode(s); d.steps > 5*len(s)+5 || len(d.dst) > 3*len(s) {
			t.Fatalf("%d steps, %d bytes of %q", d.steps, len(d.dst), s)
		}
		if !strings.Contains(s, "=?") && string(d.dst) != s {
			t.Fatalf("DecodeWords(%q) = %q without a word in it", s, d.dst)
		}
		for _, encoding := range []string{"base64", "quoted-printable"} {
			p := Part{Encoding: encoding, Params: []Param{{"charset", "latin1"}}}
			whole, _ := io.ReadAll(p.TextReader(strings.NewReader(s)))
			bytewise, _ := io.ReadAll(p.TextReader(iotest.OneByteReader(strings.NewReader(s))))
			if !utf8.Valid(whole) || !bytes.Equal(whole, bytewise) || len(whole) > 2*len(s) {
				t.Fatalf("%s of %q: %q, byte by byte %q", encoding, s, whole, bytewise)
			}
		}
	})
}

func TestUTF8(t *testing.T) {
	for _, c := range []struct {
		charset, in, want string
		ok                bool
	}{
		{"", "é", "é", true}, {"UTF-8", "\xff", "\xff", true}, {"us-ascii", "a", "a", true}, {"ISO-8859-1", "\xe9\xa4", "é¤", true},
		{"iso-8859-15", "\xe9\xa4", "é€", true}, {"WINDOWS-1252", "\x80a", "€a", true}, {"KOI8-R", "\xe9", "\xe9", false},
	} {
		if got, ok := UTF8(c.charset, c.in); got != c.want || ok != c.ok {
			t.Errorf("UTF8(%q, %q) = %q, %v; want %q, %v", c.charset, c.in, got, ok, c.want, c.ok)
		}
	}
}

// TestBase64Groups: base64 in groups is that of each byte, however it is cut and
// whatever stands in between.
func TestBase64Groups(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		in := make([]byte, rng.IntN(60))
		for i := range in {
			if in[i] = "ABcz09+/"[rng.IntN(8)]; rng.IntN(8) == 0 {
				in[i] = "=\n\r \xff\x00-@"[rng.IntN(8)]
			}
		}
		var one, all base64
		var want, got []byte
		for _, c := range in {
			want = one.push(want, c)
		}
		cut := rng.IntN(len(in) + 1)
		got = all.pushAll(all.pushAll(nil, in[:cut]), in[cut:])
		if got, want = all.end(got), one.end(want); !bytes.Equal(got, want) {
			t.Fatalf("%q cut at %d = %x; want %x", in, cut, got, want)
		}
	}
}
