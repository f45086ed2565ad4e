// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quill/internal/safefile"
	"quill/queue"
)

// TestMain also plays the program itself, so that tests run it as a process.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_AS_QMAIL_QUEUE") != "" {
		os.Unsetenv("TEST_AS_QMAIL_QUEUE")
		main()
	}
	os.Exit(m.Run())
}

// newHome is a home with an empty queue.
func newHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	if err := queue.Make(filepath.Join(home, "queue")); err != nil {
		t.Fatal(err)
	}
	return home
}

// caller is a running qmail-queue.
type caller struct {
	cmd            *exec.Cmd
	body, envelope *os.File
	text           *os.File // its descriptor 6
}

// start starts it with pipes on descriptors 0, 1 and 6.
func start(t *testing.T, home string) *caller {
	t.Helper()
	bodyR, bodyW, err1 := os.Pipe()
	envR, envW, err2 := os.Pipe()
	textR, textW, err3 := os.Pipe()
	null, err4 := os.Open(os.DevNull)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{"TEST_AS_QMAIL_QUEUE=1", "QMAILHOME=" + home, "QUILLID=1795479833123456789", "GORACE=atexit_sleep_ms=0"}
	// Descriptor 1 is an input here, as it is for the family.
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = bodyR, envR, os.Stderr, []*os.File{null, null, null, textW}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{bodyR, envR, textW, null} {
		f.Close()
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait(); bodyW.Close(); envW.Close(); textR.Close() })
	return &caller{cmd, bodyW, envW, textR}
}

// finish gives the envelope, and then the exit code and what was told.
func (c *caller) finish(envelope string) (code int, told string) {
	c.body.Close()
	c.envelope.WriteString(envelope)
	c.envelope.Close()
	text, _ := io.ReadAll(c.text)
	c.cmd.Wait()
	return c.cmd.ProcessState.ExitCode(), string(text)
}

const envelope = "Fa@b\x00Tc@d\x00Te@f\x00\x00"

// fakeQueued takes one message and answers it; it gives what it got: the last
// F, the recipients, and the text.
func fakeQueued(t *testing.T, home string, answer []byte) <-chan string {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(home, "queue/lock/queued"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	got := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		sender, rest, text := "", "", ""
		for r := bufio.NewReader(c); ; {
			kind, payload, err := queue.ReadFrame(r)
			switch {
			case err != nil:
				got <- "cut off after " + sender + rest
				return
			case kind == queue.FrameSender:
				sender, _, _ = strings.Cut(string(payload), "\x00")
			case kind == queue.FrameRecipient:
				rest += " " + strings.TrimRight(string(payload), "\x00")
			case kind == queue.FrameMessage:
				text += string(payload)
			case kind == queue.FrameCommit:
				got <- sender + rest + ": " + text
				c.Write(answer)
				return
			}
		}
	}()
	return got
}

var taken = queue.AppendFrame(nil, queue.FrameOK, []byte("1"))

// TestSocket: a message goes to queued, whose answer is the exit code.
func TestSocket(t *testing.T) {
	for _, c := range []struct {
		answer []byte
		code   int
		told   string
	}{
		{taken, 0, ""},
		{queue.AppendFrame(nil, queue.FrameError, []byte{53}, []byte("disk full")), 53, ""},
		{queue.AppendFrame(nil, queue.FrameError, []byte{31}, []byte("no")), 31, ""},
		{queue.AppendFrame(nil, queue.FrameError), 81, ""},
		{nil, 82, "Zqueue was restarted, please try again (#4.3.0)"},
	} {
		home := newHome(t)
		got := fakeQueued(t, home, c.answer)
		q := start(t, home)
		q.body.WriteString("Subject: x\n\ny\n")
		if code, told := q.finish(envelope); code != c.code || told != c.told {
			t.Errorf("answer %q: exit %d, told %q; want %d, %q", c.answer, code, told, c.code, c.told)
		}
		if text := <-got; text != "a@b c@d e@f: Subject: x\n\ny\n" {
			t.Errorf("queued got %q", text)
		}
	}
}

// TestCutOff: an envelope that does not end commits nothing.
func TestCutOff(t *testing.T) {
	for _, in := range []string{"", "Fa@b", "Fa@b\x00", "Fa@b\x00Tc@d", "Fa@b\x00Tc@d\x00"} {
		home := newHome(t)
		got := fakeQueued(t, home, taken)
		q := start(t, home)
		q.body.WriteString("x\n")
		if code, _ := q.finish(in); code != exitRead {
			t.Errorf("envelope %q: exit %d; want %d", in, code, exitRead)
		}
		if text := <-got; !strings.HasPrefix(text, "cut off") {
			t.Errorf("envelope %q: queued got %q", in, text)
		}
	}
}

// TestQueuedComesUp: a queued that starts while a message is read by a
// qmail-queue that found none gets the whole of it, small or big.
func TestQueuedComesUp(t *testing.T) {
	for _, size := range []int{100_000, 3 * queue.InlineLimit} {
		home := newHome(t)
		q := start(t, home)
		text := strings.Repeat("0123456789abcde\n", size/16)
		if _, err := q.body.WriteString(text); err != nil { // more than a pipe takes: it has looked for queued already
			t.Fatal(err)
		}
		lock, err := safefile.TryLock(filepath.Join(home, "queue/lock/log"))
		if err != nil {
			t.Fatal(err)
		}
		got := fakeQueued(t, home, taken)
		if code, told := q.finish(envelope); code != 0 || told != "" {
			t.Errorf("%d bytes: exit %d, told %q; want 0", size, code, told)
		}
		if have := <-got; have != "a@b c@d e@f: "+text {
			t.Errorf("%d bytes: queued got %d, %.60q", size, len(have), have)
		}
		lock.Close()
		if left, _ := filepath.Glob(filepath.Join(home, "queue/mess/*")); len(left) != 0 {
			t.Errorf("%d bytes: left in queue/mess: %q", size, left)
		}
	}
}

// TestAlone: where no queued runs, the message is in the log, or in a file of
// its own, when it exits 0.
func TestAlone(t *testing.T) {
	for _, size := range []int{16, queue.InlineLimit + 16} {
		home := newHome(t)
		q := start(t, home)
		io.WriteString(q.body, strings.Repeat("0123456789abcde\n", size/16))
		if code, told := q.finish(envelope); code != 0 || told != "" {
			t.Fatalf("%d bytes: exit %d, told %q", size, code, told)
		}
		lives := 0
		if err := queue.Scan(home, func(e queue.Event, _ time.Time) {
			lives++
			f, err := queue.OpenPlace(home, e.At, e.ID)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			text, _ := io.ReadAll(f)
			line, body, _ := strings.Cut(string(text), "\n")
			if !strings.HasPrefix(line, "Received: (qmail 1795479833123456789 invoked by uid ") || len(body) != size/16*16 {
				t.Errorf("%d bytes: %q and %d bytes in the queue", size, line, len(body))
			}
		}); err != nil || lives != 1 {
			t.Errorf("%d bytes: %d records, %v", size, lives, err)
		}
	}
}
