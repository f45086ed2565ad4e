// SPDX-License-Identifier: ISC

package imapsearch

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"quill/internal/digest"
	"quill/internal/imap"
	"quill/internal/mailbox"
	"quill/internal/mailbox/mailboxtest"
	"quill/internal/racetest"
)

// fake is a large mailbox all of whose messages have one digest.
type fake struct {
	n      int
	step   uint32 // between UIDs
	digest []byte
	asked  int // messages
}

func (f *fake) Len() int { return f.n }
func (f *fake) Message(seq int, m *mailbox.Message) {
	f.asked++
	*m = mailbox.Message{UID: f.step * uint32(seq), Flags: mailbox.Flags(seq % 7), ModSeq: uint64(seq), Size: 1000, Wire: 1000, Date: int64(seq) * 1e9}
}
func (f *fake) Keywords() []string                { return nil }
func (f *fake) Kept(int) []byte                   { return f.digest }
func (f *fake) Keep(int, []byte)                  {}
func (f *fake) Open(int) (mailbox.Content, error) { return nil, errDisk }

func newFake(t testing.TB, n int) *fake {
	t.Helper()
	text := "Received: by x\r\nFrom: Netwatcher <netwatcher@testingsmtp.org>\r\nTo: sendmemail@testingsmtp.org\r\nSubject: A subject of common length for a message\r\n" +
		"Date: Mon, 4 Mar 2024 23:30:00 -0800\r\nMessage-ID: <20240304.1234567890@testingsmtp.org>\r\nReferences: <a@b> <c@d> <e@f>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nbody\r\n"
	d, err := digest.Make(strings.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	return &fake{n: n, step: 2, digest: d}
}

// TestIM3DeepKeys: keys as deep in each other as the reader lets them be, and far
// deeper than that, are answered.
func TestIM3DeepKeys(t *testing.T) {
	e := Env{Box: newFake(t, 10)}
	for _, line := range []string{"SEARCH " + strings.Repeat("NOT ", 48) + "UID 4", "SEARCH " + strings.Repeat("(", 24) + "UID 4" + strings.Repeat(")", 24)} {
		if r, _ := run(t, e, line, false); fmt.Sprint(r.Seqs) != "[{2 2}]" {
			t.Errorf("%.20s… finds %v; want 2", line, r.Seqs)
		}
	}
	k := imap.Key{Op: imap.OpUID, Set: imap.Set{Ranges: []imap.Range{{Lo: 4, Hi: 4}}}}
	for range 10_000 {
		k = imap.Key{Op: imap.OpNot, Sub: []imap.Key{k}}
	}
	s, err := New(&imap.Search{Key: k}, e)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := s.Run(); err != nil || fmt.Sprint(r.Seqs) != "[{2 2}]" {
		t.Errorf("NOT 10,000 times: %+v, %v", r, err)
	}
}

// TestIM4Sets: however often a set names a message, it is found once; its ranges
// are gone through once, not once for each message.
func TestIM4Sets(t *testing.T) {
	var set strings.Builder
	for i := range 2_000 {
		fmt.Fprintf(&set, "1:*,*:1,%d,", 4*i+2)
	}
	e := Env{Box: newFake(t, 50_000)}
	for _, c := range []struct {
		keys string
		want int
	}{{set.String() + "1:4294967295", 50_000}, {"UID " + set.String() + "1", 50_000}, {"UID 99999:*", 1}, {"4294967295:50001", 0}, {"UID " + strings.TrimSuffix(strings.ReplaceAll(set.String(), "1:*,*:1,", ""), ","), 2_000}} {
		r, _ := run(t, e, "SEARCH RETURN (COUNT) "+c.keys, false)
		if r.Count != c.want {
			t.Errorf("SEARCH %.30s… finds %d; want %d", c.keys, r.Count, c.want)
		}
	}
}

// TestIM5ManyKeys: 1,000 keys over 10^5 messages; of each message the digest is
// looked into once for all of them.
func TestIM5ManyKeys(t *testing.T) {
	for _, key := range []string{"SEEN", "UID 2:200000", "LARGER 1", "SUBJECT x%d", "FROM x%d", "SENTON 1-Jan-2000", "NOT SUBJECT subject%d"} {
		keys := make([]string, 500)
		for i := range keys {
			if keys[i] = key; strings.Contains(key, "%d") {
				keys[i] = fmt.Sprintf(key, i)
			}
		}
		r, _ := run(t, Env{Box: newFake(t, racetest.Fewer(20_000))}, "SEARCH RETURN (COUNT) NOT ALL "+strings.Join(keys, " "), false)
		if r.Count != 0 {
			t.Errorf("%s: found %d", key, r.Count)
		}
	}
	n := racetest.Fewer(100_000)
	box := newFake(t, n)
	start := time.Now()
	run(t, Env{Box: box}, "SEARCH "+strings.Repeat("OR SUBJECT x ", 40)+strings.Repeat("SUBJECT y ", 900)+"SEEN", false)
	if box.asked > n+1 {
		t.Errorf("asked for %d messages; want one time each", box.asked)
	}
	t.Logf("1,000 keys over %d messages: %v", n, time.Since(start))
}

// TestIM5Patterns: texts and patterns that make naive searching quadratic cost
// time by their length.
func TestIM5Patterns(t *testing.T) {
	const size = 1 << 20
	long := strings.Repeat("a", 5_000)
	for _, patterns := range [][]string{{long + "b"}, {"b" + long, long + "b"}, {long[:31] + "b"}} {
		var f finder
		for _, p := range patterns {
			f.add([]byte(p))
		}
		f.build()
		for range 1 {
			look(&f, strings.Repeat("a", size), 4096)
		}
		if f.left != len(patterns) {
			t.Errorf("found what is not there")
		}
	}
	var f finder // every position ends many patterns
	for i := 1; i <= 1_000; i++ {
		f.add([]byte(long[:i]))
	}
	f.add([]byte("b"))
	f.build()
	look(&f, strings.Repeat("a", size), 4096)
	if f.left != 1 {
		t.Errorf("%d patterns not found; want 1", f.left)
	}
}

// TestStop: a search ends soon after it is told to, in the middle of a message
// too.
func TestStop(t *testing.T) {
	box := newFake(t, 100_000)
	m := mailboxtest.New()
	m.Deliver("INBOX", mailboxtest.Message{Text: "Subject: x\n\n" + strings.Repeat("y\n", 1<<20)})
	for _, c := range []struct {
		keys string
		box  Mailbox
	}{{"SEEN", box}, {"SUBJECT x", box}, {"BODY x", env(t, m).Box}, {"TEXT z", env(t, m).Box}, {"SUBJECT z", env(t, m).Box}} {
		asked := 0
		stop := func() bool { asked++; return asked == 3 }
		s, err := New(read(t, "SEARCH "+c.keys).Search, Env{Box: c.box, Stop: stop})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Run(); !errors.Is(err, ErrStopped) || asked != 3 {
			t.Errorf("SEARCH %s: %v after %d questions; want ErrStopped after 3", c.keys, err, asked)
		}
	}
	if box.asked != 2*3*stopCount-2 {
		t.Errorf("two searches saw %d messages before they stopped; want %d", box.asked, 2*3*stopCount-2)
	}
}

// TestHugeHeader: of a header so much is looked into as maxHeader says, and a
// field of any length is found in.
func TestHugeHeader(t *testing.T) {
	m := mailboxtest.New()
	fill := func(n int) string { return "X: " + strings.Repeat("x", n-4) + "\n" }
	m.Deliver("INBOX", mailboxtest.Message{Text: fill(maxHeader-6) + "Y: end\n\n"}, mailboxtest.Message{Text: fill(maxHeader-5) + "Y: end\n\n"})
	for keys, want := range map[string]string{"HEADER Y end": "* SEARCH 1\r\n", "TEXT end": "* SEARCH 1\r\n", "HEADER X xxxx": "* SEARCH 1 2\r\n"} {
		if _, got := run(t, env(t, m), "SEARCH "+keys, false); got != want {
			t.Errorf("SEARCH %s = %q; want %q", keys, got, want)
		}
	}
}

// TestNoAllocation: a message costs no allocation.
func TestNoAllocation(t *testing.T) {
	allocs := func(n int) float64 {
		e := Env{Box: newFake(t, n)}
		c := read(t, "SEARCH OR UNSEEN SEEN SUBJECT x FROM y SENTSINCE 1-Jan-2000 NOT CC z")
		return testing.AllocsPerRun(3, func() {
			s, err := New(c.Search, e)
			if err != nil {
				t.Fatal(err)
			}
			if r, err := s.Run(); err != nil || r.Count != 0 {
				t.Fatal(r, err)
			}
		})
	}
	if few, many := allocs(1_000), allocs(11_000); many > few+50 {
		t.Errorf("%v allocations for 1,000 messages, %v for 11,000; want the same", few, many)
	}
}

func bench(b *testing.B, keys string) {
	box := newFake(b, 100_000)
	box.step = 1
	e := Env{Box: box}
	c := read(b, "SEARCH RETURN (COUNT) "+keys)
	b.ReportAllocs()
	for b.Loop() {
		s, err := New(c.Search, e)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Run(); err != nil {
			b.Fatal(err)
		}
	}
}

// The benchmarks are over 100,000 messages.
func BenchmarkUnseen(b *testing.B)  { bench(b, "UNSEEN") }
func BenchmarkSubject(b *testing.B) { bench(b, "SUBJECT x") }
func BenchmarkSentOn(b *testing.B)  { bench(b, "SENTON 1-Jan-2024") }
func BenchmarkFrom(b *testing.B)    { bench(b, "FROM alice OR TO bob CC carol") }

// BenchmarkBody is over the bytes of one message.
func BenchmarkBody(b *testing.B) {
	for name, line := range map[string]string{"ascii": "The quick brown fox jumps over the lazy dog.\n", "cyrillic": "Съешь же ещё этих мягких французских булок.\n"} {
		b.Run(name, func(b *testing.B) {
			m := mailboxtest.New()
			m.Deliver("INBOX", mailboxtest.Message{Text: "Subject: x\n\n" + strings.Repeat(line, 10_000)})
			e := env(b, m)
			c := read(b, "SEARCH BODY nothing")
			b.SetBytes(int64(10_000 * len(line)))
			for b.Loop() {
				s, err := New(c.Search, e)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
