// SPDX-License-Identifier: ISC

package random

import (
	"bytes"
	"testing"
)

// TestFill: all of a long buffer is filled, and no two are the same.
func TestFill(t *testing.T) {
	a, b := make([]byte, 100000), make([]byte, 100000)
	Fill(a)
	Fill(b)
	Fill(nil)
	for at := 0; at < len(a); at += 1000 {
		if part := a[at : at+1000]; bytes.Equal(part, make([]byte, 1000)) || bytes.Equal(part, b[at:at+1000]) {
			t.Errorf("bytes %d to %d are zeros, or the same twice", at, at+1000)
		}
	}
}
