// SPDX-License-Identifier: ISC

package folders

import (
	"fmt"
	"strings"
	"testing"

	"quill/maildir/index"
)

func BenchmarkList1000(b *testing.B) {
	a, _ := newAccount(b)
	for i := range 1000 {
		must(b, a.make(fmt.Sprintf("f%d.x", i), nil))
	}
	for b.Loop() {
		if _, err := a.List(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBox opens a mailbox that no other session has open.
func BenchmarkBox(b *testing.B) {
	a, _ := newAccount(b)
	must(b, a.Create("f", nil))
	for b.Loop() {
		box, err := a.Box("f")
		must(b, err)
		box.Close()
	}
}

func BenchmarkAppend(b *testing.B) {
	a, _ := newAccount(b)
	text := strings.Repeat("line of a message\n", 100)
	for b.Loop() {
		add(b, a, Inbox, text, New{})
	}
}

// BenchmarkCopy100 copies 100 messages at once.
func BenchmarkCopy100(b *testing.B) {
	a, _ := newAccount(b)
	must(b, a.Create("f", nil))
	p, err := a.NewAppend(Inbox)
	must(b, err)
	for range 100 {
		must(b, p.Add(New{Size: 5}, strings.NewReader("text\n")))
	}
	c, err := p.Commit()
	must(b, err)
	in, to := openBox(b, a, Inbox), openBox(b, a, "f")
	uids := append([]index.UID(nil), c.Target...)
	for b.Loop() {
		if _, err := a.Copy(in, uids, to); err != nil {
			b.Fatal(err)
		}
	}
}
