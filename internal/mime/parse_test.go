// SPDX-License-Identifier: ISC

package mime

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// parse parses a message from a reader and its CRLF form from another, checks
// both against what holds of every message, and gives the first.
func parse(t testing.TB, msg string) *Part {
	t.Helper()
	p, err := Parse(strings.NewReader(msg))
	if err != nil {
		t.Fatalf("Parse(%.200q): %v", msg, err)
	}
	check(t, p, msg)
	return p
}

// check holds a message against what it is made of.
func check(t testing.TB, p *Part, msg string) {
	t.Helper()
	if p.Header != 0 || p.End != int64(len(msg)) {
		t.Errorf("message of %d bytes is %d to %d", len(msg), p.Header, p.End)
	}
	n := 0
	checkPart(t, p, msg, 1, &n)
	if n > maxParts {
		t.Errorf("%d parts; want at most %d", n, maxParts)
	}
	if p.Envelope == nil {
		t.Error("a message without an envelope")
	}
	if got := len(Fields([]byte(msg[:p.Body]), nil, true)); int64(got) != p.HeaderSize {
		t.Errorf("all fields are %d bytes; want %d", got, p.HeaderSize)
	}
	for name, text := range Each([]byte(msg[:p.Body])) {
		if name == "" || strings.Contains(name, "\n") || strings.ContainsAny(text, "\r\n\x00") {
			t.Errorf("field %q: %q", name, text)
		}
	}
	for _, extended := range []bool{false, true} {
		balanced(t, string(p.AppendStructure(nil, extended)))
	}
	balanced(t, string(p.Envelope.Append(nil)))
	checkBinary(t, p)
}

func checkPart(t testing.TB, p *Part, msg string, depth int, n *int) {
	t.Helper()
	*n++
	if depth > maxDepth {
		t.Fatalf("depth %d", depth)
	}
	if p.Type == "" || p.Subtype == "" || p.Header > p.Body || p.Body > p.End {
		t.Fatalf("%s/%s at %d, %d, %d", p.Type, p.Subtype, p.Header, p.Body, p.End)
	}
	if got, want := p.HeaderSize, crlfSize(msg[p.Header:p.Body]); got != want {
		t.Errorf("HeaderSize = %d; want %d", got, want)
	}
	if got, want := p.Size, crlfSize(msg[p.Body:p.End]); got != want {
		t.Errorf("Size = %d; want %d", got, want)
	}
	if got, want := p.Lines, strings.Count(msg[p.Body:p.End], "\n"); got != int64(want) {
		t.Errorf("Lines = %d; want %d", got, want)
	}
	from := p.Body
	for _, q := range p.Parts {
		if q.Header < from || q.End > p.End {
			t.Fatalf("part at %d to %d in one from %d to %d", q.Header, q.End, from, p.End)
		}
		from = q.End
		checkPart(t, q, msg, depth+1, n)
	}
	if (p.Message != nil) != p.carries() {
		t.Fatalf("%s/%s with message %v", p.Type, p.Subtype, p.Message)
	}
	if m := p.Message; m != nil {
		if m.Header != p.Body || m.End != p.End || m.Envelope == nil {
			t.Fatalf("message at %d to %d in one from %d to %d", m.Header, m.End, p.Body, p.End)
		}
		checkPart(t, m, msg, depth+1, n)
	}
}

// crlfSize is the size of a text in CRLF form, found out another way.
func crlfSize(s string) int64 {
	return int64(len(s) + strings.Count(s, "\n") - strings.Count(s, "\r\n"))
}

// balanced reads a wire form: parentheses in order, strings that IMAP allows.
func balanced(t testing.TB, s string) {
	t.Helper()
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 || depth == 0 && i != len(s)-1 {
				t.Fatalf("parentheses at %d: %.300q", i, s)
			}
		case c == '"':
			for i++; s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
				if s[i] == '\r' || s[i] == '\n' || s[i] == 0 || s[i] > 126 {
					t.Fatalf("byte %#x in a quoted string", s[i])
				}
			}
		case c == '{':
			n := 0
			for i++; s[i] >= '0' && s[i] <= '9'; i++ {
				n = n*10 + int(s[i]-'0')
			}
			if !strings.HasPrefix(s[i:], "}\r\n") || strings.Contains(s[i+3:i+3+n], "\x00") {
				t.Fatalf("literal at %d: %.300q", i, s)
			}
			i += 2 + n
		case c != ' ' && (c < '0' || c > '9') && !strings.Contains("NIL", string(c)):
			t.Fatalf("byte %#x outside of strings at %d: %.300q", c, i, s)
		}
	}
	if depth != 0 {
		t.Fatalf("%d parentheses open: %.300q", depth, s)
	}
}

// TestStructure holds structures against what IMAP clients must be told. Each
// is parsed with LF and with CRLF, whole and byte by byte.
func TestStructure(t *testing.T) {
	for _, c := range structures {
		t.Run(c.name, func(t *testing.T) {
			crlf := strings.ReplaceAll(strings.ReplaceAll(c.msg, "\r\n", "\n"), "\n", "\r\n")
			for _, msg := range []string{c.msg, crlf} {
				p := parse(t, msg)
				if got := string(p.AppendStructure(nil, c.ext)); got != c.want {
					t.Errorf("structure of %q\n got %s\nwant %s", msg, got, c.want)
				}
				q, err := Parse(iotest.OneByteReader(strings.NewReader(msg)))
				if err != nil {
					t.Fatal(err)
				}
				check(t, q, msg)
			}
		})
	}
}

const text00 = `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)`

var structures = []struct {
	name, msg string
	ext       bool
	want      string
}{
	{"empty", "", false, text00},
	{"no header", "\nhello\n", false, `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1)`},
	{"no body", "Subject: x\n", false, text00},
	{"header cut off", "Content-Type: text/html", false, `("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 0 0)`},
	{"all fields", "Content-Type: text/plain; charset=utf-8; format=flowed\nContent-ID: <a@b>\nContent-Description: a \"b\"\n" +
		"Content-Transfer-Encoding: QUOTED-PRINTABLE (x)\nContent-MD5: Q2hlY2s=\nContent-Disposition: attachment; filename=\"a b\"\n" +
		"Content-Language: en, de (x)\nContent-Location: http://x/\n\nab\nc", true,
		`("text" "plain" ("charset" "utf-8" "format" "flowed") "<a@b>" "a \"b\"" "QUOTED-PRINTABLE" 5 1 "Q2hlY2s=" ("attachment" ("filename" "a b")) ("en" "de") "http://x/")`},
	{"one language", "Content-Language: en\nContent-Disposition: inline\n\n", true,
		`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL ("inline" NIL) "en" NIL)`},
	{"basic", "Content-Type: image/gif\n\nGIF\n", false, `("image" "gif" NIL NIL NIL "7bit" 5)`},
	{"comments", "Content-Type: text (a)/(b) plain (c); (d) charset=us-ascii (Plain (text))\n\n", false, text00},
	{"invalid type", "Content-Type: text\n\n", false, text00},
	{"no type", "Content-Type: ; charset=utf-8\n\n", false, text00},
	{"first counts", "Content-Type: image/gif\nContent-Type: image/png\n\n", false, `("image" "gif" NIL NIL NIL "7bit" 0)`},
	{"space before colon", "Content-Type : image/gif\n\n", false, `("image" "gif" NIL NIL NIL "7bit" 0)`},
	{"folded", "Content-Type: image/gif;\n name=x;\n\ty=z\n\n", false, `("image" "gif" ("name" "x" "y" "z") NIL NIL "7bit" 0)`},
	{"8-bit", "Content-Type: image/gif; name=\"\xe4\"\n\n", false, "(\"image\" \"gif\" (\"name\" {1}\r\n\xe4) NIL NIL \"7bit\" 0)"},
	{"multipart", "Content-Type: multipart/mixed; boundary=\"b\"\n\npre\n--b\n\none\n\n--b \nContent-Type: text/html\n\ntwo\n--b--\nepilogue\n--b\n", true,
		`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 1 NIL NIL NIL NIL)("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)`},
	{"multipart without boundary", "Content-Type: multipart/mixed\n\nx\n", false, `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1)`},
	{"multipart without parts", "Content-Type: multipart/mixed; boundary=b\n\nx\n", false, `(` + text00 + ` "mixed")`},
	{"multipart not closed", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n", false, `(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1) "mixed")`},
	{"part begun at the end", "Content-Type: multipart/mixed; boundary=b\n\n--b", false, `(` + text00 + ` "mixed")`},
	{"part without empty line", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/gif\n--b--\n", false, `(("image" "gif" NIL NIL NIL "7bit" 0) "mixed")`},
	{"message without header", "Content-Type: multipart/digest; boundary=b\n\n--b\n--b--\n", false,
		`(("message" "rfc822" NIL NIL NIL "7bit" 0 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ` + text00 + ` 0) "digest")`},
	{"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: s\n\nx\n--b--\n", false,
		`(("message" "rfc822" NIL NIL NIL "7bit" 15 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0) 2) "digest")`},
	{"outer boundary ends inner", "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\nx\n--o\n\ny\n--o--\n", false,
		`((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0) "mixed")("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0) "mixed")`},
	{"inner boundary begins outer's", "Content-Type: multipart/mixed; boundary=ab\n\n--ab\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a--\n--ab--\n", false,
		`((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0) "mixed") "mixed")`},
	{"outer boundary begins inner's", "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=ab\n\n--ab\n\nx\n--ab--\n--a--\n", false,
		`((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0) "mixed") "mixed")`},
	{"same boundary inside", "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a--\n--a\n\ny\n--a--\n", false,
		`((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0) "mixed")("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0) "mixed")`},
	{"bare CR", "Content-Type: image/gif;\r name=x\r\n\r\na\rb\r\n", false, `("image" "gif" ("name" "x") NIL NIL "7bit" 5)`},
	{"rfc 2231 §3", "Content-Type: message/external-body; access-type=URL;\n URL*0=\"ftp://\";\n URL*1=\"cs.utk.edu/pub\"\n\n", false,
		`("message" "external-body" ("access-type" "URL" "URL" "ftp://cs.utk.edu/pub") NIL NIL "7bit" 0)`},
	{"rfc 2231 §4.1", "Content-Type: application/x-stuff;\n title*0*=us-ascii'en'This%20is%20even%20more%20;\n title*1*=%2A%2A%2Afun%2A%2A%2A%20;\n title*2=\"isn't it!\"\n\n", false,
		`("application" "x-stuff" ("title*" "us-ascii'en'This%20is%20even%20more%20%2A%2A%2Afun%2A%2A%2A%20isn%27t%20it!") NIL NIL "7bit" 0)`},
	{"rfc 2231 out of order and a gap", "Content-Type: a/b; x*1=b; x*0=a; x*3=d; y*7=z; z*=''q; w*00001=v\n\n", false,
		`("a" "b" ("z*" "''q" "w*00001" "v" "x" "ab" "x*3" "d" "y*7" "z") NIL NIL "7bit" 0)`},
	{"names without quotes", "Content-Type: a/b; name=foo bar (1).pdf; x=\"a;\\\"b\" junk; y=; =; z\n\n", false,
		`("a" "b" ("name" "foo bar (1).pdf" "x" "a;\"b" "y" "") NIL NIL "7bit" 0)`},
}

// TestRFC3501Example is the structure of the message of RFC 3501 §8.
func TestRFC3501Example(t *testing.T) {
	msg := "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\nFrom: Terry Gray <gray@cac.washington.edu>\n" +
		"Subject: IMAP4rev1 WG mtg summary and minutes\nTo: imap@cac.washington.edu\n" +
		"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\nMessage-Id: <B27397-0100000@cac.washington.edu>\n" +
		"MIME-Version: 1.0\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\n\n"
	body := strings.Repeat("x\n", 91) + strings.Repeat("y", 3028-91*3-2) + "\n"
	p := parse(t, msg+body)
	if p.HeaderSize != 342 {
		t.Errorf("HeaderSize = %d; want 342, as RFC 3501 §8 says", p.HeaderSize)
	}
	want := `("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7bit" 3028 92)`
	if got := string(p.AppendStructure(nil, false)); got != want {
		t.Errorf("structure = %s; want %s", got, want)
	}
	want = `("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary and minutes" ` +
		`(("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) ` +
		`(("Terry Gray" NIL "gray" "cac.washington.edu")) ((NIL NIL "imap" "cac.washington.edu")) ` +
		`((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL "<B27397-0100000@cac.washington.edu>")`
	if got := string(p.Envelope.Append(nil)); got != want {
		t.Errorf("envelope\n got %s\nwant %s", got, want)
	}
}

// rfc2049 is the message of RFC 2049 appendix A, with short bodies.
const rfc2049 = `MIME-Version: 1.0
From: Nathaniel Borenstein <nsb@nsb.fv.com>
To: Ned Freed <ned@innosoft.com>
Date: Fri, 07 Oct 1994 16:15:05 -0700 (PDT)
Subject: A multipart example
Content-Type: multipart/mixed;
              boundary=unique-boundary-1

This is the preamble area of a multipart message.

--unique-boundary-1

  ... Some text appears here ...

--unique-boundary-1
Content-type: text/plain; charset=US-ASCII

This could have been part of the previous part.

--unique-boundary-1
Content-Type: multipart/parallel; boundary=unique-boundary-2

--unique-boundary-2
Content-Type: audio/basic
Content-Transfer-Encoding: base64

  ... base64-encoded ...

--unique-boundary-2
Content-Type: image/jpeg
Content-Transfer-Encoding: base64

  ... base64-encoded ...

--unique-boundary-2--

--unique-boundary-1
Content-type: text/enriched

This is <bold><italic>enriched.</italic></bold>

--unique-boundary-1
Content-Type: message/rfc822

From: (mailbox in US-ASCII)
To: (address in US-ASCII)
Subject: (subject in US-ASCII)
Content-Type: Text/plain; charset=ISO-8859-1
Content-Transfer-Encoding: Quoted-printable

  ... Additional text in ISO-8859-1 goes here ...

--unique-boundary-1--
`

func TestRFC2049(t *testing.T) {
	want := `(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 34 1)` +
		`("text" "plain" ("charset" "US-ASCII") NIL NIL "7bit" 49 1)` +
		`(("audio" "basic" NIL NIL NIL "base64" 26)("image" "jpeg" NIL NIL NIL "base64" 26) "parallel")` +
		`("text" "enriched" ("charset" "us-ascii") NIL NIL "7bit" 49 1)` +
		`("message" "rfc822" NIL NIL NIL "7bit" 232 (NIL "(subject in US-ASCII)" NIL NIL NIL NIL NIL NIL NIL NIL) ` +
		`("Text" "plain" ("charset" "ISO-8859-1") NIL NIL "Quoted-printable" 51 1) 7) "mixed")`
	if got := string(parse(t, rfc2049).AppendStructure(nil, false)); got != want {
		t.Errorf("structure\n got %s\nwant %s", got, want)
	}
}

// TestReaderFails: the only error is the reader's.
func TestReaderFails(t *testing.T) {
	broken := errors.New("broken")
	_, err := Parse(io.MultiReader(strings.NewReader("Subject: x\n"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "at byte 11") {
		t.Errorf("Parse = %v; want the reader's error and where", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(rfc2049)
	for _, c := range structures {
		f.Add(c.msg)
	}
	for _, c := range addressLists {
		f.Add("To: " + c.in + "\n\n")
	}
	f.Fuzz(func(t *testing.T, msg string) { parse(t, msg) })
}
