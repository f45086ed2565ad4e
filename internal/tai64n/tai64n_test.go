// SPDX-License-Identifier: ISC

package tai64n

import (
	"testing"
	"time"
)

func TestStamp(t *testing.T) {
	at := time.Unix(1074667240, 123456789)
	const want = "@40000000400e1ef2075bcd15"
	if got := Stamp(at); got != want {
		t.Errorf("Stamp(%v) = %q; want %q", at.UTC(), got, want)
	}
	if got, ok := Parse(want + " line"); !ok || !got.Equal(at) {
		t.Errorf("Parse(%q) = %v, %v; want %v", want, got.UTC(), ok, at.UTC())
	}
	for _, bad := range []string{"", "@40", "40000000400e1ef2075bcd1500", "@zz000000400e1ef2075bcd15", "@0000000000000001075bcd15", "@40000000400e1ef2ffffffff"} {
		if _, ok := Parse(bad); ok {
			t.Errorf("Parse(%q) = ok; want refused", bad)
		}
	}
}
