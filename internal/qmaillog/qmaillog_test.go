// SPDX-License-Identifier: ISC

package qmaillog

import "testing"

func TestSafe(t *testing.T) {
	for in, want := range map[string]string{"did 1+0+0\n": "did_1+0+0/", "a%b\x00\x7fü": "a_b____", "": "", "#@[]": "#@[]"} {
		if got := Safe(in); got != want {
			t.Errorf("Safe(%q) = %q; want %q", in, got, want)
		}
	}
}
