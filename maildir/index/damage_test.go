// SPDX-License-Identifier: ISC

package index

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quill/maildir"
)

// saved is the content of the index's files.
func saved(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	out := make(map[string][]byte)
	all, _ := filepath.Glob(dir + "/qx.*")
	for _, f := range all {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(f)] = b
	}
	return out
}

// restore puts them back, and nothing else.
func restore(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	all, _ := filepath.Glob(dir + "/qx.*")
	for _, f := range all {
		os.Remove(f)
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// spoil cuts each of the files at a byte and then changes that byte; step says
// how many bytes of a file it goes on each time, 0 leaves the file alone.
func spoil(t *testing.T, dir string, whole map[string][]byte, step func(name string) int, check func(what string)) {
	t.Helper()
	for name, b := range whole {
		n := step(name)
		for i := 0; n > 0 && i < len(b); i += n {
			restore(t, dir, whole)
			os.WriteFile(filepath.Join(dir, name), b[:i], 0o600)
			check(fmt.Sprintf("%s cut at %d", name, i))
			c := bytes.Clone(b)
			c[i] ^= 0x41
			restore(t, dir, whole)
			os.WriteFile(filepath.Join(dir, name), c, 0o600)
			check(fmt.Sprintf("%s byte %d", name, i))
		}
	}
}

// TestDamage: an index of which a file was cut anywhere, or has another byte
// anywhere, never says a wrong UID, nor gives one a second time, under the
// UIDVALIDITY it had.
func TestDamage(t *testing.T) {
	m, dir := newBox(t, 3)
	x := open(t, m, Options{})
	given := map[UID]string{1: "m000", 2: "m001", 3: "m002", 4: "late"}
	if err := x.Expunge([]UID{2}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Store([]UID{1}, Store{Op: Add, Flags: Seen, Keywords: []string{"k"}}); err != nil {
		t.Fatal(err)
	}
	if err := x.update(x.rotate); err != nil { // so that the snapshot has messages, too
		t.Fatal(err)
	}
	drop(t, dir, "new/1800000000.late")
	takeIn(t, x)
	if err := x.Expunge([]UID{4}); err != nil {
		t.Fatal(err)
	}
	valid := x.View().UIDValidity()
	x.Close()
	drop(t, dir, "new/1900000000.other") // must not get a UID of before
	whole := saved(t, dir)
	rebuilt, kept, noticed := 0, 0, 0
	check := func(what string) {
		if damaged(t, m) { // it would be made anew, which takes time: do so now and then
			if noticed++; noticed%60 != 1 {
				return
			}
		}
		x, err := Open(m, Options{})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		defer x.Close()
		v := x.View()
		want(t, what+": messages", v.Len(), 3)
		if v.UIDValidity() != valid {
			rebuilt++
			if v.UIDValidity() < valid {
				t.Errorf("%s: UIDVALIDITY went back", what)
			}
			return
		}
		kept++
		for seq := 1; seq <= v.Len(); seq++ {
			_, key, _ := strings.Cut(v.Message(seq).Key(), ".")
			if was, ok := given[v.Message(seq).UID]; ok && was != key || !ok && key != "other" {
				t.Errorf("%s: UID %d for %s; it was %q's", what, v.Message(seq).UID, key, was)
			}
		}
	}
	check("whole")
	want(t, "whole: kept", kept, 1)
	spoil(t, dir, whole, func(name string) int {
		if name == lockFile || name == validFile { // which cost nothing, mostly
			return 3
		}
		return 1
	}, check)
	for name := range whole {
		restore(t, dir, whole)
		os.Remove(filepath.Join(dir, name))
		check(name + " gone")
	}
	t.Logf("%d noticed, %d of these rebuilt, %d kept", noticed, rebuilt, kept)
	if noticed < 1000 || rebuilt == 0 || kept < 2 {
		t.Errorf("%d noticed, %d rebuilt, %d kept; the test proves nothing", noticed, rebuilt, kept)
	}
}

// damaged tells whether who opens the index now makes it anew.
func damaged(t *testing.T, m *maildir.Maildir) bool {
	t.Helper()
	x := &Index{m: m}
	defer x.Close()
	var err error
	if x.lock, err = lockIn(nil, m.Fd(), indexByte, 0); err != nil {
		t.Fatal(err)
	}
	err = x.reread()
	return errors.Is(err, errDamaged) || errors.Is(err, fs.ErrNotExist)
}

// TestTornTail: what was never committed is cut off, and costs nothing.
func TestTornTail(t *testing.T) {
	m, dir := newBox(t, 1)
	x := open(t, m, Options{})
	valid := x.View().UIDValidity()
	rec := appendRecord(nil, &record{kind: kindFlags, modseq: x.View().HighestModSeq() + 1, change: change{on: Seen}, uids: []Range{{1, 1}}})
	x.Close()
	whole := saved(t, dir)
	var log string
	for name := range whole {
		if strings.HasPrefix(name, logPrefix) {
			log = name
		}
	}
	for i := range len(rec) + 1 {
		restore(t, dir, whole)
		os.WriteFile(filepath.Join(dir, log), append(bytes.Clone(whole[log]), rec[:i]...), 0o600)
		x := open(t, m, Options{})
		v := x.View()
		seen := v.Message(1).Flags == Seen
		if v.UIDValidity() != valid || seen != (i == len(rec)) {
			t.Errorf("%d bytes of %d: UIDVALIDITY %d, was %d; seen %v", i, len(rec), v.UIDValidity(), valid, seen)
		}
		x.Close()
	}
}

// TestOlderSnapshot: files restored from a backup are noticed by the mark.
func TestOlderSnapshot(t *testing.T) {
	m, dir := newBox(t, 2)
	x := open(t, m, Options{})
	valid := x.View().UIDValidity()
	old := saved(t, dir)
	if err := x.update(x.rotate); err != nil {
		t.Fatal(err)
	}
	x.Close()
	old[lockFile] = saved(t, dir)[lockFile]
	restore(t, dir, old)
	if got := open(t, m, Options{}).View().UIDValidity(); got <= valid {
		t.Errorf("UIDVALIDITY %d after %d; want a greater one", got, valid)
	}
}
