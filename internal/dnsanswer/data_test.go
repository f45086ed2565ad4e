// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"testing"

	"quill/internal/dnswire"
	"quill/internal/racetest"
)

// TestAbove: which names are above others, and how few are remembered.
func TestAbove(t *testing.T) {
	for _, c := range []struct {
		name, text string
		stored     int
		above, not []string
	}{
		{"no zone", "", 0, nil, []string{"a"}},
		{"a zone", ".a.b:1.2.3.4:ns.a.b\n+w.a.b:1.2.3.4\n", 1, []string{"b"}, []string{"w.a.b", "x.b", "ns.a.b"}},
		{"empty non-terminals", ".a:1.2.3.4:ns.a\n+h.x.y.a:1.2.3.4\n+i.x.y.a:1.2.3.4\n+h.z.y.a:1.2.3.4\n", 3, []string{"x.y.a", "y.a", "z.y.a"}, []string{"h.x.y.a", "w.x.y.a"}},
		{"owners above", ".a:1.2.3.4:ns.a\n+y.a:1.2.3.4\n+x.y.a:1.2.3.4\n+h.x.y.a:1.2.3.4\n", 0, nil, []string{"h.x.y.a"}},
		{"wildcards", ".a:1.2.3.4:ns.a\n+*.w.a:1.2.3.4\n+*.a:1.2.3.4\n+*.*.v.a:1.2.3.4\n", 3, []string{"w.a", "v.a", `\052.v.a`}, []string{"x.w.a"}},
		{"two trees in turn", ".a:1.2.3.4:ns.a\n.in-addr.arpa:1.2.3.4:ns.a\n=h1.x.a:10.0.0.1\n=h2.x.a:10.0.0.2\n=h3.x.a:10.0.0.3\n", 5, []string{"x.a", "0.0.10.in-addr.arpa", "0.10.in-addr.arpa", "10.in-addr.arpa", "arpa"}, nil},
		{"not always there", ".a:1.2.3.4:ns.a\n+y.a:1.2.3.4:60::lo\n+z.a:1.2.3.4:0:4000000000000001\n+h.y.a:1.2.3.4\n+h.z.a:1.2.3.4\n", 2, []string{"y.a", "z.a"}, nil},
		{"locations", "%lo:1.2\n%lo\n", 0, nil, nil},
	} {
		d := compiled(t, c.text)
		if d.above.n != c.stored {
			t.Errorf("%s: %d names remembered; want %d", c.name, d.above.n, c.stored)
		}
		for want, names := range map[bool][]string{true: c.above, false: c.not} {
			for _, n := range names {
				wire, err := dnswire.Name(n)
				if err != nil {
					t.Fatal(err)
				}
				if got := d.isAbove(wire); got != want {
					t.Errorf("%s: %s is above others: %v; want %v", c.name, n, got, want)
				}
			}
		}
	}
}

// TestAboveLimit: data with more such names than we remember are refused: a
// wrong NXDOMAIN would be worse.
func TestAboveLimit(t *testing.T) {
	b := database(t, ".a:1.2.3.4:ns.a\n+h.x.y.z.a:1.2.3.4\n")
	for limit, want := range map[int]error{2: ErrAbove, 3: nil} {
		s := scan{d: &Data{b: b, seed: maphash.MakeSeed()}, limit: limit, finder: finder{b: b, work: maxScan}}
		if err := s.all(); err != want {
			t.Errorf("3 names, limit %d: %v; want %v", limit, err, want)
		}
	}
}

// TestScanLimit: data that would keep Open busy are refused.
func TestScanLimit(t *testing.T) {
	b := database(t, ".a:1.2.3.4:ns.a\n+y.a:1.2.3.4\n+h.y.a:1.2.3.4\n+z.a:1.2.3.4\n+h.z.a:1.2.3.4\n")
	s := scan{d: &Data{b: b, seed: maphash.MakeSeed()}, limit: maxAbove, finder: finder{b: b, work: 1}}
	if err := s.all(); err != ErrCorrupt {
		t.Errorf("without work left: %v; want %v", err, ErrCorrupt)
	}
}

// TestHashes: what was added is in, through all growth, and nothing else.
func TestHashes(t *testing.T) {
	var h hashes
	random := rand.New(rand.NewPCG(1, 2))
	in := make(map[uint64]bool)
	for range 100000 {
		x := random.Uint64() | 1<<63 | 2
		if len(in)%3 == 0 {
			x &^= 0xffff // hashes that meet
		}
		if h.has(x) != in[x] {
			t.Fatalf("has(%x) = %v", x, !in[x])
		}
		if !in[x] {
			h.add(x)
			in[x] = true
		}
		if h.n > len(h.slots)*3/4 {
			t.Fatalf("%d of %d slots", h.n, len(h.slots))
		}
		if len(in) > racetest.Fewer(20000) {
			break
		}
	}
	for x := range in {
		if !h.has(x) || h.has(x^2) {
			t.Fatalf("%x is lost, or %x found", x, x^2)
		}
	}
	if h.has(0) {
		t.Error("0 is in")
	}
	if h.add(0); !h.has(0) {
		t.Error("0 was added and is not in")
	}
}

// TestLocationKeys: which lengths of prefixes are looked up.
func TestLocationKeys(t *testing.T) {
	s := &table{}
	for _, key := range []string{"\x00%", "\x00%\x0a\x01", "\x00%\x0a\x01\x02\x03", "\x00%\x0a\x01\x02\x03\x04", "\x00%s20010db8", "\x00%s2", "\x00x", "\x00%s" + fmt.Sprintf("%033d", 0)} {
		s.put([]byte(key), []byte("lo"))
	}
	d := open(t, s.finish())
	if want4, want6 := uint8(1<<0|1<<2|1<<4), uint64(1<<8|1<<1); d.loc4 != want4 || d.loc6 != want6 {
		t.Errorf("lengths %b and %b; want %b and %b", d.loc4, d.loc6, want4, want6)
	}
}
