// SPDX-License-Identifier: ISC

package index

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// wires is what Views have of the messages' Wire.
func wires(v *View) (out []int64) {
	for seq := 1; seq <= v.Len(); seq++ {
		out = append(out, v.Message(seq).Wire)
	}
	return out
}

// TestMeasure: a message is read for its size once, and not where its name tells
// it; a View that was there before is not told.
func TestMeasure(t *testing.T) {
	m, dir := newBox(t, 2)
	drop(t, dir, "new/1800000000.s,S=12,W=14")
	drop(t, dir, "new/1800000001.lies,S=12,W=9")
	put(t, dir, "new/1800000002.empty", "")
	x := open(t, m, Options{Recheck: 1})
	before := x.View()
	want(t, "not measured", wires(before), []int64{0, 0, 14, 0, 0})
	os.Remove(filepath.Join(dir, "cur/1700000000.m000:2,"))
	os.Remove(filepath.Join(dir, "new/1700000000.m000"))
	if err := x.Measure(); err != nil {
		t.Fatal(err)
	}
	want(t, "measured, the first being gone", wires(x.View()), []int64{14, 14, 14, 0})
	want(t, "a View of before", wires(before), []int64{0, 0, 14, 0, 0})
	if events := before.Update(true); len(events) != 1 || events[0].Kind != Expunged {
		t.Errorf("events %+v; want that the first is gone", events)
	}
	want(t, "that View now", wires(before), []int64{14, 14, 14, 0})

	x.mu.Lock()
	good := x.good
	x.mu.Unlock()
	if err := x.Measure(); err != nil || x.good != good {
		t.Errorf("measured again: %v, log of %d bytes; want %d", err, x.good, good)
	}
	again := open(t, openBox(t, dir), Options{})
	want(t, "for who opens it next", wires(again.View()), []int64{14, 14, 14, 0})
	if wrong, _, err := Check(openBox(t, dir)); err != nil || len(wrong) > 0 {
		t.Errorf("check: %q, %v", wrong, err)
	}
}

// TestMeasureOthers: what was measured is not said of messages that have the same
// UIDs in an index that was made anew meanwhile.
func TestMeasureOthers(t *testing.T) {
	m, dir := newBox(t, 2)
	x := open(t, m, Options{})
	valid, found, err := x.unmeasured()
	if err != nil || valid != x.View().UIDValidity() || len(found) != 2 {
		t.Fatalf("unmeasured: %d, %v, %v", valid, found, err)
	}
	if !slices.IsSortedFunc(found, func(a, b placed) int { return int(a.uid) - int(b.uid) }) {
		t.Errorf("%v is not in order", found)
	}
	os.Remove(filepath.Join(dir, snapFile))
	if err := x.recordSizes(valid, found); err != nil {
		t.Fatal(err)
	}
	now := x.View()
	if now.UIDValidity() == valid {
		t.Fatal("the index was not made anew")
	}
	want(t, "sizes", wires(now), []int64{0, 0})
}

// TestMeasureCut: a message whose file has become shorter is measured once too.
func TestMeasureCut(t *testing.T) {
	m, dir := newBox(t, 1)
	x := open(t, m, Options{})
	put(t, dir, "cur/1700000000.m000:2,", "a\n")
	if err := x.Measure(); err != nil {
		t.Fatal(err)
	}
	good := x.good
	want(t, "measured", x.View().Message(1).Measured(), true)
	want(t, "measure again", x.Measure(), nil)
	want(t, "bytes of log", x.good-good, int64(0))
}

// TestMeasureUnreadable: what cannot be read keeps nobody from the rest.
func TestMeasureUnreadable(t *testing.T) {
	m, dir := newBox(t, 3)
	x := open(t, m, Options{})
	first := filepath.Join(dir, "cur/1700000000.m000:2,")
	os.Remove(first)
	os.Mkdir(first, 0o700)
	if err := x.Measure(); err != nil {
		t.Error(err)
	}
	want(t, "measured", wires(x.View()), []int64{0, 14, 14})
}
