// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"quill/internal/mailid"
	"quill/internal/privilege/privilegetest"
	"quill/internal/spawn"
	"quill/queue"
)

// TestMain also plays the program itself and its spawner, so that tests run
// them as processes.
func TestMain(m *testing.M) {
	role := os.Getenv("TEST_AS")
	os.Unsetenv("TEST_AS")
	switch role {
	case "qmail-send":
		main()
		os.Exit(0)
	case "spawner":
		os.Exit(fakeSpawner())
	}
	os.Exit(m.Run())
}

// fakeSpawner reports by what recipients begin with: ok, no, later, moved,
// crash, text; die ends the spawner the first time, wait waits for the file go.
func fakeSpawner() int {
	os.Stdout.Write(spawn.AppendNetstring(nil, "120"))
	for in := bufio.NewReader(os.Stdin); ; {
		s, err := spawn.ReadNetstring(in)
		if err != nil {
			return 0
		}
		d, err := spawn.ParseDelivery(s)
		if err != nil {
			return 1
		}
		what, _, _ := strings.Cut(d.Recipient, "-")
		report := map[string]string{"ok": "Kdid 1+0+0\n", "no": "DSorry, no mailbox here by that name. (#5.1.1)\n", "later": "Zbusy\n", "moved": spawn.Moved + "\n", "crash": spawn.Crashed + "\n"}[what]
		switch what {
		case "die":
			if !d.Again {
				return 1
			}
			report = "Kagain\n"
		case "wait":
			os.WriteFile("waiting", nil, 0o644)
			for _, err := os.Stat("go"); err != nil; _, err = os.Stat("go") {
				time.Sleep(5 * time.Millisecond)
			}
			report = "Kwaited\n"
		}
		if report == "" {
			report = fmt.Sprintf("Kagain %v, from <%s>\n", d.Again, d.Sender)
		}
		os.Stdout.Write(spawn.AppendReport(nil, d.Num, report))
	}
}

// world is a home with a queued that keeps everything in memory, and a
// qmail-send at work on it.
type world struct {
	t    *testing.T
	home string
	l    net.Listener

	mu        sync.Mutex
	log       []queue.Event
	seq       uint64
	dead      map[mailid.ID]bool
	followers []net.Conn
	texts     map[mailid.ID]string // of submitted messages
	refuse    int                  // so many records are answered E 53

	send *exec.Cmd
	out  *bytes.Buffer
	outs sync.Mutex
}

// Write is qmail-send's descriptor 2.
func (w *world) Write(p []byte) (int, error) {
	w.outs.Lock()
	defer w.outs.Unlock()
	return w.out.Write(p)
}

func (w *world) said() string {
	w.outs.Lock()
	defer w.outs.Unlock()
	return w.out.String()
}

func newWorld(t *testing.T, control map[string]string) *world {
	t.Helper()
	w := &world{t: t, home: t.TempDir(), dead: make(map[mailid.ID]bool), texts: make(map[mailid.ID]string), out: new(bytes.Buffer)}
	if err := queue.Make(filepath.Join(w.home, "queue")); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"me": "mail.testingsmtp.org", "locals": "testingsmtp.org\nmail.testingsmtp.org", "concurrencylocal": "120"}
	for name, text := range control {
		files[name] = text
	}
	os.Mkdir(filepath.Join(w.home, "control"), 0o755)
	for name, text := range files {
		w.control(name, text)
	}
	var err error
	if w.l, err = net.Listen("unix", filepath.Join(w.home, "queue/lock/queued")); err != nil {
		t.Fatal(err)
	}
	privilegetest.Reachable(t, w.home) // started by root, qmail-send becomes the owner of the queue
	t.Cleanup(func() { w.l.Close(); w.cut() })
	go func() {
		for {
			c, err := w.l.Accept()
			if err != nil {
				return
			}
			go w.serve(c)
		}
	}()
	return w
}

func (w *world) control(name, text string) {
	if err := os.WriteFile(filepath.Join(w.home, "control", name), []byte(text+"\n"), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// serve is one connection of queued.
func (w *world) serve(c net.Conn) {
	defer c.Close()
	var env *queue.Envelope
	var text []byte
	for r := bufio.NewReader(c); ; {
		kind, payload, err := queue.ReadFrame(r)
		if err != nil {
			return
		}
		switch kind {
		case queue.FrameFollow:
			w.follow(c)
		case queue.FrameRecord:
			k, id, rcpt, text, _ := queue.ParseRecord(payload)
			w.mu.Lock()
			refused := w.refuse > 0
			w.refuse = max(0, w.refuse-1)
			w.mu.Unlock()
			if refused {
				c.Write(queue.AppendFrame(nil, queue.FrameError, []byte{53}, []byte("disk full")))
				continue
			}
			c.Write(queue.AppendFrame(nil, queue.FrameOK, strconv.AppendUint(nil, w.add(queue.Event{Kind: k, ID: id, Rcpt: rcpt, Text: text}), 10)))
		case queue.FrameSender:
			env, text = &queue.Envelope{}, nil
			env.Sender, env.Params, _ = queue.ParsePart(payload)
		case queue.FrameRecipient:
			var to queue.Recipient
			to.Addr, to.Params, _ = queue.ParsePart(payload)
			env.Recipients = append(env.Recipients, to)
		case queue.FrameMessage:
			text = append(text, payload...)
		case queue.FrameCommit:
			id, _ := mailid.Parse(env.Params.Value("id"))
			w.mail(id, env, string(text))
			c.Write(queue.AppendFrame(nil, queue.FrameOK, []byte(id.String())))
		}
	}
}

// mail queues a message; its text lies in a file.
func (w *world) mail(id mailid.ID, env *queue.Envelope, text string) {
	if err := os.WriteFile(filepath.Join(w.home, "queue/mess", id.String()), []byte(text), 0o644); err != nil {
		w.t.Error(err)
	}
	env.Params = env.Params.With("bytes", strconv.Itoa(len(text))).With("uid", "7")
	w.mu.Lock()
	w.texts[id] = text
	w.mu.Unlock()
	w.add(queue.Event{Kind: queue.Enqueue, ID: id, At: queue.Place{File: id.String()}, Text: env.Encode()})
}

// post queues a message from the test.
func (w *world) post(id mailid.ID, from, text string, to ...string) mailid.ID {
	env := &queue.Envelope{Sender: from}
	for _, a := range to {
		env.Recipients = append(env.Recipients, queue.Recipient{Addr: a})
	}
	w.mail(id, env, text)
	return id
}

// add makes a record durable and tells the followers.
func (w *world) add(e queue.Event) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seq++
	e.Seq = w.seq
	w.log = append(w.log, e)
	if e.Kind == queue.Done {
		w.dead[e.ID] = true
	}
	if env, err := queue.ParseEnvelope(e.Text); e.Kind == queue.Enqueue && err == nil {
		if ends, ok := mailid.Parse(env.Params.Value("ends")); ok {
			w.dead[ends] = true
		}
	}
	for _, f := range w.followers {
		f.Write(queue.AppendFrame(queue.AppendEvent(nil, &e), queue.FrameCaughtUp))
	}
	return e.Seq
}

// follow tells what lives, and then everything.
func (w *world) follow(c net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.log {
		if e := &w.log[i]; !w.dead[e.ID] {
			c.Write(queue.AppendEvent(nil, e))
		}
	}
	c.Write(queue.AppendFrame(nil, queue.FrameCaughtUp))
	w.followers = append(w.followers, c)
}

// cut ends all followings.
func (w *world) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.followers {
		f.Close()
	}
	w.followers = nil
}

// records is what the log has of a kind.
func (w *world) records(kind queue.Kind) (out []queue.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.log {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// start starts qmail-send.
func (w *world) start() {
	w.t.Helper()
	w.send = exec.Command(os.Args[0], "-l", "/usr/bin/env TEST_AS=spawner "+os.Args[0])
	w.send.Env = []string{"TEST_AS=qmail-send", "QMAILHOME=" + w.home, "PATH=/usr/bin:/bin", "GORACE=atexit_sleep_ms=0"}
	w.send.Stdout, w.send.Stderr = w, w
	w.send.WaitDelay = 10 * time.Second // its spawner has our descriptor, too
	if err := w.send.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if w.send.ProcessState == nil {
			w.send.Process.Kill()
			w.send.Wait()
		}
	})
	w.await(`^status: `) // messages of from now on are younger than it is
}

// stop ends it by TERM: it must exit 0.
func (w *world) stop() {
	w.t.Helper()
	w.send.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(20*time.Second, func() { w.send.Process.Kill() })
	defer timer.Stop()
	if err := w.send.Wait(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		w.t.Errorf("qmail-send after TERM: %v\n%s", err, w.said())
	}
}

// await waits until the log says so.
func (w *world) await(re string) {
	w.t.Helper()
	w.until(re, func() bool { return regexp.MustCompile("(?m)" + re).MatchString(w.said()) })
}

func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("not within 20 s: %s\n%s", what, w.said())
		}
	}
}

// masked is the log with ids numbered in their order, without sizes and without
// the numbers of the remote channel.
func (w *world) masked() string {
	var ids []string
	text := regexp.MustCompile(`\b\d{15,19}\b`).ReplaceAllStringFunc(w.said(), func(id string) string {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		return "M" + strconv.Itoa(slices.Index(ids, id)+1)
	})
	text = regexp.MustCompile(`remote \d+/\d+`).ReplaceAllString(text, "remote")
	return regexp.MustCompile(`bytes \d+`).ReplaceAllString(text, "bytes N")
}
