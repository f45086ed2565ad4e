// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quill/internal/digest"
	"quill/maildir"
	"quill/maildir/index"
)

// TestFiller: what a worker delivers is in the index, with its digest, before a
// session looks; a Maildir without an index gets none.
func TestFiller(t *testing.T) {
	home := t.TempDir()
	os.Chmod(home, 0o700)
	for _, d := range []string{"with", "without"} {
		for _, sub := range []string{"tmp", "new", "cur"} {
			os.MkdirAll(filepath.Join(home, d, sub), 0o700)
		}
	}
	m, err := maildir.Open(filepath.Join(home, "with"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	x, err := index.Open(m, index.Options{})
	if err != nil {
		t.Fatal(err)
	}
	x.Close()
	o := testOffice(nil)
	o.filler = newFiller()
	s := startWorker(t, o, defaultLimits)
	fd := memory(t, "Subject: hello\n\nbody\n")
	const n = 20
	for i := range n {
		for j, box := range []string{"./with/", "./without/"} {
			s.ask(fd, fmt.Sprint(2*i+j), "", "user", home, "user", "", "", "testingsmtp.org", "sendmemail@testingsmtp.org", box)
		}
	}
	for serial, text := range s.answers(2 * n) {
		if !strings.HasPrefix(text, "Kdid 1+0+0") {
			t.Errorf("delivery %s: %q", serial, text)
		}
	}
	s.end()
	o.filler.end()
	if files, _ := filepath.Glob(home + "/without/qx.*"); len(files) > 0 {
		t.Errorf("without an index: %v", files)
	}
	// Digests are nobody's but the filler's.
	blind, err := index.Open(m, index.Options{Deliver: true})
	if err != nil {
		t.Fatal(err)
	}
	defer blind.Close()
	end := time.Now().Add(30 * time.Second)
	for v := blind.View(); v.Len() < n || digests(v) < n; v.Update(true) {
		if time.Now().After(end) {
			t.Fatalf("%d messages, %d digests in the index; want %d", v.Len(), digests(v), n)
		}
		time.Sleep(5 * time.Millisecond)
		if err := blind.Sync(); err != nil {
			t.Fatal(err)
		}
	}
}

// digests counts those there are, and that say what was delivered.
func digests(v *index.View) (n int) {
	d := v.Digests()
	defer d.Close()
	for seq := 1; seq <= v.Len(); seq++ {
		got, err := digest.Read(d.Of(v.Message(seq).UID))
		if err == nil && bytes.Contains(got.Header(), []byte("Subject: hello\r\n")) {
			n++
		}
	}
	return n
}

// TestFillerFull: what is too much is not waited for, and a mailbox that is
// deleted, or whose index is damaged, stops nobody.
func TestFillerFull(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"tmp", "new", "cur"} {
		os.Mkdir(filepath.Join(dir, sub), 0o700)
	}
	os.WriteFile(filepath.Join(dir, "qx.snap"), []byte("damaged"), 0o600)
	f := &filler{queue: make(chan *delivered, 2)}
	taken := 0
	for range 3 {
		m, err := maildir.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if f.take(m, "none") {
			taken++
		} else {
			m.Close()
		}
	}
	if taken != 2 {
		t.Errorf("taken %d of 3; want 2", taken)
	}
	for box, some := range f.boxes(<-f.queue) {
		if len(some) != 2 {
			t.Errorf("%d in one go; want 2", len(some))
		}
		f.guarded(box, some)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "qx.snap")); string(b) != "damaged" || len(f.open) != 0 {
		t.Errorf("snapshot %q, %d indexes open; want it as it was, none", b, len(f.open))
	}
	if (*filler)(nil).take(nil, "x") {
		t.Error("no filler takes a message")
	}
}
