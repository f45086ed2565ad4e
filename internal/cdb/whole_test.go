// SPDX-License-Identifier: ISC

package cdb

import (
	"fmt"
	"os"
	"testing"
)

// TestWhole: a database that was cut anywhere is not.
func TestWhole(t *testing.T) {
	var pairs [][2]string
	for i := range 20 {
		pairs = append(pairs, [2]string{fmt.Sprint("key", i), "value"})
	}
	b, err := os.ReadFile(build(t, pairs))
	if err != nil {
		t.Fatal(err)
	}
	for n := headerSize; n <= len(b); n++ {
		m, err := FromBytes(b[:n])
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Whole(); (got == nil) != (n == len(b)) {
			t.Errorf("Whole of %d bytes of %d = %v", n, len(b), got)
		}
	}
	if m, _ := FromBytes(make([]byte, headerSize)); m.Whole() != nil {
		t.Error("Whole of an empty one is an error")
	}
	if m, _ := Open(build(t, nil)); m.Whole() != nil {
		t.Error("Whole of one without records is an error")
	}
}
