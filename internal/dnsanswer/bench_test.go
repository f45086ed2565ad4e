// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"quill/internal/dnsdata"
	"quill/internal/dnswire"
)

// packetFor is a question in the form of a packet.
func packetFor(t testing.TB, name string, kind uint16, more string) []byte {
	t.Helper()
	wire, err := dnswire.Name(name)
	if err != nil {
		t.Fatal(err)
	}
	head := "\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"
	if more != "" {
		head = head[:11] + "\x01"
	}
	return append(append(append([]byte(head), wire...), byte(kind>>8), byte(kind), 0, 1), more...)
}

// optRecord is EDNS with room for 1232 bytes.
const optRecord = "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"

// kinds of questions that resolvers ask most.
var usual = []struct {
	name, host string
	kind       uint16
}{
	{"A", "mail.testingsmtp.org", dnswire.TypeA}, {"MX", "testingsmtp.org", dnswire.TypeMX}, {"NXDOMAIN", "nosuch.testingsmtp.org", dnswire.TypeA}, {"NODATA", "mail.testingsmtp.org", dnswire.TypeAAAA},
	{"referral", "x.del.testingsmtp.org", dnswire.TypeA}, {"CNAME", "www.testingsmtp.org", dnswire.TypeA}, {"wildcard", "x.w.testingsmtp.org", dnswire.TypeA},
	{"refused", "www.elsewhere.example", dnswire.TypeA}, {"ANY", "testingsmtp.org", dnswire.TypeANY}, {"located", "split.testingsmtp.org", dnswire.TypeA},
}

// TestNoAllocation: answers cost no memory, in either mode.
func TestNoAllocation(t *testing.T) {
	d, now := compiled(t, zoneText), time.Now()
	out := make([]byte, 0, 4096)
	for _, cfg := range []Config{{}, {DJB: true}, {Repeats: true}, {NSID: []byte("here"), Cookies: dnswire.NewCookies([16]byte{1})}} {
		c := New(cfg)
		for _, u := range usual {
			for _, more := range []string{"", optRecord, "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x10\x00\x03\x00\x00\x00\x0a\x00\x0812345678"} {
				packet := packetFor(t, u.host, u.kind, more)
				var q dnswire.Query
				if n := testing.AllocsPerRun(100, func() { c.Answer(d, out, packet, localhost, false, now, &q) }); n != 0 {
					t.Errorf("%s, djb %v: %v allocations; want none", u.name, cfg.DJB, n)
				}
			}
		}
	}
}

func BenchmarkAnswer(b *testing.B) {
	d, now := compiled(b, zoneText), time.Now()
	out := make([]byte, 0, 4096)
	for _, djb := range []bool{false, true} {
		c := New(Config{DJB: djb})
		for _, u := range usual {
			b.Run(fmt.Sprintf("djb=%v/%s", djb, u.name), func(b *testing.B) {
				packet := packetFor(b, u.host, u.kind, optRecord)
				var q dnswire.Query
				b.ReportAllocs()
				for b.Loop() {
					c.Answer(d, out, packet, localhost, false, now, &q)
				}
			})
		}
	}
}

// manyNames is a zone with that many hosts.
func manyNames(b testing.TB, count int) []byte {
	var text strings.Builder
	text.WriteString(".example.org:192.0.2.1:a\n.example.org:192.0.2.2:b\n")
	for i := range count {
		fmt.Fprintf(&text, "+host%d.example.org:10.%d.%d.%d\n", i, i>>16&255, i>>8&255, i&255)
	}
	s := &table{}
	if err := dnsdata.Compile(strings.NewReader(text.String()), 7, func(k, v []byte) error { s.put(k, v); return nil }); err != nil {
		b.Fatal(err)
	}
	return s.finish()
}

// BenchmarkMany asks for names of large zones in an order that no cache likes.
func BenchmarkMany(b *testing.B) {
	for _, count := range []int{1000, 1000000} {
		cdb := manyNames(b, count)
		for _, repeats := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/repeats=%v", count, repeats), func(b *testing.B) { benchmarkMany(b, cdb, count, repeats) })
		}
	}
}

func benchmarkMany(b *testing.B, cdb []byte, count int, repeats bool) {
	d, c, now := open(b, cdb), New(Config{Repeats: repeats}), time.Now()
	packets := make([][]byte, min(count, 1<<16))
	for i := range packets {
		packets[i] = packetFor(b, fmt.Sprintf("host%d.example.org", i*7919%count), dnswire.TypeA, optRecord)
	}
	var q dnswire.Query
	out := make([]byte, 0, 4096)
	for i := 0; b.Loop(); i++ {
		if out, _ = c.Answer(d, out[:0], packets[i%len(packets)], localhost, false, now, &q); q.Rcode != 0 {
			b.Fatal(q.Rcode)
		}
	}
}

// BenchmarkOpen reads through a million names.
func BenchmarkOpen(b *testing.B) {
	cdb := manyNames(b, 1000000)
	b.SetBytes(int64(len(cdb)))
	b.ResetTimer()
	for b.Loop() {
		open(b, cdb)
	}
}
