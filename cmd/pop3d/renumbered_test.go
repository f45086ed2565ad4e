// SPDX-License-Identifier: ISC

package main

import (
	"path/filepath"
	"testing"

	"quill/maildir/index"
)

// TestRenumbered: what the client has marked is deleted, and not what has its UID
// in an index that was made anew during the session.
func TestRenumbered(t *testing.T) {
	dir, _ := folder(t)
	openIndex(t, dir).Close()
	b := opened(t, dir)
	write(t, filepath.Join(dir, "M/new/0.a.h"), "S: 0\n", 99) // comes before the second
	if _, err := index.Rebuild(b.m, index.Options{}); err != nil {
		t.Fatal(err)
	}
	if failed, err := b.Commit([]int{1}); failed != 0 || err != nil {
		t.Errorf("Commit: %d, %v", failed, err)
	}
	if got, want := left(dir), "cur/0.z.h:2, cur/2.b.h:2,S cur/3.c.h:2, new/.hidden new/0.a.h"; got != want {
		t.Errorf("left %s; want %s", got, want)
	}
}
