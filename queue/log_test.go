// SPDX-License-Identifier: ISC

package queue

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"quill/internal/mailid"
)

// newQueue makes an empty queue folder.
func newQueue(t testing.TB) (home, dir string) {
	t.Helper()
	home = t.TempDir()
	dir = filepath.Join(home, "queue")
	if err := Make(dir); err != nil {
		t.Fatal(err)
	}
	return home, dir
}

// openLog opens the log; what it logs goes to the buffer.
func openLog(t testing.TB, dir string, said *strings.Builder) *Log {
	t.Helper()
	l, err := Open(dir, func(f string, a ...any) {
		if said != nil {
			fmt.Fprintf(said, f+"\n", a...)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// put enqueues a message and waits for the disk.
func put(t testing.TB, l *Log, body string) (mailid.ID, error) {
	t.Helper()
	m := NewMessage(l.dir)
	id := l.Fresh(mailid.New())
	m.Name(id, "network")
	if _, err := io.WriteString(m, body); err != nil {
		return 0, err
	}
	e := &Envelope{Sender: "netwatcher@testingsmtp.org", Recipients: []Recipient{{Addr: "sendmemail@testingsmtp.org"}}}
	done := make(chan error, 1)
	l.Enqueue(e, m, 7, func(err error) { done <- err })
	return id, <-done
}

func record1(t testing.TB, l *Log, kind Kind, id mailid.ID, text string) error {
	t.Helper()
	done := make(chan error, 1)
	l.Record(kind, id, 0, []byte(text), func(_ uint64, err error) { done <- err })
	return <-done
}

// lives is the living messages' ids and bodies.
func lives(t testing.TB, home string, l *Log) map[mailid.ID]string {
	t.Helper()
	out := make(map[mailid.ID]string)
	w := l.Watch(0)
	defer w.Close()
	if err := w.Past(func(e Event) error {
		if e.Kind != Enqueue {
			return nil
		}
		f, err := OpenPlace(home, e.At, e.ID)
		if err != nil {
			return fmt.Errorf("%v at %v: %w", e.ID, e.At, err)
		}
		defer f.Close()
		b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
		out[e.ID] = string(b)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLogLife(t *testing.T) {
	home, dir := newQueue(t)
	l := openLog(t, dir, nil)
	big := strings.Repeat("big mail\n", InlineLimit/8)
	a, err := put(t, l, "Subject: a\n\nsmall\n")
	if err != nil {
		t.Fatal(err)
	}
	b, err := put(t, l, big)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []Kind{Result, Next, Next, Bounce} {
		if err := record1(t, l, k, a, "text"); err != nil {
			t.Errorf("record %c: %v", k, err)
		}
	}
	if err := record1(t, l, Result, 12345, "K"); !errors.Is(err, ErrUnknown) {
		t.Errorf("record of an unknown message: %v; want ErrUnknown", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, dir, nil)
	got := lives(t, home, l)
	if !strings.HasSuffix(got[a], "\nSubject: a\n\nsmall\n") || !strings.HasPrefix(got[a], "Received: (qmail "+a.String()+" invoked from network); ") {
		t.Errorf("message a after reopening: %q", got[a])
	}
	if !strings.HasSuffix(got[b], big) || len(got) != 2 {
		t.Errorf("message b after reopening: %d bytes; %d messages live, want 2", len(got[b]), len(got))
	}
	for _, id := range []mailid.ID{a, b} {
		if err := record1(t, l, Done, id, ""); err != nil {
			t.Error(err)
		}
	}
	l.Close()
	l = openLog(t, dir, nil)
	if n := len(lives(t, home, l)); n != 0 {
		t.Errorf("%d messages live after their end", n)
	}
	l.Close()
	files, _ := filepath.Glob(dir + "/mess/*")
	segments, _ := segmentNumbers(dir)
	if len(files) != 0 || len(segments) > 1+wantSpares {
		t.Errorf("left: files %q, segments %d; want none and at most %d", files, segments, 1+wantSpares)
	}
}

// frozen makes a log of n messages, closes it, and gives its one used segment.
func frozen(t *testing.T, n int) (dir, home, path string, ids []mailid.ID, offs []int64) {
	home, dir = newQueue(t)
	l := openLog(t, dir, nil)
	for i := range n {
		id, err := put(t, l, fmt.Sprintf("Subject: %d\n\n%s\n", i, strings.Repeat("x", 40*i)))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	number := l.current.number
	l.Close()
	path = segmentPath(dir, number)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, _ := f.Stat()
	scanSegment(f, st.Size(), func(off int64, r record) { offs = append(offs, off) }, func(damage) {})
	if len(offs) != n {
		t.Fatalf("%d records in %s; want %d", len(offs), path, n)
	}
	for _, other := range mustNumbers(t, dir) {
		if other != number {
			os.Remove(segmentPath(dir, other))
		}
	}
	return dir, home, path, ids, offs
}

func mustNumbers(t *testing.T, dir string) []uint64 {
	t.Helper()
	n, err := segmentNumbers(dir)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// scanned is the ids that a scan of the segment's bytes finds, and how many
// stretches of damage.
func scanned(t *testing.T, b []byte) (ids map[mailid.ID]bool, bad int) {
	t.Helper()
	ids = make(map[mailid.ID]bool)
	if _, _, err := scanSegment(bytes.NewReader(b), int64(len(b)), func(_ int64, r record) { ids[r.id] = true }, func(damage) { bad++ }); err != nil {
		t.Fatal(err)
	}
	return ids, bad
}

// TestCutTail: the log cut at every byte of its last two records: everything
// before is there, and nothing half.
func TestCutTail(t *testing.T) {
	_, _, path, ids, offs := frozen(t, 6)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := offs[5] + 1024
	for cut := offs[4]; cut < last; cut++ {
		got, _ := scanned(t, b[:cut])
		for _, id := range ids[:4] {
			if !got[id] {
				t.Fatalf("cut at %d: message %v is gone", cut, id)
			}
		}
	}
}

// TestCutTailReplay is the same through the whole of Open, at some cuts, with
// zeros behind the cut as a preallocated segment has them.
func TestCutTailReplay(t *testing.T) {
	for _, past := range []int64{0, 1, 63, 64, 65, 200, 300} {
		dir, home, path, ids, offs := frozen(t, 6)
		b, _ := os.ReadFile(path)
		clear(b[offs[4]+past:])
		if err := os.WriteFile(path, b, 0o640); err != nil {
			t.Fatal(err)
		}
		l := openLog(t, dir, nil)
		got := lives(t, home, l)
		for _, id := range ids[:4] {
			if got[id] == "" {
				t.Errorf("cut %d bytes into record 5: message %v is gone", past, id)
			}
		}
		if id, err := put(t, l, "after\n"); err != nil || lives(t, home, l)[id] == "" {
			t.Errorf("new message after the cut: %v", err)
		}
		l.Close()
	}
}

// TestFlipMiddle: each byte of a record in the middle flipped: it is set aside,
// every other message is there.
func TestFlipMiddle(t *testing.T) {
	_, _, path, ids, offs := frozen(t, 6)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b = b[:offs[5]+64<<10] // with some of the nothing behind the records
	for at := offs[2]; at < offs[3]; at++ {
		b[at] ^= 0x41
		got, bad := scanned(t, b)
		b[at] ^= 0x41
		for i, id := range ids {
			if !got[id] && i != 2 {
				t.Fatalf("byte %d of record 3 flipped: message %d is gone", at-offs[2], i)
			}
		}
		if got[ids[2]] && bad > 0 || !got[ids[2]] && bad != 1 {
			t.Fatalf("byte %d of record 3 flipped: read %v, damage reported %d times", at-offs[2], got[ids[2]], bad)
		}
	}
}

// TestFlipMiddleReplay: the damaged record is in queue/corrupt and in the log
// of events, the others are delivered.
func TestFlipMiddleReplay(t *testing.T) {
	dir, home, path, ids, offs := frozen(t, 6)
	b, _ := os.ReadFile(path)
	b[offs[2]+100] ^= 1
	os.WriteFile(path, b, 0o640)
	var said strings.Builder
	l := openLog(t, dir, &said)
	defer l.Close()
	if got := lives(t, home, l); len(got) != len(ids)-1 {
		t.Errorf("%d messages live; want %d", len(got), len(ids)-1)
	}
	aside, _ := filepath.Glob(dir + "/corrupt/*")
	if len(aside) != 1 || !strings.Contains(said.String(), "damaged record") {
		t.Errorf("set aside: %q; logged: %q", aside, &said)
	}
}

// TestForgedRecord: a mail that contains the bytes of a record of another
// segment is not taken for one.
func TestForgedRecord(t *testing.T) {
	_, _, path, ids, offs := frozen(t, 2)
	b, _ := os.ReadFile(path)
	forged := string(b[offs[0] : offs[0]+1024])
	home, dir := newQueue(t)
	l := openLog(t, dir, nil)
	for pad := range 64 {
		if _, err := put(t, l, strings.Repeat("y", pad)+forged); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
	l = openLog(t, dir, nil)
	defer l.Close()
	if got := lives(t, home, l); len(got) != 64 || got[ids[0]] != "" {
		t.Errorf("%d messages live, the forged one among them: %v; want 64", len(got), got[ids[0]] != "")
	}
}

// TestSyncFailure: a sync that fails refuses everybody who waited, and the next
// message goes to another segment.
func TestSyncFailure(t *testing.T) {
	home, dir := newQueue(t)
	l := openLog(t, dir, nil)
	good, err := put(t, l, "good\n")
	if err != nil {
		t.Fatal(err)
	}
	failing := l.current.number
	l.sync = func(f *os.File) error {
		if strings.HasSuffix(f.Name(), fmt.Sprintf("%010d", failing)) || strings.HasSuffix(f.Name(), "next.tmp") && l.current.number == failing {
			return errors.New("input/output error")
		}
		return nil
	}
	if _, err := put(t, l, "lost\n"); !errors.Is(err, ErrSync) {
		t.Errorf("put on a failing disk: %v; want ErrSync", err)
	}
	if code, _ := Explain(ErrSync); code != 53 {
		t.Errorf("Explain(ErrSync) = %d; want 53", code)
	}
	l.sync = fdatasync
	next, err := put(t, l, "next\n")
	if err != nil || l.current.number == failing {
		t.Errorf("put after the failure: %v, segment %d; want another than %d", err, l.current.number, failing)
	}
	l.Close()
	l = openLog(t, dir, nil)
	defer l.Close()
	if got := lives(t, home, l); len(got) != 2 || got[good] == "" || got[next] == "" {
		t.Errorf("after reopening %d messages live; want the two that were acknowledged", len(got))
	}
}

// TestSegmentsTurn: much mail through small segments: dead segments go, and what
// lives stays readable; the end of a message outlives its beginning.
func TestSegmentsTurn(t *testing.T) {
	home, dir := newQueue(t)
	l := openLog(t, dir, nil)
	var keep []mailid.ID
	body := strings.Repeat("x", 60<<10)
	for i := range 900 { // some 54 MB
		id, err := put(t, l, body)
		if err != nil {
			t.Fatal(err)
		}
		if i%300 == 0 {
			keep = append(keep, id)
		} else if err := record1(t, l, Done, id, ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := lives(t, home, l); len(got) != len(keep) {
		t.Errorf("%d live; want %d", len(got), len(keep))
	}
	l.Close()
	l = openLog(t, dir, nil)
	if got := lives(t, home, l); len(got) != len(keep) {
		t.Errorf("after reopening %d live; want %d", len(got), len(keep))
	}
	for _, id := range keep {
		record1(t, l, Done, id, "")
	}
	l.Close()
	openLog(t, dir, nil).Close()
	if n := mustNumbers(t, dir); len(n) > 1+wantSpares {
		t.Errorf("segments left when nothing lives: %d; want at most %d", n, 1+wantSpares)
	}
}

// TestEndsIsOneEvent: a bounce whose envelope says ends=ID ends that message
// with the same record.
func TestEndsIsOneEvent(t *testing.T) {
	home, dir := newQueue(t)
	l := openLog(t, dir, nil)
	a, err := put(t, l, "bounces\n")
	if err != nil {
		t.Fatal(err)
	}
	m := NewMessage(dir)
	id := mailid.New()
	m.Name(id, "bounce")
	m.Write([]byte("Subject: failure notice\n"))
	done := make(chan error, 1)
	l.Enqueue(&Envelope{Params: Params{{"ends", a.String()}}, Recipients: []Recipient{{Addr: "netwatcher@testingsmtp.org"}}}, m, 0, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	l.Close()
	l = openLog(t, dir, nil)
	defer l.Close()
	if got := lives(t, home, l); len(got) != 1 || got[id] == "" {
		t.Errorf("%d messages live; want the bounce alone", len(got))
	}
}

// TestWatchOrder: a watcher that begins in the middle hears of everything once,
// in order.
func TestWatchOrder(t *testing.T) {
	_, dir := newQueue(t)
	l := openLog(t, dir, nil)
	defer l.Close()
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 50 {
				put(t, l, "x\n")
			}
		}()
	}
	time.Sleep(5 * time.Millisecond)
	w := l.Watch(0)
	defer w.Close()
	n, last := 0, uint64(0)
	hear := func(e Event) error {
		if e.Seq <= last {
			t.Errorf("event %d after %d", e.Seq, last)
		}
		last = e.Seq
		n++
		return nil
	}
	if err := w.Past(hear); err != nil {
		t.Fatal(err)
	}
	for n < 200 {
		events, err := w.More()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			hear(e)
		}
	}
	wg.Wait()
}

func TestAppendOnce(t *testing.T) {
	home, dir := newQueue(t)
	e := func() *Envelope {
		return &Envelope{Sender: "netwatcher@testingsmtp.org", Recipients: []Recipient{{Addr: "sendmemail@testingsmtp.org"}}}
	}
	var ids []mailid.ID
	for i, size := range []int{10, 1000, 2 * InlineLimit} {
		m := NewMessage(dir)
		m.Name(mailid.New(), fmt.Sprint("uid ", i))
		m.Write(bytes.Repeat([]byte("y"), size))
		if err := AppendOnce(dir, e(), m, 1000); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID())
	}
	l := openLog(t, dir, nil)
	got := lives(t, home, l)
	for _, id := range ids {
		if got[id] == "" {
			t.Errorf("message %v is not in the log", id)
		}
	}
	m := NewMessage(dir)
	m.Name(mailid.New(), "uid 0")
	if err := AppendOnce(dir, e(), m, 0); !errors.Is(err, ErrRunning) {
		t.Errorf("AppendOnce beside an open log: %v; want ErrRunning", err)
	}
	l.Close()
}

func FuzzEnvelope(f *testing.F) {
	f.Add((&Envelope{Sender: "a@b", Params: Params{{"k", "v"}}, Recipients: []Recipient{{Addr: "c@d"}}}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEnvelope(b)
		if err != nil {
			return
		}
		if got := e.Encode(); !bytes.Equal(got, b) {
			t.Errorf("Encode(ParseEnvelope(%q)) = %q", b, got)
		}
	})
}

func FuzzSegment(f *testing.F) {
	f.Add([]byte("some record"))
	f.Fuzz(func(t *testing.T, b []byte) {
		seg := appendSegmentHeader(nil, 1, [8]byte{1})
		seg = append(seg, b...)
		scanSegment(bytes.NewReader(seg), int64(len(seg)), func(int64, record) {}, func(damage) {})
		ParseRecord(b)
		ParseEvent(b)
		ParseParams(string(b))
	})
}

// BenchmarkCommit is messages of 4 KiB from 50 at once, durable.
func BenchmarkCommit(b *testing.B) {
	_, dir := newQueue(b)
	l := openLog(b, dir, nil)
	defer l.Close()
	body := strings.Repeat("x", 4096)
	b.SetParallelism(25)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id, err := put(b, l, body)
			if err != nil {
				b.Error(err)
			}
			l.Record(Done, id, 0, nil, func(uint64, error) {})
		}
	})
}
