// SPDX-License-Identifier: ISC

package digest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"quill/internal/mime"
)

// head is the header of RFC 3501 §8's example, in part.
const head = `Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)
From: Terry Gray <gray@cac.washington.edu>
X-Other: not kept
Subject: IMAP4rev1 WG mtg summary and minutes
To: imap@cac.washington.edu
cc: minutes@CNRI.Reston.VA.US,
 John Klensin <KLENSIN@MIT.EDU>
Message-Id: <B27397-0100000@cac.washington.edu>
MIME-Version: 1.0
`

const multipart = head + `Content-Type: multipart/mixed; boundary="b"; x*0="a"; x*1="b"

preamble
--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable
Content-Language: en, de

t=C3=A9xt
--b
Content-Type: message/rfc822
Content-Disposition: attachment; filename=m.eml

Subject: inner
To: g: a@b.example, "c d"@e.example;

body
--b
Content-Type: application/octet-stream
Content-ID: <1@x>
Content-Description: d
Content-MD5: m
Content-Location: l
Content-Transfer-Encoding: base64

AAAA
--b--
`

// messages are all kinds that a digest makes a difference of.
var messages = []string{
	"", "\n", "x", "Subject: only a header", head, head + "\ntext\n", multipart, strings.ReplaceAll(multipart, "\n", "\r\n"),
	"Subject: a\x00b\n\n\x00", "To: " + strings.Repeat("a@b.example,\n ", 500) + "z\n\n",
	"Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 100),
	strings.Repeat("Content-Type: message/rfc822\n\n", 50) + "x",
}

func TestDigest(t *testing.T) {
	for _, msg := range messages {
		b, err := Make(strings.NewReader(msg), int64(len(msg)))
		if err != nil || b == nil {
			t.Fatalf("Make(%.60q) = %d bytes, %v", msg, len(b), err)
		}
		d, err := Read(b)
		if err != nil {
			t.Fatal(err)
		}
		p, err := mime.Parse(strings.NewReader(msg))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ what, got, want string }{
			{"Envelope", string(d.Envelope()), string(p.Envelope.Append(nil))},
			{"BodyStructure", string(d.BodyStructure()), string(p.AppendStructure(nil, true))},
			{"Header", string(d.Header()), string(mime.Fields([]byte(msg[:p.Body]), names, false))},
			{"Wire", fmt.Sprint(d.Wire()), fmt.Sprint(p.HeaderSize + p.Size)},
		} {
			if c.got != c.want {
				t.Errorf("%s of %.60q = %q; want %q", c.what, msg, c.got, c.want)
			}
		}
		p.Envelope = nil
		if got, err := d.Part(); err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("Part of %.60q = %+v, %v; want %+v", msg, got, err, p)
		}
	}
}

// TestMax: what is too large loses its parts first, and then is none.
func TestMax(t *testing.T) {
	for _, c := range []struct {
		name, msg   string
		some, parts bool
	}{
		{"parts that fit", "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 400), true, true},
		{"parts that do not", "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 800), true, false},
		{"a structure that does not", "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 2000), false, false},
		{"a header in small pieces", strings.Repeat("To: a\n", 1<<20), false, false},
		{"a long field", "Subject: " + strings.Repeat("x", Max), false, false},
		{"a long field that is not kept", "X: " + strings.Repeat("x", 4*Max) + "\n\n", true, true},
		{"addresses", "To: " + strings.Repeat("a,", Max/2), false, false},
	} {
		b, err := Make(strings.NewReader(c.msg), int64(len(c.msg)))
		if err != nil || (b != nil) != c.some || len(b) > Max {
			t.Errorf("%s: %d bytes, %v; want some: %v", c.name, len(b), err, c.some)
		}
		if !c.some {
			continue
		}
		d, err := Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Part(); (err == nil) != c.parts {
			t.Errorf("%s: parts: %v; want %v", c.name, err, c.parts)
		}
	}
}

// failing gives an error from some byte on.
type failing struct {
	r  io.ReaderAt
	at int64
}

var errRead = errors.New("no")

func (f failing) ReadAt(b []byte, at int64) (int, error) {
	if at >= f.at {
		return 0, errRead
	}
	return f.r.ReadAt(b[:min(int64(len(b)), f.at-at)], at)
}

func TestMakeErrors(t *testing.T) {
	long := head + "\n" + strings.Repeat("x", 100000)
	for _, at := range []int64{0, 50000} {
		if b, err := Make(failing{strings.NewReader(long), at}, int64(len(long))); !errors.Is(err, errRead) {
			t.Errorf("reading fails at %d: %d bytes, %v", at, len(b), err)
		}
	}
	p, err := mime.Parse(strings.NewReader(long))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := Of(p, failing{strings.NewReader(long), 0}); !errors.Is(err, errRead) {
		t.Errorf("reading the header fails: %d bytes, %v", len(b), err)
	}
}

func TestHas(t *testing.T) {
	for _, c := range []struct {
		name string
		want bool
	}{{"Subject", true}, {"MESSAGE-ID", true}, {"x-priority", true}, {"X-Other", false}, {"", false}, {"subject:", false}} {
		if got := Has(c.name); got != c.want {
			t.Errorf("Has(%q) = %v; want %v", c.name, got, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, msg := range messages {
		b, err := Make(strings.NewReader(msg), int64(len(msg)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{version, 1, 5, 0, 0, 0, 0})
	f.Add([]byte("\x01\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Read(b)
		if err != nil {
			if d.Wire() != 0 || d.Envelope() != nil || d.Header() != nil {
				t.Errorf("Read(%x) = %v, %v", b, d, err)
			}
			return
		}
		if n := len(d.Envelope()) + len(d.BodyStructure()) + len(d.Header()); n > len(b) || d.Wire() < 0 {
			t.Errorf("%d bytes of %d, size %d", n, len(b), d.Wire())
		}
		if p, err := d.Part(); err == nil && !bytes.Contains(b, p.AppendBinary(nil)) {
			t.Errorf("%x has a part that it has not", b)
		}
	})
}

var sample = multipart + strings.Repeat("An epilogue that nobody reads, to make it 4 KiB.\n", (4096-len(multipart))/49)

func BenchmarkMake(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Make(strings.NewReader(sample), int64(len(sample))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	form, err := Make(strings.NewReader(sample), int64(len(sample)))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(form); err != nil {
			b.Fatal(err)
		}
	}
}
