// SPDX-License-Identifier: ISC

package main

import (
	"io"
	"os"
	"testing"
)

// TestAnswersInOrder: answers go out in the order of the questions, in however
// few writes, and an earlier one that is missing holds back the later ones.
func TestAnswersInOrder(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a := &answers{w: w}
	var slots []*slot
	for range 5 {
		slots = append(slots, a.next())
	}
	read := func() string {
		b := make([]byte, 100)
		n, _ := r.Read(b)
		return string(b[:n])
	}
	frame := func(s string) string { return "K\x00\x00\x00\x01" + s }
	slots[2].fill('K', []byte("2"))
	slots[1].fill('K', []byte("1"))
	a.flush() // nothing: the first is not known
	slots[0].fill('K', []byte("0"))
	a.flush()
	if got, want := read(), frame("0")+frame("1")+frame("2"); got != want {
		t.Errorf("after three answers: %q; want %q", got, want)
	}
	slots[4].fill('K', []byte("4"))
	slots[3].fill('K', []byte("3"))
	a.wait()
	w.Close()
	rest, _ := io.ReadAll(r)
	if got, want := string(rest), frame("3")+frame("4"); got != want {
		t.Errorf("at the end: %q; want %q", got, want)
	}
}
