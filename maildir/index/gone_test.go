// SPDX-License-Identifier: ISC

package index

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// gone is what lies in qx.gone.
func gone(t testing.TB, dir string) []string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, goneDir)); err != nil {
		return nil
	}
	return names(t, filepath.Join(dir, goneDir))
}

// readable tells which of the messages can be read.
func readable(t testing.TB, x *Index, uids ...UID) (out []UID) {
	t.Helper()
	for _, uid := range uids {
		f, err := x.File(uid)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(f); err != nil || len(b) != 12 {
			t.Errorf("UID %d has %d bytes, %v", uid, len(b), err)
		}
		f.Close()
		out = append(out, uid)
	}
	return out
}

func expunge(t testing.TB, x *Index, uids ...UID) {
	t.Helper()
	if err := x.Expunge(uids); err != nil {
		t.Fatal(err)
	}
}

// TestExpungedReadable: what a session has not been told of it can read, until it
// has, and then nothing is left of it.
func TestExpungedReadable(t *testing.T) {
	m, dir := newBox(t, 5)
	x, y := open(t, m, Options{}), open(t, openBox(t, dir), Options{})
	xv, yv := x.View(), y.View()
	before := yv.HighestModSeq()
	expunge(t, x, 1, 3)
	want(t, "new/ and cur/ for others", len(names(t, dir+"/cur")), 3)
	want(t, "not taken in", readable(t, y, 1, 2, 3), "[1 2 3]")
	takeIn(t, y)
	want(t, "told of nothing", len(yv.Update(false)), 0)
	want(t, "the point is before", []any{yv.Held(), yv.HighestModSeq()}, []any{true, before})
	want(t, "taken in", readable(t, y, 1, 2, 3), "[1 2 3]")
	want(t, "for x", brief(xv.Update(true)), "[-1/1 -2/3]")
	z := open(t, openBox(t, dir), Options{})
	want(t, "an opening leaves them", gone(t, dir) != nil && len(gone(t, dir)) == 2, true)
	z.Close()
	drop(t, dir, "new/1800000000.n")
	takeIn(t, y)
	want(t, "still told of no expunge", brief(yv.Update(false)), "[+6/6]")
	want(t, "after an update without", readable(t, y, 1, 3), "[1 3]")
	want(t, "the point after a change is before too", []any{yv.Held(), yv.HighestModSeq()}, []any{true, before})
	want(t, "with", brief(yv.Update(true)), "[-1/1 -2/3]")
	want(t, "the point after", []any{yv.Held(), yv.HighestModSeq()}, []any{false, y.s.modseq})
	want(t, "after an update with", readable(t, y, 1, 2, 3), "[2]")
	want(t, "left", len(gone(t, dir)), 0)
	takeIn(t, x)
	xv.Update(true)
	expunge(t, y, 2)
	expunge(t, y, 4)
	yv.Update(true)
	want(t, "two more", len(gone(t, dir)), 2)
	x.Close()
	want(t, "after x is closed", len(gone(t, dir)), 0)
	want(t, "messages", show(open(t, openBox(t, dir), Options{}).View()), "[5 m004 0 6 n 0]")
}

// TestExpungedAlone: where nobody else looks, nothing is kept.
func TestExpungedAlone(t *testing.T) {
	m, dir := newBox(t, 5)
	x := open(t, m, Options{})
	open(t, openBox(t, dir), Options{}) // shows nothing
	v := x.View()
	expunge(t, x, 1)
	_, err := os.Stat(filepath.Join(dir, goneDir))
	want(t, "no folder", errors.Is(err, fs.ErrNotExist), true)
	v.Update(true)
	w := x.View() // a second one of the same Index
	expunge(t, x, 2)
	want(t, "for w", readable(t, x, 2), "[2]")
	v.Update(true)
	want(t, "for w still", readable(t, x, 2), "[2]")
	w.Close()
	want(t, "after w is closed", readable(t, x, 2), "[]")
}

// TestGoneFolder: a folder that cannot be had costs no expunge; what is not ours
// in it stays; what a crash has left goes with the next opening.
func TestGoneFolder(t *testing.T) {
	m, dir := newBox(t, 5)
	y := open(t, openBox(t, dir), Options{})
	y.View()
	x := open(t, m, Options{})
	drop(t, dir, goneDir) // a file
	expunge(t, x, 1)
	want(t, "deleted", readable(t, y, 1), "[]")
	os.Remove(filepath.Join(dir, goneDir))
	if err := os.Symlink(dir+"/new", filepath.Join(dir, goneDir)); err != nil {
		t.Fatal(err)
	}
	expunge(t, x, 2)
	want(t, "new/", len(names(t, dir+"/new")), 0)
	os.Remove(filepath.Join(dir, goneDir))
	expunge(t, x, 3)
	want(t, "kept", readable(t, y, 3), "[3]")
	for _, name := range []string{"/notes", "/1.2", "/1.2.x", "/7.3.9"} {
		drop(t, dir, goneDir+name)
	}
	y.lock.Close() // as kill -9 does
	y.lock, y.pins = nil, nil
	open(t, openBox(t, dir), Options{})
	want(t, "left", gone(t, dir), "[1.2 1.2.x notes]")
	want(t, "of UIDVALIDITY", parse(t, "1700000000.4.12"), expunged{1700000000, 12})
}

func parse(t *testing.T, name string) expunged {
	e, err := parseGone(name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestLockDeleted: pins stand again in a lock file that was made anew.
func TestLockDeleted(t *testing.T) {
	m, dir := newBox(t, 3)
	x, y := open(t, m, Options{}), open(t, openBox(t, dir), Options{})
	y.View()
	os.Remove(filepath.Join(dir, lockFile))
	if err := y.Flush(); err != nil {
		t.Fatal(err)
	}
	takeIn(t, x)
	expunge(t, x, 2)
	want(t, "kept", readable(t, y, 2), "[2]")
}

// TestPins: of each UIDVALIDITY its own, and none where the other locks are.
func TestPins(t *testing.T) {
	for _, c := range []struct {
		valid  uint32
		modseq uint64
	}{{0, 0}, {1, 0}, {1 << 20, 1}, {1<<32 - 1, 1<<40 - 1}} {
		if at := pinAt(c.valid, c.modseq); at < 1<<61 || at >= 1<<62 {
			t.Errorf("pin of %v is %#x", c, at)
		}
	}
	if pinAt(5, 1<<40-1) >= pinAt(6, 0) {
		t.Error("pins of two UIDVALIDITYs overlap")
	}
}

// TestExpungedByIntent: a session that ends what another program had begun to
// expunge still shows it.
func TestExpungedByIntent(t *testing.T) {
	m, dir := newBox(t, 3)
	x := open(t, m, Options{})
	v := x.View()
	y := open(t, openBox(t, dir), Options{})
	want(t, "intent", y.update(func() error { return y.intend([]Range{{2, 2}}) }), nil)
	takeIn(t, x)
	want(t, "readable", readable(t, x, 1, 2, 3), []UID{1, 2, 3})
	want(t, "events", brief(v.Update(true)), "[-2/2]")
	want(t, "kept", gone(t, dir), "[]")
}
