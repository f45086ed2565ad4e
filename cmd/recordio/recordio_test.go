// SPDX-License-Identifier: ISC

package main

import (
	"io"
	"os"
	"strings"
	"testing"
)

// TestRecord: lines come out whole, long ones cut with a plus, controls
// harmless.
func TestRecord(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stderr
	os.Stderr = w
	rec := newRecord("7", '<')
	for _, part := range []string{"HELO ", "x\r\n", "a\x1b[1mb\n", strings.Repeat("y", maxLine+1), "\n", "rest"} {
		rec.take([]byte(part))
	}
	rec.end()
	os.Stderr = old
	w.Close()
	got, _ := io.ReadAll(r)
	want := "7 < HELO x \n7 < a?[1mb \n7 < " + strings.Repeat("y", maxLine) + "+\n7 < y \n7 < rest+\n7 < [EOF]\n"
	if string(got) != want {
		t.Errorf("recorded %q; want %q", got, want)
	}
}
