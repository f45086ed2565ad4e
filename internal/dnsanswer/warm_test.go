// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"quill/internal/cdb"
	"quill/internal/dnswire"
)

// TestWarm: looking ahead finds the place of each name, costs no memory, and
// leaves answers as they are.
func TestWarm(t *testing.T) {
	for _, name := range []string{"a.example", "UPPER.Example.ORG", ".", "host17.example.org"} {
		packet := packetFor(t, name, dnswire.TypeA, optRecord)
		wire, err := dnswire.Name(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := nameHash(packet), cdb.Hash(dnswire.Lower(wire)); got != want {
			t.Errorf("nameHash(%s) = %x; want %x", name, got, want)
		}
	}
	d, c := open(t, manyNames(t, 70000)), New(Config{})
	if len(d.b) < large {
		t.Fatalf("data of %d bytes are not looked ahead in", len(d.b))
	}
	packet := func(i int) []byte { return packetFor(t, fmt.Sprintf("host%d.example.org", i), dnswire.TypeA, "") }
	c.Warm(d, 32, packet)
	for i := range 32 {
		h := cdb.Hash([]byte(fmt.Sprintf("%c%s%c%s%c%s\x00", len(fmt.Sprintf("host%d", i)), fmt.Sprintf("host%d", i), 7, "example", 3, "org")))
		if c.hashes[i] != h || c.places[i] == 0 {
			t.Errorf("name %d: hash %x, record at %d; want %x, and a record", i, c.hashes[i], c.places[i], h)
		}
		var q dnswire.Query
		if _, status := c.Answer(d, nil, packet(i), localhost, false, time.Now(), &q); status != '+' || q.Rcode != 0 {
			t.Errorf("name %d: %c %d", i, status, q.Rcode)
		}
	}
	fixed := packet(1)
	if n := testing.AllocsPerRun(100, func() { c.Warm(d, 32, func(int) []byte { return fixed }) }); n != 0 {
		t.Errorf("%v allocations; want none", n)
	}
}

// TestWarmHostile: no packet and no data make it read outside.
func TestWarmHostile(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	c := New(Config{})
	for range 20 {
		b := make([]byte, large+int(random.Uint64()%9))
		random.Read(b)
		c.Warm(&Data{b: b}, 1000, func(int) []byte {
			p := make([]byte, random.Uint64()%64)
			random.Read(p)
			return p
		})
	}
	c.Warm(nil, 1, nil)
}
