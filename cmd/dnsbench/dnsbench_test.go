// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// startMirror runs a sink on a free port until the test ends.
func startMirror(t *testing.T, wait string, told bool) netip.AddrPort {
	t.Helper()
	fd, err := bound(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	at := local(t, fd)
	m := newMirror(fd, 16, wait, told)
	var stop atomic.Bool
	m.stopped = stop.Load
	ended := make(chan error, 1)
	go func() { ended <- m.serve() }()
	t.Cleanup(func() {
		stop.Store(true)
		wake, err := connected(at)
		if err != nil {
			t.Fatal(err)
		}
		syscall.Write(wake, []byte("end"))
		if err := <-ended; err != nil {
			t.Error(err)
		}
		syscall.Close(wake)
		syscall.Close(fd)
	})
	return at
}

// local is where a socket is bound.
func local(t *testing.T, fd int) netip.AddrPort {
	t.Helper()
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	v4 := sa.(*syscall.SockaddrInet4)
	return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), uint16(v4.Port))
}

// TestFlood: both loops get answers from a sink, however it waits, and see that
// these are no right ones.
func TestFlood(t *testing.T) {
	for _, wait := range []string{"block", "poll"} {
		at := startMirror(t, wait, true)
		for _, args := range []string{"-sockets 4 -window 8", "-open -rate 20000 -sockets 4", "-open -edns -sockets 2"} {
			o, err := parse(append(strings.Fields(args), "-names", "100", "-seconds", "0.1", "-pid", strconv.Itoa(os.Getpid()), at.String()))
			if err != nil {
				t.Fatal(err)
			}
			r := enough(t, o)
			if r.Rate <= 0 || r.P99 < r.P50 || r.P50 <= 0 || r.CPU <= 0 || r.Wrong == 0 || r.Rcodes["0"] == 0 || r.Bytes < header {
				t.Errorf("%s, %s: %+v", wait, args, r)
			}
			if o.blind = true; !o.open {
				if r, err := run(o); err != nil || r.Wrong != 0 {
					t.Errorf("%s, blind: %+v, %v; want none wrong", wait, r, err)
				}
			}
		}
	}
}

// enough runs until so many answers came in one run that some were looked at
// whole; a machine with much to do may take a few.
func enough(t *testing.T, o *options) *outcome {
	t.Helper()
	for range 20 {
		r, err := run(o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Answered >= 2*sample {
			return r
		}
		o.seconds *= 1.5
	}
	t.Fatal("a sink gave no answers in 20 runs")
	return nil
}

// TestLost: questions that nobody answers count as lost.
func TestLost(t *testing.T) {
	fd, err := bound(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	o, err := parse([]string{"-sockets", "2", "-window", "3", "-seconds", "0.6", local(t, fd).String()})
	if err != nil {
		t.Fatal(err)
	}
	r, err := run(o)
	if err != nil || r.Answered != 0 || r.Lost < 6 || r.Lost > 6*7 {
		t.Errorf("run with nobody there: %+v, %v; want 6 to 42 lost", r, err)
	}
}

// TestNoAllocation: the loops leave the heap alone.
func TestNoAllocation(t *testing.T) {
	at := startMirror(t, "block", true)
	for _, open := range []bool{false, true} {
		o := &options{to: at, names: 100, sockets: 2, window: 4, open: open, seconds: 0.1}
		e, err := newEngine(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.measure(); err != nil {
			t.Fatal(err)
		}
		loop := e.closed
		if open {
			loop = e.openLoop
		}
		before := e.n.sent
		if n := testing.AllocsPerRun(3, func() { loop(20 * time.Millisecond) }); n > 0 || e.n.sent == before {
			t.Errorf("open %v: %v allocations for %d questions; want none", open, n, e.n.sent-before)
		}
		e.close()
	}
}

// answerTo is a right answer to a question, as far as it is looked at.
func answerTo(p *packets, i int) []byte {
	a := append([]byte(nil), p.at(i)...)
	a[2], a[3], a[7] = 0x84, p.want[i].rcode, p.want[i].max
	return a
}

// TestRight: what differs from a right answer is seen.
func TestRight(t *testing.T) {
	p := pack(100, true)
	for i := range 2000 {
		if !p.right(i, answerTo(p, i)) {
			t.Fatalf("question %d: right(%q) = false; want true", i, answerTo(p, i))
		}
	}
	for what, spoil := range map[string]func(a []byte) []byte{
		"a question":        func(a []byte) []byte { a[2] &= 0x7f; return a },
		"truncated":         func(a []byte) []byte { a[2] |= 2; return a },
		"another rcode":     func(a []byte) []byte { a[3] ^= 2; return a },
		"more records":      func(a []byte) []byte { a[7] += 3; return a },
		"many records":      func(a []byte) []byte { a[6] = 1; return a },
		"another letter":    func(a []byte) []byte { a[header+1] ^= 0x20; return a },
		"no question":       func(a []byte) []byte { return a[:header] },
		"two questions":     func(a []byte) []byte { a[5] = 2; return a },
		"cut in its middle": func(a []byte) []byte { return a[:header+9] },
	} {
		if a := spoil(answerTo(p, 0)); p.right(0, a) {
			t.Errorf("%s: right(%q) = true; want false", what, a)
		}
	}
}

// TestZone: data and zone have a line for each record, and every kind of
// question is drawn.
func TestZone(t *testing.T) {
	dir := t.TempDir()
	if err := data([]string{"1000", dir}); err != nil {
		t.Fatal(err)
	}
	lines := make(map[string]int)
	for _, f := range []string{"data", "zone", "queries"} {
		b, err := os.ReadFile(dir + "/" + f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "%!") {
			t.Errorf("%s has a mistake of its format", f)
		}
		lines[f] = strings.Count(string(b), "\n")
	}
	// 6 lines of the zone itself; both is two records, cut is two in a zone file.
	if lines["data"] != 6+1000+100 || lines["zone"] != 8+1000+100+10 || lines["queries"] != 1<<16 {
		t.Errorf("lines: %v", lines)
	}
	asked := make(map[string]int)
	draw(1000, func(q question) { asked[fmt.Sprint(typeNames[q.typ], q.rcode, q.min, q.max)]++ })
	for _, want := range []string{"A0 1 1", "A0 1 2", "A0 0 0", "A3 0 0", "AAAA0 0 0", "AAAA0 1 1", "MX0 1 1", "TXT0 1 1"} {
		if asked[strings.Replace(want, "0 ", "0 ", 1)] == 0 {
			t.Errorf("no question %s among %v", want, asked)
		}
	}
}

// TestSpoof: questions come from many addresses, all of them this machine's.
func TestSpoof(t *testing.T) {
	fd, err := bound(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	o, err := parse([]string{"-sockets", "2", "-seconds", "0.05", "-pid", strconv.Itoa(os.Getpid()), local(t, fd).String()})
	if err != nil {
		t.Fatal(err)
	}
	r, err := spoofed(o)
	if err != nil || r.Sent == 0 || r.Answered != 0 || r.Before == 0 || r.After == 0 {
		t.Fatalf("spoofed: %+v, %v", r, err)
	}
	seen, b := make(map[[4]byte]bool), newBatch(256, true, true)
	n, _ := b.receive(fd, 256)
	for i := range n {
		seen[b.names[i].Addr] = true
		if b.names[i].Addr[0] != 127 || len(b.got(i)) <= header {
			t.Errorf("a packet of %d bytes from %v", len(b.got(i)), b.names[i].Addr)
		}
	}
	if len(seen) < n-2 || n < 10 {
		t.Errorf("%d packets from %d addresses; want about as many", n, len(seen))
	}
}

// TestReady: the first answer ends the wait, and so does the server's end.
func TestReady(t *testing.T) {
	fd, err := bound(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	to, err := connected(local(t, fd))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(to)
	go func() {
		in := make([]byte, room)
		for _, records := range []byte{0, 1} {
			n, from, err := syscall.Recvfrom(fd, in, 0)
			if err != nil {
				return
			}
			in[2], in[7] = 0x84, records
			syscall.Sendto(fd, in[:n], 0, from)
		}
	}()
	if took, err := firstAnswer(to, time.Now(), nil); err != nil || took <= 0 {
		t.Errorf("firstAnswer = %v, %v", took, err)
	}
	cmd := exec.Command("true")
	if err := startOn(0, cmd); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	ended <- cmd.Wait()
	if _, err := firstAnswer(to, time.Now(), ended); err == nil {
		t.Error("firstAnswer of a server that has ended: no error")
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	for ms := range 1000 {
		h.add(int64(ms) * 1e6)
	}
	for part, want := range map[float64]float64{0.5: 500, 0.99: 990, 1: 999} {
		if got := h.at(part); got < want*0.99 || got > want*1.08 {
			t.Errorf("at(%v) = %v; want about %v", part, got, want)
		}
	}
	h = histogram{}
	h.add(-1)
	h.add(1 << 62)
	if got := h.at(0.5); got > 0.001 {
		t.Errorf("at(0.5) of 0 and much = %v", got)
	}
}

func TestRefused(t *testing.T) {
	for _, args := range [][]string{{"192.0.2.1:53"}, {"[::1]:53"}, {"127.0.0.1"}, {"127.0.0.1:0"}, {}, {"-sockets", "257", "127.0.0.1:53"}, {"-window", "257", "127.0.0.1:53"},
		{"-window", "0", "127.0.0.1:53"}, {"-names", "99", "127.0.0.1:53"}, {"-names", "10000001", "127.0.0.1:53"}, {"-seconds", "3601", "127.0.0.1:53"}, {"-seconds", "NaN", "127.0.0.1:53"},
		{"-rate", "-1", "127.0.0.1:53"}, {"-unknown", "127.0.0.1:53"}} {
		var u usageError
		if o, err := parse(args); !errors.As(err, &u) {
			t.Errorf("parse(%q) = %+v, %v; want a usage error", args, o, err)
		}
	}
	for _, args := range [][]string{{"-sockets", "256", "-window", "256", "-seconds", "3600", "-names", "10000000", "127.255.255.254:65535"}, {"-names", "100", "127.0.0.1:1"}} {
		if _, err := parse(args); err != nil {
			t.Errorf("parse(%q): %v", args, err)
		}
	}
	var u usageError
	for name, err := range map[string]error{"data": data([]string{"99", t.TempDir()}), "use": use([]string{"0"}), "ready": ready([]string{"127.0.0.1:53"}), "sink": sink([]string{"-batch", "0", "127.0.0.1:53"})} {
		if !errors.As(err, &u) {
			t.Errorf("%s: %v; want a usage error", name, err)
		}
	}
	if err := use([]string{strconv.Itoa(os.Getpid())}); err != nil {
		t.Error(err)
	}
}
