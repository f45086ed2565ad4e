// SPDX-License-Identifier: ISC

package imapfetch

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"quill/internal/imap"
	"quill/internal/mailbox"
	"quill/internal/mime"
	"quill/internal/racetest"
)

// literal takes what a line answers to its one item, which must be a literal,
// "" or NIL, and as long as it says.
func literal(t testing.TB, line string) string {
	t.Helper()
	line, ok := strings.CutSuffix(line, ")\r\n")
	_, line, ok2 := strings.Cut(line, " FETCH (")
	if !ok || !ok2 {
		t.Fatalf("%.80q is no answer", line)
	}
	for _, none := range []string{` ""`, " NIL"} {
		if strings.HasSuffix(line, none) && !strings.Contains(line, "{") {
			return ""
		}
	}
	_, line, ok = strings.Cut(line, "{")
	number, text, ok2 := strings.Cut(line, "}\r\n")
	if !ok || !ok2 || number != fmt.Sprint(len(text)) {
		t.Fatalf("{%.20s}: %d bytes", number, len(text))
	}
	return text
}

// get is the content that is answered.
func (b *box) get(t testing.TB, ask string, cache *Cache) string {
	t.Helper()
	line, err := b.fetch(t, 1, ask, cache)
	if err != nil {
		t.Fatalf("%s: %v", ask, err)
	}
	return literal(t, line)
}

// bigMessage has a text of about n bytes, and a part of n in base64.
func bigMessage(n int) (msg, text string, binary []byte) {
	text = strings.Repeat("a line of text, of no meaning\r\n", n/31)
	binary = make([]byte, n)
	for i := range binary {
		binary[i] = byte(i * i >> 8)
	}
	var coded strings.Builder
	for b := binary; len(b) > 0; b = b[min(57, len(b)):] {
		coded.WriteString(base64.StdEncoding.EncodeToString(b[:min(57, len(b))]) + "\n")
	}
	return "Subject: big\nContent-Type: multipart/mixed; boundary=A\n\n--A\n\n" + strings.ReplaceAll(text, "\r\n", "\n") +
		"\n--A\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n" + coded.String() + "\n--A--\n", text, binary
}

// TestLarge: what is longer than is held is right as well, whole, in partials,
// and with more in its line.
func TestLarge(t *testing.T) {
	msg, text, binary := bigMessage(maxHeld + maxHeld/2)
	b := newBox(msg)
	var cache Cache
	for _, c := range []struct{ ask, want string }{
		{"BODY[]", crlf(msg)}, {"RFC822", crlf(msg)}, {"BODY[1]", text}, {"BINARY[2]", string(binary)}, {"BINARY[]", crlf(msg)},
		{"BODY[1]<5.1048577>", text[5:1048582]}, {"BODY[1]<5.1048576>", text[5:1048581]}, {"BODY[1]<1000000.2000000>", text[1000000:]},
		{"BINARY[2]<100.1300000>", string(binary[100:1300100])}, {"BINARY[2]<1500000.1300000>", string(binary[1500000:])},
		{"BODY[TEXT]<10.9223372036854775807>", crlf(msg)[strings.Index(crlf(msg), "\r\n\r\n")+14:]},
	} {
		for range 2 {
			if got := b.get(t, c.ask, &cache); got != c.want {
				t.Errorf("%s: %d bytes that are not the %d wanted", c.ask, len(got), len(c.want))
			}
		}
	}
	two, err := b.fetch(t, 1, "(BODY[1]<0.800000> BODY[1]<800000.700000> UID BINARY[2] BINARY.SIZE[2])", &cache)
	want := fmt.Sprintf("* 1 FETCH (BODY[1]<0> {800000}\r\n%s BODY[1]<800000> {700000}\r\n%s UID 1 BINARY[2] ~{%d}\r\n%s BINARY.SIZE[2] %[3]d)\r\n",
		text[:800000], text[800000:1500000], len(binary), binary)
	if err != nil || two != want {
		t.Errorf("several in a line: %d bytes, %v; want %d", len(two), err, len(want))
	}
}

// TestLargeNUL: what is long is a literal8 where there is NUL in what is asked
// for, wherever it stands (RFC 3516 §4.3).
func TestLargeNUL(t *testing.T) {
	text := strings.Repeat("x", maxHeld+10)
	b := newBox("\n" + text + "\x00" + text)
	var cache Cache
	for _, c := range []struct{ ask, want string }{
		{"BINARY[1]", fmt.Sprintf("BINARY[1] ~{%d}", 2*len(text)+1)},
		{fmt.Sprintf("BINARY[1]<0.%d>", len(text)), fmt.Sprintf("BINARY[1]<0> {%d}", len(text))},
		{fmt.Sprintf("BINARY[1]<0.%d>", len(text)+1), fmt.Sprintf("BINARY[1]<0> ~{%d}", len(text)+1)},
		{fmt.Sprintf("BINARY[1]<%d.%[1]d>", len(text)+1), fmt.Sprintf("BINARY[1]<%d> {%d}", len(text)+1, len(text))},
		{"BINARY[1]<0.5>", "BINARY[1]<0> {5}"},
	} {
		got, err := b.fetch(t, 1, c.ask, &cache)
		if got, _, _ = strings.Cut(got, "\r\n"); err != nil || got != "* 1 FETCH ("+c.want {
			t.Errorf("%s: %q, %v; want %q", c.ask, got, err, c.want)
		}
	}
}

// TestPartialsLinear: a client that fetches a message in pieces has it read
// about once, in one command or many.
func TestPartialsLinear(t *testing.T) {
	const size, piece = 4 << 20, 64 << 10
	msg, _, binary := bigMessage(size / 2)
	for _, c := range []struct{ item, want string }{{"BODY.PEEK[]", crlf(msg)}, {"BINARY.PEEK[2]", string(binary)}} {
		b := newBox(msg)
		var cache Cache
		b.get(t, "BINARY[1]<0.1>", &cache) // learns the structure
		b.read = 0
		var got strings.Builder
		for at := 0; at < len(c.want)+piece; at += piece {
			got.WriteString(b.get(t, fmt.Sprintf("%s<%d.%d>", c.item, at, piece), &cache))
		}
		if got.String() != c.want {
			t.Errorf("%s in pieces: %d bytes, which are not the %d wanted", c.item, got.Len(), len(c.want))
		}
		if b.read > int64(len(msg))+windowSize || b.opened != 1 {
			t.Errorf("%s in pieces: %d bytes read of %d, opened %d times", c.item, b.read, len(msg), b.opened)
		}
	}
}

// TestBroken: a message that becomes shorter while it is sent ends the
// connection, and does not shift what follows.
func TestBroken(t *testing.T) {
	msg, _, _ := bigMessage(maxHeld + 1)
	b := newBox(msg)
	var out bytes.Buffer
	w := imap.NewWriter(&out)
	f := New(w, b, items(t, "BODY[]"), Options{Cache: &Cache{}})
	f.seq, f.m = 1, b.message(1)
	if err := f.item(&f.items[0], false); err != nil || len(f.late) != 1 {
		t.Fatalf("%d to be sent later, %v", len(f.late), err)
	}
	f.cache.open.(*content).ReaderAt = strings.NewReader(msg[:maxHeld])
	if err := f.send(); !errors.Is(err, errShort) || !errors.Is(err, ErrCut) || w.Flush() == nil {
		t.Errorf("the file was cut: %v", err)
	}
	w = imap.NewWriter(gone{})
	if err := New(w, newBox(msg), items(t, "BODY[]"), Options{Cache: &Cache{}}).Message(1, b.message(1), false); !errors.Is(err, ErrCut) || !errors.Is(err, errGone) {
		t.Errorf("the client is gone: %v", err)
	}
}

// gone is a client that has left.
type gone struct{}

var errGone = errors.New("client is gone")

func (gone) Write([]byte) (int, error) { return 0, errGone }

// TestManyItems: what a client asks for in one line is not all held, whatever it
// asks.
func TestManyItems(t *testing.T) {
	const count, piece = 150, 10000
	msg, _, _ := bigMessage(20 << 10)
	b := newBox("To: " + strings.Repeat("a@b.example,\n ", 800) + "z\n" + msg)
	for _, item := range []string{"BODY[]", "BINARY[2]", "BODY[HEADER.FIELDS (to)]", "BODY[HEADER.FIELDS.NOT (x-y)]"} {
		whole := b.get(t, item, &Cache{})
		var ask, want strings.Builder
		for i := range count {
			fmt.Fprintf(&ask, " %s<%d.%d>", item, i, piece)
			part := whole[i:min(i+piece, len(whole))]
			fmt.Fprintf(&want, " %s<%d> %s{%d}\r\n%s", item, i, strings.Repeat("~", strings.Count(item, "BINARY")), len(part), part)
		}
		var out bytes.Buffer
		w := imap.NewWriter(&out)
		f := New(w, b, items(t, "("+ask.String()[1:]+")"), Options{Cache: &Cache{}})
		if err := f.Message(1, b.message(1), false); err != nil || w.Flush() != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != "* 1 FETCH ("+want.String()[1:]+")\r\n" {
			t.Errorf("%d of %s: %d bytes; want %d", count, item, len(got), want.Len()+len("* 1 FETCH ()\r"))
		}
		if cap(f.line) > 2*maxHeld || cap(f.text) > 2*maxHeld {
			t.Errorf("%d of %s: %d and %d bytes held", count, item, cap(f.line), cap(f.text))
		}
	}
}

// TestLargeHeader: fields of a header that is too large to hold.
func TestLargeHeader(t *testing.T) {
	header := strings.Repeat("X-Other: \x00 of no meaning\nTo: a@b.example\n", maxHeld/20)
	b := newBox(header + "\nbody")
	want := strings.Repeat("X-Other: \x80 of no meaning\r\n", maxHeld/20) + "\r\n"
	var cache Cache
	for _, c := range []struct{ ask, want string }{
		{"BODY[HEADER.FIELDS (x-other)]", want}, {"BODY[HEADER.FIELDS.NOT (to)]", want}, {"BODY[HEADER.FIELDS (x-other)]<7.1200000>", want[7:1200007]},
		{"BODY[HEADER.FIELDS (x-other)]<90000000.2>", ""}, {"BODY[HEADER.FIELDS (x-none)]", "\r\n"}, {"BODY[HEADER]<5.10>", "er: \x80 of n"[:10]},
		{"BODY[HEADER.FIELDS (to)]<0.10>", "To: a@b.ex"},
	} {
		if c.ask == "BODY[HEADER]<5.10>" {
			c.want = crlf(strings.ReplaceAll(header, "\x00", "\x80"))[5:15]
		}
		if got := b.get(t, c.ask, &cache); got != c.want {
			t.Errorf("%s: %d bytes that are not the %d wanted", c.ask, len(got), len(c.want))
		}
	}
}

// TestHostile holds messages of attacks.md MI1 to MI3 against what they may
// cost: memory, and bytes of an answer.
func TestHostile(t *testing.T) {
	const limit = 96 << 20
	size := racetest.Fewer(1 << 20)
	for _, msg := range []string{
		strings.Repeat("Content-Type: message/rfc822\n\n", size/30),
		"Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", size/7),
		"Content-Type: a/b" + strings.Repeat("; a*0=\"", size/7),
		"Content-Type: a/b" + strings.Repeat(";\n a=b", size/6),
		"To: " + strings.Repeat("a@b,\n ", size/6) + "\n\n",
		"To: " + strings.Repeat("(", size),
		strings.Repeat("To: a\n", size/6),
		strings.Repeat("\x00", size),
	} {
		b := newBox(msg)
		var cache Cache
		var before, after runtime.MemStats
		w := imap.NewWriter(discard{})
		f := New(w, b, items(t, "(ENVELOPE BODY BODYSTRUCTURE RFC822.SIZE BODY[] BODY[1.1.1] BODY[HEADER.FIELDS (to)] BODY[HEADER.FIELDS.NOT (x)] BINARY.SIZE[1] BODY[1.MIME])"), Options{Cache: &cache})
		runtime.ReadMemStats(&before)
		for range 2 {
			if err := f.Message(1, b.message(1), false); err != nil && !errors.Is(err, ErrEncoding) {
				t.Errorf("%.40q: %v", msg, err)
			}
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > limit {
			t.Errorf("%.40q: %d bytes allocated; want at most %d", msg, got, limit)
		}
		if cap(f.text) > 2*maxHeld || w.Flush() != nil {
			t.Errorf("%.40q: %d bytes held", msg, cap(f.text))
		}
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// FuzzPartials asks for a section whole and in pieces of random sizes, in order
// and not: together they are the whole, which is as long as it says.
func FuzzPartials(f *testing.F) {
	for _, c := range answers {
		f.Add(c.msg, uint8(0), uint64(1))
	}
	for i := range 20 {
		f.Add(mixed, uint8(i), uint64(i))
	}
	sections := []string{"BODY[]", "BODY[TEXT]", "BODY[HEADER]", "BODY[1]", "BODY[2]", "BODY[3]", "BODY[1.MIME]", "BODY[3.HEADER]", "BODY[3.TEXT]", "BODY[1.1]",
		"BODY[HEADER.FIELDS (subject)]", "BODY[HEADER.FIELDS (x)]", "BODY[HEADER.FIELDS.NOT (subject)]", "BODY[3.HEADER.FIELDS (to)]", "BINARY[]", "BINARY[1]", "BINARY[2]", "BINARY[3.1]"}
	f.Fuzz(func(t *testing.T, msg string, section uint8, seed uint64) {
		if msg == "gone" {
			return
		}
		b := newBox(msg)
		item := sections[int(section)%len(sections)]
		var cache, other Cache
		line, err := b.fetch(t, 1, item, &cache)
		if errors.Is(err, ErrEncoding) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		whole := literal(t, line)
		if item == "BODY[]" {
			if want := strings.ReplaceAll(crlf(msg), "\x00", "\x80"); whole != want {
				t.Fatalf("BODY[] of %q = %q; want %q", msg, whole, want)
			}
			if got := b.get(t, "BODY[HEADER]", &cache) + b.get(t, "BODY[TEXT]", &cache); got != whole {
				t.Fatalf("header and text of %q are %q; want %q", msg, got, whole)
			}
			p, err := mime.Parse(strings.NewReader(msg))
			if got := len(b.get(t, "BODY[TEXT]", &cache)); err != nil || int64(got) != p.Size {
				t.Fatalf("text of %q is %d bytes; want %d", msg, got, p.Size)
			}
			if size, err := b.fetch(t, 1, "RFC822.SIZE", &other); err != nil || size != fmt.Sprintf("* 1 FETCH (RFC822.SIZE %d)\r\n", len(whole)) {
				t.Fatalf("%q of a message of %d bytes", size, len(whole))
			}
		}
		if sized, ok := strings.CutPrefix(item, "BINARY["); ok {
			if size, err := b.fetch(t, 1, "BINARY.SIZE["+sized, &other); err != nil || !strings.HasSuffix(size, fmt.Sprintf(" %d)\r\n", len(whole))) {
				t.Fatalf("%q of %d bytes", size, len(whole))
			}
		}
		random := rand.New(rand.NewPCG(seed, 0))
		most := max(1, len(whole)/8)
		var got strings.Builder
		for at := 0; at <= len(whole); {
			n := 1 + random.IntN(most)
			got.WriteString(b.get(t, fmt.Sprintf("%s<%d.%d>", item, at, n), &cache))
			at += n
			if at := random.IntN(len(whole) + 1); random.IntN(3) == 0 { // elsewhere
				end := min(len(whole), at+n)
				if got := b.get(t, fmt.Sprintf("%s<%d.%d>", item, at, n), &cache); got != whole[at:end] {
					t.Fatalf("%s<%d.%d> of %q = %q; want %q", item, at, n, msg, got, whole[at:end])
				}
			}
		}
		if got.String() != whole {
			t.Fatalf("%s of %q in pieces = %q; want %q", item, msg, got.String(), whole)
		}
	})
}

// benchBox is a mailbox of many messages that are alike.
func benchBox(b *testing.B, n int) *box {
	box := newBox()
	box.messages = append(box.messages, rfc3501)
	var cache Cache
	if _, err := box.fetch(b, 1, "ENVELOPE", &cache); err != nil {
		b.Fatal(err)
	}
	kept := box.kept[1]
	for i := 2; i <= n; i++ {
		box.kept[i] = kept
	}
	return box
}

// BenchmarkFetch is of 100,000 messages each time.
func BenchmarkFetch(b *testing.B) {
	const n = 100000
	box := benchBox(b, n)
	kept := box.kept[1]
	for _, ask := range []string{"(UID FLAGS)", "(UID FLAGS MODSEQ)", "(RFC822.SIZE ENVELOPE)", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM SUBJECT TO CC MESSAGE-ID)])", "BODYSTRUCTURE"} {
		b.Run(ask, func(b *testing.B) {
			b.ReportAllocs()
			w := imap.NewWriter(discard{})
			m := mailbox.Message{UID: 1, Flags: mailbox.Seen | mailbox.Answered, Size: 400, Wire: 412, ModSeq: 1234}
			f := New(w, fast{kept}, items(b, ask), Options{Cache: &Cache{}})
			for b.Loop() {
				for seq := 1; seq <= n; seq++ {
					m.UID = uint32(seq)
					if err := f.Message(seq, &m, false); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// fast is a Source that has one digest and no messages.
type fast struct{ digest []byte }

func (fast) Open(int) (mailbox.Content, error) { return nil, errors.New("none") }
func (f fast) Kept(int) []byte                 { return f.digest }
func (fast) Keep(int, []byte)                  {}

// BenchmarkBody sends messages whole.
func BenchmarkBody(b *testing.B) {
	for _, size := range []int{4 << 10, 10 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			box := newBox(strings.Repeat("a line of text, of no meaning\n", size/30))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			w := imap.NewWriter(discard{})
			var cache Cache
			f := New(w, box, items(b, "BODY[]"), Options{Cache: &cache})
			m := box.message(1)
			for b.Loop() {
				m.UID++ // another message each time
				if err := f.Message(1, m, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
