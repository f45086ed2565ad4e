// SPDX-License-Identifier: ISC

package imapfetch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"quill/internal/digest"
	"quill/internal/imap"
	"quill/internal/mailbox"
)

// box is a mailbox in memory; of its first message the number is 1.
type box struct {
	messages []string
	kept     map[int][]byte
	opened   int
	closed   int
	read     int64 // bytes
	cut      int64 // how much of each message can be read; 0: all
}

func newBox(messages ...string) *box { return &box{messages: messages, kept: map[int][]byte{}} }

type content struct {
	io.ReaderAt
	b    *box
	size int64
}

func (c *content) Size() int64  { return c.size }
func (c *content) Close() error { c.b.closed++; return nil }
func (c *content) ReadAt(b []byte, at int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(b, at)
	c.b.read += int64(n)
	return n, err
}

func (b *box) Open(seq int) (mailbox.Content, error) {
	text := b.messages[seq-1]
	if text == "gone" {
		return nil, fmt.Errorf("opening message %d: %w", seq, fs.ErrNotExist)
	}
	b.opened++
	size := int64(len(text))
	if b.cut > 0 {
		text = text[:b.cut]
	}
	return &content{strings.NewReader(text), b, size}, nil
}
func (b *box) Kept(seq int) []byte         { return b.kept[seq] }
func (b *box) Keep(seq int, digest []byte) { b.kept[seq] = digest }
func (b *box) message(seq int) *mailbox.Message {
	text := b.messages[seq-1]
	return &mailbox.Message{UID: uint32(seq), Size: int64(len(text)), Wire: int64(len(crlf(text)))}
}

// crlf is a text in CRLF form, made in another way than the package does.
func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

// items reads what a client asks for.
func items(t testing.TB, s string) []imap.Item {
	t.Helper()
	r := imap.NewReader(strings.NewReader("a FETCH 1 "+s+"\r\n"), func(string) error { return nil })
	r.LoggedIn = true
	c, err := r.Next()
	if err != nil {
		t.Fatalf("FETCH 1 %s: %v", s, err)
	}
	return c.Fetch.Items
}

// fetch is what is written of a message.
func (b *box) fetch(t testing.TB, seq int, ask string, cache *Cache) (string, error) {
	t.Helper()
	var out bytes.Buffer
	w := imap.NewWriter(&out)
	err := New(w, b, items(t, ask), Options{Cache: cache}).Message(seq, b.message(seq), false)
	if e := w.Flush(); e != nil && err == nil {
		t.Fatal(e)
	}
	return out.String(), err
}

// rfc3501 is the message of RFC 3501 §8's example, as far as it shows it.
const rfc3501 = `Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)
From: Terry Gray <gray@cac.washington.edu>
Subject: IMAP4rev1 WG mtg summary and minutes
To: imap@cac.washington.edu
cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>
Message-Id: <B27397-0100000@cac.washington.edu>
MIME-Version: 1.0
Content-Type: TEXT/PLAIN; CHARSET=US-ASCII

two
lines
`

// mixed has parts of all encodings.
const mixed = `Subject: top
X-Other: 1
Content-Type: multipart/mixed; boundary=A

--A
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

caf=C3=A9
--A
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64

AAEC
Aw==
--A
Content-Type: message/rfc822

Subject: three
To: x@y.example

inner
--A
Content-Type: application/x
Content-Transfer-Encoding: x-uue

?
--A
Content-Type: multipart/alternative; boundary=B

--B

five.one
--B--
--A--
`

const header3501 = "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\nSubject: IMAP4rev1 WG mtg summary and minutes\r\n" +
	"To: imap@cac.washington.edu\r\ncc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\nMessage-Id: <B27397-0100000@cac.washington.edu>\r\n" +
	"MIME-Version: 1.0\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n"

// answers are what is asked of a message and what is answered, between the
// brackets.
var answers = []struct{ msg, ask, want string }{
	// RFC 3501 §8's ENVELOPE and BODY
	{rfc3501, "ENVELOPE", `ENVELOPE ("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary and minutes" (("Terry Gray" NIL "gray" "cac.washington.edu")) ` +
		`(("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) ((NIL NIL "imap" "cac.washington.edu")) ` +
		`((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL "<B27397-0100000@cac.washington.edu>")`},
	{rfc3501, "BODY", `BODY ("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7bit" 12 2)`},
	{rfc3501, "BODYSTRUCTURE", `BODYSTRUCTURE ("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7bit" 12 2 NIL NIL NIL NIL)`},
	{rfc3501, "BODY[HEADER]", fmt.Sprintf("BODY[HEADER] {%d}\r\n", len(header3501)) + header3501},
	{rfc3501, "RFC822.HEADER", fmt.Sprintf("RFC822.HEADER {%d}\r\n", len(header3501)) + header3501},
	{rfc3501, "RFC822.TEXT", "RFC822.TEXT {12}\r\ntwo\r\nlines\r\n"},
	{rfc3501, "(RFC822.SIZE RFC822)", fmt.Sprintf("RFC822.SIZE %d RFC822 {%[1]d}\r\n", len(header3501)+12) + header3501 + "two\r\nlines\r\n"},
	// the order is the client's, what is asked twice is answered once
	{rfc3501, "(BODY[TEXT] UID BODY.PEEK[TEXT] UID)", "BODY[TEXT] {12}\r\ntwo\r\nlines\r\n UID 1"},
	{rfc3501, "BODY.PEEK[HEADER.FIELDS (date MESSAGE-ID)]", "BODY[HEADER.FIELDS (date MESSAGE-ID)] {96}\r\nDate: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nMessage-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n"},
	{rfc3501, "BODY[HEADER.FIELDS.NOT (date from subject to cc message-id content-type)]<6.7>", "BODY[HEADER.FIELDS.NOT (date from subject to cc message-id content-type)]<6> {7}\r\nersion:"},
	{rfc3501, "BODY[HEADER.FIELDS (mime-version)]", "BODY[HEADER.FIELDS (mime-version)] {21}\r\nMIME-Version: 1.0\r\n\r\n"},
	{rfc3501, "BODY[HEADER.FIELDS (subject)]<9.5>", "BODY[HEADER.FIELDS (subject)]<9> {5}\r\nIMAP4"},
	{rfc3501, "BODY[HEADER.FIELDS (x-none)]", "BODY[HEADER.FIELDS (x-none)] {2}\r\n\r\n"},
	// RFC 3501 §6.4.5: a partial that is cut by the end, or lies behind it
	{rfc3501, "BODY[TEXT]<0.2048>", "BODY[TEXT]<0> {12}\r\ntwo\r\nlines\r\n"},
	{rfc3501, "BODY[TEXT]<3.3>", "BODY[TEXT]<3> {3}\r\n\r\nl"},
	{rfc3501, "BODY[TEXT]<12.1>", `BODY[TEXT]<12> ""`},
	{rfc3501, "BODY[TEXT]<9223372036854775807.9223372036854775807>", `BODY[TEXT]<9223372036854775807> ""`},
	{rfc3501, "BODY[1]", "BODY[1] {12}\r\ntwo\r\nlines\r\n"},
	{rfc3501, "(BODY[2] BODY[1.1] BODY[1.HEADER])", "BODY[2] NIL BODY[1.1] NIL BODY[1.HEADER] NIL"},
	{rfc3501, "BODY[1.MIME]", fmt.Sprintf("BODY[1.MIME] {%d}\r\n", len(header3501)) + header3501},
	{mixed, "BODY[1.MIME]<0.20>", "BODY[1.MIME]<0> {20}\r\nContent-Type: text/p"},
	{mixed, "(BODY[1] BODY[3.HEADER.FIELDS (to)] BODY[3.TEXT] BODY[5.1])", "BODY[1] {9}\r\ncaf=C3=A9 BODY[3.HEADER.FIELDS (to)] {19}\r\nTo: x@y.example\r\n\r\n BODY[3.TEXT] {5}\r\ninner BODY[5.1] {8}\r\nfive.one"},
	{mixed, "BODY[3.HEADER.FIELDS.NOT (to)]", "BODY[3.HEADER.FIELDS.NOT (to)] {18}\r\nSubject: three\r\n\r\n"},
	// RFC 3516 §4.2 and §4.3: decoded; a literal8 where there is NUL in it
	{mixed, "(BINARY[1] BINARY.SIZE[1])", "BINARY[1] {5}\r\ncaf\xc3\xa9 BINARY.SIZE[1] 5"},
	{mixed, "(BINARY.PEEK[2] BINARY[2]<1.2> BINARY[2]<4.1> BINARY.SIZE[2])", "BINARY[2] ~{4}\r\n\x00\x01\x02\x03 BINARY[2]<1> {2}\r\n\x01\x02 BINARY[2]<4> \"\" BINARY.SIZE[2] 4"},
	{mixed, "(BINARY[3]<0.7> BINARY[5]<0.3> BINARY[9] BINARY.SIZE[9])", "BINARY[3]<0> {7}\r\nSubject BINARY[5]<0> {3}\r\n--B BINARY[9] NIL BINARY.SIZE[9] 0"},
	{rfc3501, "(BINARY[]<0.4> BINARY.SIZE[])", fmt.Sprintf("BINARY[]<0> {4}\r\nDate BINARY.SIZE[] %d", len(header3501)+12)},
	// NUL is no byte of a literal, and one of a literal8
	{"A: \x00\n\n\x00b", "(BODY[] BODY[TEXT] BODY[HEADER.FIELDS (a)] BINARY[1])", "BODY[] {10}\r\nA: \x80\r\n\r\n\x80b BODY[TEXT] {2}\r\n\x80b BODY[HEADER.FIELDS (a)] {8}\r\nA: \x80\r\n\r\n BINARY[1] ~{2}\r\n\x00b"},
	{"", "(BODY[] BODY[HEADER] BODY[TEXT] BODY[1] RFC822.SIZE)", `BODY[] "" BODY[HEADER] "" BODY[TEXT] "" BODY[1] "" RFC822.SIZE 0`},
	{"A: b", "(BODY[] BODY[HEADER] BODY[TEXT])", "BODY[] {4}\r\nA: b BODY[HEADER] {4}\r\nA: b BODY[TEXT] \"\""},
	{"A: b\n\r\nc\rd\r\n\ne", "(BODY[TEXT] BODY[HEADER])", "BODY[TEXT] {8}\r\nc\rd\r\n\r\ne BODY[HEADER] {8}\r\nA: b\r\n\r\n"},
	{"Subject: \x00x\n\n", "BODY[HEADER.FIELDS (subject)]", "BODY[HEADER.FIELDS (subject)] {15}\r\nSubject: \x80x\r\n\r\n"},
}

// TestAnswers asks each question of a new mailbox, of one that has kept the
// digest, and of the message with CRLF.
func TestAnswers(t *testing.T) {
	for _, c := range answers {
		want := "* 1 FETCH (" + c.want + ")\r\n"
		b := newBox(c.msg)
		full := newBox(crlf(c.msg))
		for _, b := range []*box{b, b, full, full} {
			var cache Cache
			if got, err := b.fetch(t, 1, c.ask, &cache); err != nil || got != want {
				t.Errorf("FETCH 1 %s of %.30q = %q, %v; want %q", c.ask, c.msg, got, err, want)
			}
			if err := cache.Close(); err != nil || b.opened != b.closed {
				t.Errorf("%d opened, %d closed, %v", b.opened, b.closed, err)
			}
		}
	}
}

// TestBinaryExact: a part that says it is binary comes as it was appended, if it
// was; lines of text end in CRLF (RFC 3516 §4.4 and §6).
func TestBinaryExact(t *testing.T) {
	const data = "a\nb\rc\x00d\r\ne\n"
	for _, c := range []struct{ head, want string }{
		{"Content-Type: application/x\r\nContent-Transfer-Encoding: BINARY\r\n\r\n", data},
		{"Content-Type: application/x\nContent-Transfer-Encoding: binary\n\n", crlf(data)},
		{"Content-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\n", crlf(data)},
		{"Content-Type: application/x\r\n\r\n", crlf(data)},
	} {
		b := newBox(c.head + data)
		for range 2 {
			var cache Cache
			for _, ask := range []string{"(BINARY.SIZE[1] BINARY[1])", "(BINARY.SIZE[1] BINARY[1] BINARY[1]<3.4>)"} {
				want := fmt.Sprintf("* 1 FETCH (BINARY.SIZE[1] %d BINARY[1] ~{%[1]d}\r\n%s", len(c.want), c.want)
				got, err := b.fetch(t, 1, ask, &cache)
				if err != nil || !strings.HasPrefix(got, want) || strings.Contains(ask, "<") && !strings.HasSuffix(got, c.want[3:7]+")\r\n") {
					t.Errorf("%s after %q = %q, %v; want %q", ask, c.head, got, err, want)
				}
			}
			if err := cache.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestKnown: what the index and a digest tell is not read from the message.
func TestKnown(t *testing.T) {
	b := newBox(mixed)
	for _, c := range []struct {
		ask  string
		want int // times it was opened in all
	}{
		{"(UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ)", 0},
		{"BODY.PEEK[HEADER.FIELDS (from)]", 1},
		{"(ENVELOPE BODY BODYSTRUCTURE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (Subject TO)])", 1},
		{"BODY.PEEK[HEADER.FIELDS (from x-other)]", 2},
	} {
		var cache Cache
		if _, err := b.fetch(t, 1, c.ask, &cache); err != nil || b.opened != c.want {
			t.Errorf("%s: opened %d times, %v; want %d", c.ask, b.opened, err, c.want)
		}
		if err := cache.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestHeaderOnly: of a message whose digest is kept no more than the header is
// read for fields that are not kept.
func TestHeaderOnly(t *testing.T) {
	b := newBox("X-Other: 1\nSubject: s\n\n" + strings.Repeat("body\n", 1<<18))
	var cache Cache
	for i, ask := range []string{"ENVELOPE", "BODY[HEADER.FIELDS (x-other)]", "BODY[HEADER]", "BODY[HEADER.FIELDS.NOT (subject)]"} {
		b.read = 0
		if _, err := b.fetch(t, 1, ask, &cache); err != nil || i > 0 && b.read > 32<<10 {
			t.Errorf("%s: %d bytes read, %v", ask, b.read, err)
		}
		if err := cache.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestFlags: a message's own, \Recent, and keywords by their names.
func TestFlags(t *testing.T) {
	keywords := []string{"$Junk", "bad name", "$forwarded", "", "b]"}
	for _, c := range []struct {
		flags    mailbox.Flags
		keywords uint64
		recent   bool
		want     string
	}{
		{0, 0, false, ""}, {0, 0, true, `\Recent`}, {mailbox.Seen, 0, false, `\Seen`},
		{mailbox.Seen | mailbox.Answered | mailbox.Flagged | mailbox.Deleted | mailbox.Draft | mailbox.Forwarded, 1, true,
			`\Seen \Answered \Flagged \Deleted \Draft $Forwarded \Recent $Junk`},
		{1 << 15, 1<<63 | 1<<1 | 1<<3 | 1<<4 | 1<<5, false, ""},
		{mailbox.Forwarded, 1 << 2, false, "$Forwarded"}, {0, 1 << 2, false, "$Forwarded"}, {0, 1, false, "$Junk"},
	} {
		var out bytes.Buffer
		w := imap.NewWriter(&out)
		m := &mailbox.Message{UID: 7, Flags: c.flags, Keywords: c.keywords, ModSeq: 12}
		f := New(w, newBox(""), items(t, "FLAGS"), Options{Keywords: keywords, UID: true, ModSeq: true, Cache: &Cache{}})
		err := f.Message(1, m, c.recent)
		if e := w.Flush(); err != nil || e != nil {
			t.Fatal(err, e)
		}
		if want := "* 1 FETCH (UID 7 FLAGS (" + c.want + ") MODSEQ (12))\r\n"; out.String() != want {
			t.Errorf("flags %b, keywords %b: %q; want %q", c.flags, c.keywords, out.String(), want)
		}
	}
	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprint("k", i)
	}
	f := New(nil, nil, nil, Options{Keywords: many})
	if len(f.keywords) != 64 {
		t.Errorf("%d keywords; want 64", len(f.keywords))
	}
}

// TestErrors: a message that cannot be answered leaves nothing of its line, and
// the others are answered.
func TestErrors(t *testing.T) {
	short := func() *box { b := newBox(mixed); b.cut = 100; return b }
	for _, c := range []struct {
		b    *box
		ask  string
		want error
	}{
		{newBox("gone"), "(UID BODY[])", fs.ErrNotExist}, {newBox("gone"), "(UID ENVELOPE)", fs.ErrNotExist}, {newBox("gone"), "(FLAGS BODY[1])", fs.ErrNotExist},
		{newBox("gone"), "(FLAGS BODY)", fs.ErrNotExist}, {newBox("gone"), "BINARY[1]", fs.ErrNotExist}, {newBox("gone"), "BODY[HEADER.FIELDS (x-y)]", fs.ErrNotExist},
		{newBox(mixed), "(BODY[] BINARY[4])", ErrEncoding}, {newBox(mixed), "BINARY.SIZE[4]", ErrEncoding},
		{short(), "(UID BODY[])", errShort}, {short(), "ENVELOPE", errShort}, {short(), "BODY[TEXT]", errShort},
	} {
		c.b.messages = append(c.b.messages, rfc3501)
		var out bytes.Buffer
		w := imap.NewWriter(&out)
		f := New(w, c.b, items(t, c.ask), Options{Cache: &Cache{}})
		if err := f.Message(1, c.b.message(1), false); !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", c.ask, err, c.want)
		}
		if w.Pending() > 0 {
			t.Errorf("%s: %d bytes written", c.ask, w.Pending())
		}
		c.b.cut = 0
		if err := f.Message(2, c.b.message(2), false); err != nil || w.Flush() != nil || !strings.HasPrefix(out.String(), "* 2 FETCH (") {
			t.Errorf("%s of the next: %q, %v", c.ask, out.String(), err)
		}
	}
}

// TestSize: RFC822.SIZE is right whatever the index says, as soon as it can be
// known, and at once where the index says nothing.
func TestSize(t *testing.T) {
	b := newBox("a\n")
	get := func(wire int64, kept bool) string {
		if !kept {
			delete(b.kept, 1)
		}
		var out bytes.Buffer
		w := imap.NewWriter(&out)
		m := b.message(1)
		m.Wire = wire
		err := New(w, b, items(t, "RFC822.SIZE"), Options{Cache: &Cache{}}).Message(1, m, false)
		if e := w.Flush(); err != nil || e != nil {
			t.Fatal(err, e)
		}
		return out.String()
	}
	for _, c := range []struct {
		wire int64
		kept bool
		want int
	}{{3, false, 3}, {7, false, 7}, {0, false, 3}, {7, true, 3}, {1, true, 3}} {
		if got, want := get(c.wire, c.kept), fmt.Sprintf("* 1 FETCH (RFC822.SIZE %d)\r\n", c.want); got != want {
			t.Errorf("index says %d, digest kept: %v: %q; want %q", c.wire, c.kept, got, want)
		}
	}
}

// TestForeignDigest: a digest that is damaged, or not this message's, is not
// believed where bytes are sent.
func TestForeignDigest(t *testing.T) {
	other, err := digest.Make(strings.NewReader(rfc3501), int64(len(rfc3501)))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range [][]byte{{}, []byte("x"), other, other[:len(other)-5]} {
		b := newBox(mixed)
		b.kept[1] = d
		var cache Cache
		if got, err := b.fetch(t, 1, "BODY[2]", &cache); err != nil || got != "* 1 FETCH (BODY[2] {10}\r\nAAEC\r\nAw==)\r\n" {
			t.Errorf("with the digest %.20q: %q, %v", d, got, err)
		}
	}
}
