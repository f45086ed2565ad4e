// SPDX-License-Identifier: ISC

package index

import (
	"errors"
	"os"
	"testing"
)

// TestCutOffBeforeRename: a crash came between a change of flags and the file's
// new name, and another program changed the name before anybody looked: both
// changes count, and the file gets the name it should have.
func TestCutOffBeforeRename(t *testing.T) {
	m, dir := newBox(t, 2)
	x := open(t, m, Options{})
	err := x.update(func() error {
		return x.put(record{kind: kindFlags, change: change{on: Flagged}, uids: []Range{{1, 2}}})
	})
	if err != nil {
		t.Fatal(err)
	}
	x.Close()
	os.Rename(dir+"/cur/1700000000.m000:2,", dir+"/cur/1700000000.m000:2,S")
	want(t, "messages", show(open(t, m, Options{}).View()), "[1 m000 101 2 m001 100]")
	want(t, "cur/", names(t, dir+"/cur"), "[1700000000.m000:2,FS 1700000001.m001:2,F]")
}

// TestImpossibleRecords: records that cannot follow those before them are damage.
func TestImpossibleRecords(t *testing.T) {
	add := Message{UID: 1, Name: "a"}
	for name, r := range map[string]record{
		"a UID again":            {kind: kindAdd, modseq: 6, msg: add},
		"a UID beyond all":       {kind: kindAdd, modseq: 6, msg: Message{UID: uidMax + 1, Name: "a"}},
		"a modseq again":         {kind: kindFlags, modseq: 5, uids: []Range{{1, 1}}},
		"a modseq left out":      {kind: kindFlags, modseq: 7, uids: []Range{{1, 1}}},
		"a modseq where none is": {kind: kindDirState, modseq: 6},
		"a keyword again":        {kind: kindKeyword, number: 2, keyword: "work"},
		"a keyword left out":     {kind: kindKeyword, number: 3, keyword: "new"},
	} {
		s := sample(3)
		if s.modseq != 5 || len(s.keywords) != 2 {
			t.Fatalf("sample has modseq %d, %d keywords", s.modseq, len(s.keywords))
		}
		if err := s.apply(&r); !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v; want damaged", name, err)
		}
	}
}
