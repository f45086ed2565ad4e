// SPDX-License-Identifier: ISC

package dnsrate

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"quill/internal/racetest"
)

var (
	someTime = time.Unix(1800000000, 0)
	client   = netip.MustParseAddr("192.0.2.1")
	name     = []byte("\x03www\x01a\x03org\x00")
)

// many checks n answers that go out at once and counts the verdicts.
func many(tab *Table, n int, from netip.Addr, kind Kind, name []byte, now time.Time) (v [3]int) {
	for range n {
		v[tab.Check(from, kind, name, now)]++
	}
	return v
}

// TestRate: so many in a second, as many again in the next, half of the rest
// slips.
func TestRate(t *testing.T) {
	for _, c := range []struct {
		rate, slip, n int
		want          [3]int
	}{
		{200, 2, 1000, [3]int{200, 400, 400}},
		{200, 1, 1000, [3]int{200, 800, 0}},
		{200, 0, 1000, [3]int{200, 0, 800}},
		{200, 10, 1000, [3]int{200, 80, 720}},
		{1, 2, 11, [3]int{1, 5, 5}},
		{7, 2, 7, [3]int{7, 0, 0}},
		{MaxRate, 2, 1000, [3]int{1000, 0, 0}},
	} {
		tab := New(Config{Rate: c.rate, Slip: c.slip})
		for second := range 3 {
			if got := many(tab, c.n, client, Positive, name, someTime.Add(time.Duration(second)*time.Second)); got != c.want {
				t.Errorf("rate %d, slip %d, second %d: %d answers = %v; want %v", c.rate, c.slip, second, c.n, got, c.want)
			}
		}
	}
}

// TestRefills: half a second gives half the rate.
func TestRefills(t *testing.T) {
	tab := New(Config{Rate: 100, Slip: 0})
	many(tab, 500, client, Positive, name, someTime)
	if got := many(tab, 500, client, Positive, name, someTime.Add(time.Second/2)); got[Send] != 50 {
		t.Errorf("half a second later: %d; want 50", got[Send])
	}
}

// TestBuckets: which answers count together.
func TestBuckets(t *testing.T) {
	addr := netip.MustParseAddr
	for _, c := range []struct {
		what  string
		from  netip.Addr
		kind  Kind
		name  string
		quiet bool // another bucket
	}{
		{"the same", client, Positive, string(name), false},
		{"another of the /24", addr("192.0.2.255"), Positive, string(name), false},
		{"another /24", addr("192.0.3.1"), Positive, string(name), true},
		{"another name", client, Positive, "\x03www\x01b\x03org\x00", true},
		{"another kind", client, NXDomain, string(name), true},
		{"no name", client, Positive, "", true},
	} {
		tab := New(Config{Rate: 10, Slip: 0})
		many(tab, 100, client, Positive, name, someTime)
		if got := tab.Check(c.from, c.kind, []byte(c.name), someTime) == Send; got != c.quiet {
			t.Errorf("%s: sent %v; want %v", c.what, got, c.quiet)
		}
	}
	tab := New(Config{Rate: 10, Slip: 0})
	many(tab, 100, addr("2001:db8:0:1200::1"), Positive, name, someTime)
	for ip, quiet := range map[string]bool{"2001:db8:0:12ff::2": false, "2001:db8:0:1300::1": true} {
		if got := tab.Check(addr(ip), Positive, name, someTime) == Send; got != quiet {
			t.Errorf("%s after 2001:db8:0:1200::1: sent %v; want %v", ip, got, quiet)
		}
	}
}

func TestExempt(t *testing.T) {
	tab := New(Config{Rate: 1, Slip: 2, Exempt: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/28"), netip.MustParsePrefix("::1/128")}})
	for ip, want := range map[string]int{"192.0.2.15": 100, "::1": 100, "192.0.2.16": 1, "::2": 1} {
		clear(tab.sets)
		if got := many(tab, 100, netip.MustParseAddr(ip), Positive, name, someTime); got[Send] != want {
			t.Errorf("%s: %v; want %d sent", ip, got, want)
		}
	}
}

// TestFlood is DN18: a million answers to as many networks leave the table as
// large as it was, and one that is over its rate stays so throughout.
func TestFlood(t *testing.T) {
	tab := New(Config{Rate: 200, Slip: 0})
	n := racetest.Fewer(1000000)
	now, sent := someTime, 0
	for i := range uint32(n) {
		var ip [4]byte
		binary.BigEndian.PutUint32(ip[:], i<<8)
		tab.Check(netip.AddrFrom4(ip), Positive, name, now)
		if tab.Check(client, NXDomain, name, now) == Send {
			sent++
		}
		now = now.Add(time.Second / time.Duration(n))
	}
	if sent < 398 || sent > 402 {
		t.Errorf("beside a flood: %d answers in a second; want 200 and a second's 200", sent)
	}
	if len(tab.sets)*ways != Buckets {
		t.Errorf("%d buckets; want %d", len(tab.sets)*ways, Buckets)
	}
	if n := testing.AllocsPerRun(100, func() { tab.Check(client, Positive, name, now) }); n != 0 {
		t.Errorf("%v allocations for an answer; want none", n)
	}
}

// TestLongAgo: a bucket is free again after any time, also when its clock has
// gone round, and when the clock was set back.
func TestLongAgo(t *testing.T) {
	for _, d := range []time.Duration{time.Second, time.Hour, 6 * 24 * time.Hour, 7 * 24 * time.Hour, (1 << 40) * time.Microsecond, -time.Hour} {
		tab := New(Config{Rate: 10, Slip: 0})
		many(tab, 100, client, Positive, name, someTime)
		if d == (1<<40)*time.Microsecond {
			d += time.Second
		}
		if got := many(tab, 100, client, Positive, name, someTime.Add(d)); got[Send] != 10 {
			t.Errorf("%v later: %v; want 10 sent", d, got)
		}
	}
}

// TestTogether: goroutines share a bucket's rate.
func TestTogether(t *testing.T) {
	tab := New(Config{Rate: 1000, Slip: 2})
	var sent atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { sent.Add(int64(many(tab, 5000, client, Positive, name, someTime)[Send])) })
	}
	wg.Wait()
	if got := sent.Load(); got < 1000 || got > 1008 {
		t.Errorf("8 goroutines: %d sent; want 1000", got)
	}
}

func BenchmarkCheck(b *testing.B) {
	tab := New(Config{Rate: 200, Slip: 2})
	for b.Loop() {
		tab.Check(client, Positive, name, someTime)
	}
}
