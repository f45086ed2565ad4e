// SPDX-License-Identifier: ISC

package queue

import (
	"bufio"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"quill/internal/mailid"
)

// mute is a queued that answers the first n frames of a connection, and then
// says nothing.
func mute(t *testing.T, n int) (home string) {
	t.Helper()
	home = t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, "queue", "lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(home)
	l, err := net.Listen("unix", "queue/lock/queued")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for i := 0; ; i++ {
					if _, _, err := ReadFrame(r); err != nil {
						return
					}
					if i < n {
						c.Write(AppendFrame(nil, FrameOK, []byte("7")))
					}
				}
			}()
		}
	}()
	return home
}

// TestClientLimit: a connection may be idle for longer than an answer may take;
// an answer that does not come fails all that wait.
func TestClientLimit(t *testing.T) {
	const limit = 100 * time.Millisecond
	c, err := DialWait(mute(t, 2), time.Second, limit)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask := func() error {
		heard := make(chan error, 1)
		c.Record(Done, mailid.ID(1), 0, nil, func(_ uint64, err error) { heard <- err })
		select {
		case err := <-heard:
			return err
		case <-time.After(10 * time.Second):
			t.Fatal("nothing heard for 10 s")
			return nil
		}
	}
	for i := range 2 {
		if err := ask(); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		time.Sleep(3 * limit)
		if err := c.Err(); err != nil {
			t.Fatalf("an idle connection failed: %v", err)
		}
	}
	start := time.Now()
	if err := ask(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("no answer: %v; want %v", err, os.ErrDeadlineExceeded)
	}
	if took := time.Since(start); took < limit || c.Err() == nil {
		t.Errorf("failed after %v, client's error %v; want %v or more, and an error", took, c.Err(), limit)
	}
}
