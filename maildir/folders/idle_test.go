// SPDX-License-Identifier: ISC

package folders

import (
	"testing"
	"time"
)

// TestKeepIdle: a mailbox that nobody has stays open for who comes next, but not
// too many, not too long, and not after Close.
func TestKeepIdle(t *testing.T) {
	p := NewPool("h")
	closed := 0
	p.KeepIdle(2, time.Hour, func() { closed++ })
	_, root := newAccount(t)
	a := openAccount(t, root, p)
	for _, name := range []string{"A", "B", "C"} {
		if err := a.Create(name, nil); err != nil {
			t.Fatal(err)
		}
	}
	visit := func(name string) *shared {
		t.Helper()
		b, err := a.Box(name)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		return b.s
	}
	first := visit("A")
	if visit("A") != first || len(p.idle) != 1 {
		t.Fatalf("who comes again does not get the mailbox that is open; %d idle", len(p.idle))
	}
	visit("B")
	visit("C")
	if len(p.idle) != 2 || p.open[first.at] == first {
		t.Errorf("%d are idle, the oldest among them: %v; want 2, false", len(p.idle), p.open[first.at] == first)
	}
	p.expire(time.Now().Add(2 * time.Hour))
	if len(p.idle) != 0 || len(p.open) != 1 {
		t.Errorf("after their time %d are idle, %d open; want 0 and the account's", len(p.idle), len(p.open))
	}
	visit("A")
	p.Close()
	if len(p.idle) != 0 || len(p.open) != 1 {
		t.Errorf("after Close %d are idle, %d open; want 0 and the account's", len(p.idle), len(p.open))
	}
	visit("A")
	if len(p.idle) != 0 {
		t.Error("after Close a mailbox stays open")
	}
	if closed != 2 {
		t.Errorf("told %d times that mailboxes were closed; want 2: too long, Close", closed)
	}
}
