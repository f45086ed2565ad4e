// SPDX-License-Identifier: ISC

package index

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPutBack: an index that is put back from a backup under an Index that is
// open ends its UIDVALIDITY, whoever comes first: its UIDs were others' meanwhile.
func TestPutBack(t *testing.T) {
	for _, others := range []bool{false, true} {
		m, dir := newBox(t, 3)
		x := open(t, m, Options{})
		backup := saved(t, dir)
		drop(t, dir, "new/today")
		takeIn(t, x)
		v := x.View()
		valid := v.UIDValidity()
		want(t, "UIDNEXT", v.UIDNext(), UID(5))
		restore(t, dir, backup)
		if err := os.Remove(filepath.Join(dir, "new", "today")); err != nil {
			t.Fatal(err)
		}
		drop(t, dir, "new/tomorrow")
		if others {
			open(t, openBox(t, dir), Options{}).Close()
		}
		takeIn(t, x)
		want(t, "events", brief(v.Update(true)), []string{"!0/0"})
		if v.UIDValidity() <= valid {
			t.Errorf("others first %v: UIDVALIDITY %d after %d", others, v.UIDValidity(), valid)
		}
	}
}

// TestReplaced: where another folder takes the place of new/ or cur/, the index
// goes on with that, and one that is away for a while is the same after.
func TestReplaced(t *testing.T) {
	m, dir := newBox(t, 3)
	x := open(t, m, Options{})
	defer x.Close()
	v := x.View()
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	for _, sub := range []string{"new", "cur"} {
		move(sub, "away")
		takeIn(t, x)
		move("away", sub)
		takeIn(t, x)
		want(t, sub+" away and back", len(v.Update(true)), 0)
	}
	for _, sub := range []string{"new", "cur", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, "other"), 0o700); err != nil {
			t.Fatal(err)
		}
		move(sub, sub+".old")
		move("other", sub)
	}
	drop(t, dir, "new/other")
	takeIn(t, x)
	v.Update(true)
	if v.Len() != 1 || v.Message(1).UID != 4 || v.Message(1).Name != "other" {
		t.Errorf("with other folders there are %v", show(v))
	}
	if _, err := x.Store([]UID{4}, Store{Op: Add, Flags: Seen}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "cur", "other:2,S")); err != nil {
		t.Error(err)
	}
}
