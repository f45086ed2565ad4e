// SPDX-License-Identifier: ISC

package chain

import (
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// fill leaves no room for another descriptor.
func fill() error {
	f, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	next := uint64(f.Fd()) // the lowest that is free
	if err := f.Close(); err != nil {
		return err
	}
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: next, Max: next})
}

// TestFullProcess: a connection for which a program has no descriptor left ends,
// and its end is reported: nobody counts it for ever. The program goes on.
func TestFullProcess(t *testing.T) {
	n := NewNext(self("full"), NextOptions{})
	defer n.Close()
	for range 3 {
		mine, p := client(t)
		got := pass(n, p)
		if r := wait(t, got); r.ExitCode() != 111 {
			t.Errorf("report = %+v; want exit code 111", r)
		}
		if b, err := io.ReadAll(mine); err != nil || len(b) != 0 {
			t.Errorf("client reads %q, %v; want the end", b, err)
		}
	}
	got := make(chan Report, 1)
	n.Pass(&Packet{Conn: -1, Control: -1, Data: -1}, func(r Report) { got <- r })
	if r := wait(t, got); r.ExitCode() != 1 {
		t.Errorf("a question's report = %+v; want exit code 1", r)
	}
}
