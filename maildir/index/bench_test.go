// SPDX-License-Identifier: ISC

package index

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"
)

const benchMessages = 100_000

// benchBox is a Maildir of many empty messages with an index.
func benchBox(b *testing.B) (*Index, string) {
	m, dir := newBox(b, 0)
	for i := range benchMessages {
		f, err := os.Create(fmt.Sprintf("%s/cur/%d.M%dQ1R1.host,S=0,W=0:2,S", dir, 1700000000+i, i))
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
	x := open(b, m, Options{Recheck: time.Hour})
	time.Sleep(2 * tick)
	takeIn(b, x)
	return x, dir
}

// BenchmarkOpen opens the index of 100,000 messages: warm, and then with a change
// by others each time.
func BenchmarkOpen(b *testing.B) {
	x, dir := benchBox(b)
	opt := Options{Recheck: time.Hour}
	again := func(b *testing.B) {
		y, err := Open(x.m, opt)
		if err != nil {
			b.Fatal(err)
		}
		if n := y.View().Len(); n < benchMessages {
			b.Fatalf("%d messages", n)
		}
		y.Close()
	}
	b.Run("warm", func(b *testing.B) {
		for b.Loop() {
			again(b)
		}
	})
	b.Run("digests", func(b *testing.B) {
		blob := bytes.Repeat([]byte("d"), 700)
		for i := range benchMessages {
			x.Keep(UID(i+1), blob)
		}
		if err := x.Flush(); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			d := x.Digests()
			for i := range benchMessages {
				if len(d.Of(UID(i+1))) != len(blob) {
					b.Fatalf("UID %d has none", i+1)
				}
			}
			d.Close()
		}
	})
	n := 0
	b.Run("delivery", func(b *testing.B) {
		for b.Loop() {
			n++
			drop(b, dir, fmt.Sprintf("new/%d.n", 1800000000+n))
			again(b)
		}
	})
	b.Run("rename", func(b *testing.B) {
		for b.Loop() {
			n++
			old := fmt.Sprintf("%s/cur/%d.M%dQ1R1.host,S=0,W=0:2,S", dir, 1700000000+n, n)
			if err := os.Rename(old, old+"T"); err != nil {
				b.Fatal(err)
			}
			again(b)
		}
	})
	b.Run("store", func(b *testing.B) {
		for b.Loop() {
			n++
			if _, err := x.Store([]UID{UID(n)}, Store{Op: Add, Flags: Flagged}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSync takes changes by others in, in an open index of 100,000 messages.
func BenchmarkSync(b *testing.B) {
	x, dir := benchBox(b)
	n := 0
	change := func(b *testing.B, f func()) {
		for b.Loop() {
			b.StopTimer()
			n++
			time.Sleep(2 * tick) // so that the change before is known to be the last
			takeIn(b, x)
			f()
			b.StartTimer()
			takeIn(b, x)
		}
	}
	b.Run("delivery", func(b *testing.B) {
		change(b, func() { drop(b, dir, fmt.Sprintf("new/%d.n", 1800000000+n)) })
	})
	b.Run("rename", func(b *testing.B) {
		change(b, func() {
			old := fmt.Sprintf("%s/cur/%d.M%dQ1R1.host,S=0,W=0:2,S", dir, 1700000000+n, n)
			if err := os.Rename(old, old+"T"); err != nil {
				b.Fatal(err)
			}
		})
	})
}
