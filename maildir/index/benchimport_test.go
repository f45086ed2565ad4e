// SPDX-License-Identifier: ISC

package index

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkTakeOver opens a folder of 100,000 messages that Dovecot kept for the
// first time.
func BenchmarkTakeOver(b *testing.B) {
	const n = 100_000
	m, dir := newBox(b, 0)
	var list strings.Builder
	fmt.Fprintf(&list, "3 V17 N%d\n", 2*n)
	for i := range n {
		name := fmt.Sprintf("%d.M%dP1.h,S=12,W=14:2,Sa", 1700000000+i, i)
		drop(b, dir, "cur/"+name)
		fmt.Fprintf(&list, "%d :%s\n", i+7, name)
	}
	put(b, dir, dovecotList, list.String())
	put(b, dir, dovecotKeywords, "0 Foo\n")
	for b.Loop() {
		x, err := Open(m, Options{})
		if err != nil || x.View().UIDNext() != 2*n || x.View().Len() != n {
			b.Fatal(err)
		}
		x.Close()
		b.StopTimer()
		old, _ := filepath.Glob(dir + "/qx.*")
		for _, name := range old {
			if err := os.Remove(name); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
	}
}
