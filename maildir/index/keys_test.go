// SPDX-License-Identifier: ISC

package index

import (
	"fmt"
	"testing"
)

// TestKnown: messages are found by their keys, few and many, whatever happened to
// the folder; of two with one key the later.
func TestKnown(t *testing.T) {
	s := sample(3000) // UID 2 is gone, each third is in new/
	for _, r := range []record{
		{kind: kindName, msg: Message{UID: 5, New: true, Name: "other:2,S"}},
		{kind: kindName, msg: Message{UID: 7, Name: "6.M1.host,S=6:2,"}}, // out of new/
		{kind: kindName, msg: Message{UID: 4000, Name: "nobody"}},
		{kind: kindAdd, modseq: s.modseq + 1, msg: Message{UID: 3001, Name: "9.M1.host,S=9:2,"}},
		{kind: kindExpunge, modseq: s.modseq + 2, uids: []Range{{20, 29}, {3000, 3000}}},
	} {
		if err := s.apply(&r); err != nil {
			t.Fatal(err)
		}
	}
	want := make(map[string]UID)
	fresh := 0
	for _, m := range s.msgs {
		want[m.Key()] = m.UID
		fresh += int(bit(m.New))
	}
	if want["other"] != 5 || want["9.M1.host,S=9"] != 3001 || want["4.M1.host,S=4"] != 0 || len(want) != 2988 {
		t.Fatalf("the folder is not what was meant: %d keys", len(want))
	}
	for _, every := range []int{1, 7, 2987} {
		asked := make(map[string]bool)
		for i := 0; i < 3000; i += every {
			asked[fmt.Sprintf("%d.M1.host,S=%d", i, i)] = true
		}
		asked["other"] = true
		got, n := known(s, asked)
		if n != fresh {
			t.Errorf("%d in new/; want %d", n, fresh)
		}
		for key := range asked {
			m, uid := got[key], UID(0)
			if m != nil {
				uid = m.UID
			}
			if uid != want[key] {
				t.Errorf("%d keys asked for: %s is UID %d; want %d", len(asked), key, uid, want[key])
			}
		}
	}
	if got, n := known(&state{}, map[string]bool{"a": true}); len(got) != 0 || n != 0 {
		t.Errorf("of no messages: %v, %d", got, n)
	}
}
