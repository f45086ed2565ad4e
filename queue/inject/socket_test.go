// SPDX-License-Identifier: ISC

package inject

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"quill/internal/mailid"
	"quill/queue"
)

// fakeQueued answers messages: K with the id from F, or as answer says.
type fakeQueued struct {
	home   string
	l      net.Listener
	answer func(sender string) (kind byte, payload string) // nil: K and the id

	space int // bytes there is room for

	mu    sync.Mutex
	asked []string // how much room was asked for
	conns []net.Conn
	got   map[string]string // id → sender, recipients and message
}

func startFake(t *testing.T, home string) *fakeQueued {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(home, "queue", "lock"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(home, "queue", "lock", "queued")
	os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	q := &fakeQueued{home: home, l: l, got: make(map[string]string)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			q.mu.Lock()
			q.conns = append(q.conns, c)
			q.mu.Unlock()
			go q.serve(c)
		}
	}()
	t.Cleanup(q.stop)
	return q
}

// stop is queued's death.
func (q *fakeQueued) stop() {
	q.l.Close()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.conns {
		c.Close()
	}
	q.conns = nil
}

func (q *fakeQueued) connections() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.conns)
}

func (q *fakeQueued) serve(c net.Conn) {
	r := bufio.NewReader(c)
	var sender, id, text string
	for {
		kind, payload, err := queue.ReadFrame(r)
		if err != nil {
			return
		}
		switch kind {
		case queue.FrameSender:
			addr, params, _ := queue.ParsePart(payload)
			sender, id = addr, params.Value("id")
		case queue.FrameRecipient:
			addr, _, _ := queue.ParsePart(payload)
			text = "to " + addr + " " + text
		case queue.FrameSpace:
			q.mu.Lock()
			q.asked = append(q.asked, string(payload))
			q.mu.Unlock()
			if want, _ := strconv.Atoi(string(payload)); want > q.space {
				c.Write(queue.AppendFrame(nil, queue.FrameError, []byte("\x35disk full")))
			} else {
				c.Write(queue.AppendFrame(nil, queue.FrameOK, payload))
			}
		case queue.FrameMessage:
			text += string(payload)
		case queue.FrameCommit:
			q.mu.Lock()
			q.got[id] = "from " + sender + " " + text
			q.mu.Unlock()
			text = ""
			k, p := byte(queue.FrameOK), id
			if q.answer != nil {
				k, p = q.answer(sender)
			}
			c.Write(queue.AppendFrame(nil, k, []byte(p)))
		}
	}
}

// put hands one message over.
func put(t *testing.T, j *Injector, id mailid.ID, sender, body string) Result {
	t.Helper()
	m, err := j.Begin(id, queue.Params{{Key: "origin", Value: "network"}})
	if err != nil {
		t.Fatal(err)
	}
	for len(body) > 0 { // in odd pieces
		n := min(len(body), 1000)
		m.Write([]byte(body[:n]))
		body = body[n:]
	}
	return m.Commit(&queue.Envelope{Sender: sender, Recipients: []queue.Recipient{{Addr: "c@d"}}})
}

// TestSharedConnection: small messages of many sessions go over one connection
// and each gets its own answer; big ones, at and over the edge of what is
// gathered, arrive whole.
func TestSharedConnection(t *testing.T) {
	q := startFake(t, t.TempDir())
	j := New(q.home, "", false)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			id := mailid.ID(1000 + i)
			if r := put(t, j, id, fmt.Sprintf("s%d@x", i), fmt.Sprintf("body %d", i)); !r.OK() || r.ID != id {
				t.Errorf("message %d: %+v", i, r)
			}
		}()
	}
	wg.Wait()
	for i := range 200 {
		if got, want := q.got[fmt.Sprint(1000+i)], fmt.Sprintf("from s%d@x to c@d body %d", i, i); got != want {
			t.Errorf("message %d arrived as %q; want %q", i, got, want)
		}
	}
	if n := q.connections(); n != 1 {
		t.Errorf("200 small messages took %d connections; want 1", n)
	}
	for _, size := range []int{0, 1, gather - 1, gather, gather + 1, 2 * gather, 300_000} {
		body := strings.Repeat("x", size)
		if r := put(t, j, mailid.ID(5000+size), "a@b", body); !r.OK() {
			t.Errorf("%d bytes: %+v", size, r)
		}
		if got := q.got[fmt.Sprint(5000+size)]; strings.Count(got, "x") != size {
			t.Errorf("of %d bytes %d arrived", size, strings.Count(got, "x"))
		}
	}
}

// TestRefusedAlone: a refusal is one message's; its neighbours are taken. An
// address with a NUL is refused before it could be read as another frame's.
func TestRefusedAlone(t *testing.T) {
	q := startFake(t, t.TempDir())
	q.answer = func(sender string) (byte, string) {
		if strings.HasPrefix(sender, "bad") {
			return queue.FrameError, "\x35disk full"
		}
		return queue.FrameOK, "7"
	}
	j := New(q.home, "", false)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			sender, want := "good@x", 0
			if i%3 == 0 {
				sender, want = "bad@x", 53
			}
			if r := put(t, j, 1, sender, "x"); r.Code != want {
				t.Errorf("message %d from %s: %+v; want code %d", i, sender, r, want)
			}
		}()
	}
	wg.Wait()
	if r := put(t, j, 1, "a@b\x00ends=7", "x"); r.Code != 91 {
		t.Errorf("sender with a NUL: %+v; want 91", r)
	}
}

// TestQueuedRestarts: who waits when queued dies hears that the message may be
// lost; the next one finds the new queued.
func TestQueuedRestarts(t *testing.T) {
	home := t.TempDir()
	q := startFake(t, home)
	block := make(chan bool)
	q.answer = func(string) (byte, string) { <-block; return queue.FrameOK, "7" }
	j := New(home, "", false)
	done := make(chan Result)
	go func() { done <- put(t, j, 1, "a@b", "x") }()
	for q.connections() == 0 {
		time.Sleep(time.Millisecond)
	}
	q.stop()
	if r := <-done; r.OK() || r.Permanent() {
		t.Errorf("queued died under a message: %+v; want a temporary failure", r)
	}
	close(block)
	startFake(t, home)
	if r := put(t, j, 2, "a@b", "x"); !r.OK() {
		t.Errorf("after queued's restart: %+v", r)
	}
}

// TestRoom: a queue without room refuses before the message; what it said counts
// for a second, and for no more than it was asked; one that cannot be asked
// refuses nothing.
func TestRoom(t *testing.T) {
	q := startFake(t, t.TempDir())
	q.space = 1 << 20
	j := New(q.home, "", false)
	for _, c := range []struct {
		want int64
		code int
	}{{0, 0}, {1000, 0}, {queue.InlineLimit, 0}, {1 << 20, 0}, {1000, 0}, {1<<20 + 1, 53}, {1 << 20, 0}, {1<<20 + 1, 53}} {
		if r := j.Room(c.want); r.Code != c.code || r.Permanent() {
			t.Errorf("Room(%d) = %+v; want code %d", c.want, r, c.code)
		}
	}
	if want := []string{"262144", "1048576", "1048577", "1048577"}; !slices.Equal(q.asked, want) {
		t.Errorf("queued was asked for %q; want %q", q.asked, want)
	}
	j.room.at = j.room.at.Add(-2 * roomFresh)
	q.space = 0
	if r := j.Room(1000); r.Code != 53 {
		t.Errorf("Room(1000) after the disk was filled = %+v; want code 53", r)
	}
	if r := New(t.TempDir(), "", false).Room(1 << 40); !r.OK() {
		t.Errorf("Room without queued = %+v; want no refusal", r)
	}
	if r := New(q.home, "", true).Room(1 << 40); !r.OK() {
		t.Errorf("Room by pipes = %+v; want no refusal", r)
	}
}
