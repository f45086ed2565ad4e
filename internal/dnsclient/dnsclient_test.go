// SPDX-License-Identifier: ISC

package dnsclient

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"quill/internal/dnsprint"
	"quill/internal/dnswire"
)

const good = "\x0a\x00\x00\x01"

// addresses asks for one name's and says what came.
func addresses(c *Client, name string) string {
	ips, err := c.IP4(name)
	if err != nil {
		return err.Error()
	}
	slices.SortFunc(ips, netip.Addr.Compare)
	return strings.Trim(fmt.Sprint(ips), "[]")
}

// TestForged (DN19): what is no answer to our question is passed over, and the
// true answer after it counts.
func TestForged(t *testing.T) {
	t.Parallel()
	const evil = "\x06\x06\x06\x06"
	for what, forge := range map[string]func(q, a []byte) []byte{
		"wrong id":         func(_, a []byte) []byte { a[0] ^= 1; return a },
		"wrong name":       func(_, a []byte) []byte { a[13] ^= 1; return a },
		"wrong type":       func(_, a []byte) []byte { a[len("\x01x\x07example\x00")+13] = 28; return a },
		"wrong class":      func(_, a []byte) []byte { a[len("\x01x\x07example\x00")+15] = 3; return a },
		"no question":      func(_, a []byte) []byte { a[5] = 0; return a },
		"two questions":    func(_, a []byte) []byte { a[5] = 2; return a },
		"a question":       func(q, _ []byte) []byte { return q },
		"half a header":    func(_, a []byte) []byte { return a[:11] },
		"half a name":      func(_, a []byte) []byte { return a[:15] },
		"nothing":          func(_, _ []byte) []byte { return nil },
		"513 bytes":        func(_, a []byte) []byte { return append(a, make([]byte, 513-len(a))...) },
		"name in a circle": func(_, a []byte) []byte { a[12], a[13] = 0xc0, 12; return a },
	} {
		f := start(t, func(q []byte, _ netip.AddrPort) [][]byte {
			return [][]byte{forge(q, reply(q, 0, rr("", dnswire.TypeA, evil))), reply(q, 0, rr("", dnswire.TypeA, good))}
		}, nil)
		if got := addresses(client(f), "x.example"); got != "10.0.0.1" || f.seen() != "udp" {
			t.Errorf("%s: %s, asked %s; want 10.0.0.1 at once", what, got, f.seen())
		}
	}
}

// TestOtherSource (DN19): an answer from another port or another address is
// none.
func TestOtherSource(t *testing.T) {
	t.Parallel()
	for what, at := range map[string]func(port uint32) string{
		"another port":    func(uint32) string { return "127.0.0.1:0" },
		"another address": func(port uint32) string { return fmt.Sprintf("127.0.0.2:%d", port) },
	} {
		var port atomic.Uint32
		f := start(t, func(q []byte, from netip.AddrPort) [][]byte {
			c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(at(port.Load()))))
			if err != nil {
				t.Error(err)
				return nil
			}
			defer c.Close()
			c.WriteToUDPAddrPort(reply(q, 0, rr("", dnswire.TypeA, "\x06\x06\x06\x06")), from)
			time.Sleep(10 * time.Millisecond)
			return one(reply(q, 0, rr("", dnswire.TypeA, good)))
		}, nil)
		port.Store(uint32(f.addr.Port()))
		if got := addresses(client(f), "x.example"); got != "10.0.0.1" {
			t.Errorf("%s: %s; want 10.0.0.1", what, got)
		}
	}
}

// TestUnguessable: each try has an id and a port of its own.
func TestUnguessable(t *testing.T) {
	t.Parallel()
	f := start(t, nil, nil)
	c := client(f)
	c.Times.Rounds = slices.Repeat([]time.Duration{20 * time.Millisecond}, 32)
	if _, err := c.Ask(name("x.example"), 1); !errors.Is(err, ErrTimeout) {
		t.Errorf("silence: %v; want %v", err, ErrTimeout)
	}
	time.Sleep(50 * time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	for what, all := range map[string][]uint16{"ids": f.ids, "ports": f.ports} {
		slices.Sort(all)
		if n := len(slices.Compact(slices.Clone(all))); n < 28 || all[len(all)-1]-all[0] < 20000 {
			t.Errorf("%s of 32 tries: %d different, from %d to %d", what, n, all[0], all[len(all)-1])
		}
	}
}

// TestTruncated (DN19): what was cut is asked for again over TCP, of all
// servers from the first on.
func TestTruncated(t *testing.T) {
	t.Parallel()
	cut := func(q []byte, _ netip.AddrPort) [][]byte { return one(reply(q, dnswire.FlagTC)) }
	whole := func(c net.Conn, q []byte) { c.Write(framed(reply(q, 0, rr("", dnswire.TypeA, good)))) }
	f := start(t, cut, whole)
	if got := addresses(client(f), "x.example"); got != "10.0.0.1" || f.seen() != "udp tcp" {
		t.Errorf("%s, asked %s; want 10.0.0.1 over udp tcp", got, f.seen())
	}
	for what, tcp := range map[string]func(c net.Conn, q []byte){
		"closed at once":  func(net.Conn, []byte) {},
		"half a length":   func(c net.Conn, _ []byte) { c.Write([]byte{0}) },
		"half an answer":  func(c net.Conn, q []byte) { c.Write(framed(reply(q, 0))[:10]) },
		"no answer":       func(c net.Conn, q []byte) { c.Write([]byte{0, 0}) },
		"another id":      func(c net.Conn, q []byte) { q[0]++; c.Write(framed(reply(q, 0))) },
		"the question":    func(c net.Conn, q []byte) { c.Write(framed(q)) },
		"cut there too":   func(c net.Conn, q []byte) { c.Write(framed(reply(q, dnswire.FlagTC))) },
		"65535 promised":  func(c net.Conn, q []byte) { c.Write(append([]byte{255, 255}, reply(q, 0)...)) },
		"cut and refused": func(c net.Conn, q []byte) { c.Write(framed(reply(q, dnswire.FlagTC|5))) },
	} {
		bad := start(t, cut, tcp)
		if _, err := client(bad).Ask(name("x.example"), 1); !errors.Is(err, ErrIO) {
			t.Errorf("%s: %v; want %v", what, err, ErrIO)
		}
		if got := addresses(client(bad, f), "x.example"); got != "10.0.0.1" {
			t.Errorf("%s, then another server: %s; want 10.0.0.1", what, got)
		}
	}
	no := start(t, cut, func(c net.Conn, q []byte) { c.Write(framed(reply(q, 2))) })
	if _, err := client(no).Ask(name("x.example"), 1); !errors.Is(err, ErrAgain) {
		t.Errorf("SERVFAIL over TCP: %v; want %v", err, ErrAgain)
	}
}

// TestSlowTCP (DN19): a server that sends a byte now and then is not waited
// for longer than its time, nor are many of them longer than ours.
func TestSlowTCP(t *testing.T) {
	t.Parallel()
	cut := func(q []byte, _ netip.AddrPort) [][]byte { return one(reply(q, dnswire.FlagTC)) }
	f := start(t, cut, func(c net.Conn, q []byte) {
		for _, b := range framed(reply(q, 0, rr("", dnswire.TypeA, good))) {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	c := client(f)
	c.Times.TCP = 300 * time.Millisecond
	began := time.Now()
	if _, err := c.Ask(name("x.example"), 1); !errors.Is(err, ErrTimeout) || time.Since(began) > 2*time.Second {
		t.Errorf("slow TCP: %v after %v; want %v", err, time.Since(began), ErrTimeout)
	}
	c = client(slices.Repeat([]*fake{f}, 10)...)
	c.Times.TCP, c.Times.Total = 300*time.Millisecond, 700*time.Millisecond
	began = time.Now()
	if _, err := c.Ask(name("x.example"), 1); !errors.Is(err, ErrTimeout) || time.Since(began) > 2*time.Second {
		t.Errorf("ten slow servers: %v after %v; want %v after 0.7 s", err, time.Since(began), ErrTimeout)
	}
}

// TestSilence: servers that say nothing are asked in rounds; in all not longer
// than the total, and not more than 16.
func TestSilence(t *testing.T) {
	t.Parallel()
	a, b := start(t, nil, nil), start(t, nil, nil)
	both := client(a, b)
	both.Times.Rounds = []time.Duration{200 * time.Millisecond, 300 * time.Millisecond}
	if _, err := both.Ask(name("x.example"), 1); !errors.Is(err, ErrTimeout) || a.seen() != "udp udp" || b.seen() != "udp udp" {
		t.Errorf("two rounds: %v, asked %s and %s", err, a.seen(), b.seen())
	}
	c := client(slices.Repeat([]*fake{a}, MaxServers+5)...)
	c.Times.Rounds = []time.Duration{20 * time.Millisecond}
	a.mu.Lock()
	a.asked = nil
	a.mu.Unlock()
	c.Ask(name("x.example"), 1)
	time.Sleep(20 * time.Millisecond)
	if n := strings.Count(a.seen(), "udp"); n != MaxServers {
		t.Errorf("%d servers were asked; want %d", n, MaxServers)
	}
	c.Times.Rounds, c.Times.Total = []time.Duration{time.Minute}, 200*time.Millisecond
	began := time.Now()
	if _, err := c.Ask(name("x.example"), 1); !errors.Is(err, ErrTimeout) || time.Since(began) > 2*time.Second {
		t.Errorf("total of 0.2 s: %v after %v", err, time.Since(began))
	}
	if _, err := (&Client{Times: DefaultTimes(true)}).Ask(name("x.example"), 1); !errors.Is(err, ErrIO) {
		t.Errorf("no servers: %v; want %v", err, ErrIO)
	}
	var n atomic.Int32
	late := start(t, func(q []byte, _ netip.AddrPort) [][]byte {
		if n.Add(1) == 1 {
			return nil
		}
		return one(reply(q, 0, rr("", dnswire.TypeA, good)))
	}, nil)
	if got := addresses(hurried(late), "x.example"); got != "10.0.0.1" {
		t.Errorf("an answer in the second round: %s; want 10.0.0.1", got)
	}
}

// TestRefusal: a server that refuses or fails is passed over at once, for this
// question; where nobody listens too.
func TestRefusal(t *testing.T) {
	t.Parallel()
	fine := start(t, func(q []byte, _ netip.AddrPort) [][]byte { return one(reply(q, 0, rr("", dnswire.TypeA, good))) }, nil)
	for _, rcode := range []uint16{1, 2, 4, 5, 9, 15} {
		f := start(t, func(q []byte, _ netip.AddrPort) [][]byte { return one(reply(q, rcode)) }, nil)
		began := time.Now()
		if _, err := client(f).Ask(name("x.example"), 1); !errors.Is(err, ErrAgain) || f.seen() != "udp" || time.Since(began) > 5*time.Second {
			t.Errorf("code %d: %v after %v, asked %s; want %v at once", rcode, err, time.Since(began), f.seen(), ErrAgain)
		}
		if got := addresses(client(f, fine), "x.example"); got != "10.0.0.1" {
			t.Errorf("code %d, then another server: %s", rcode, got)
		}
	}
	c := client(fine)
	c.Servers = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}
	if _, err := c.Ask(name("x.example"), 1); err == nil || err.Error() != "connection refused" {
		t.Errorf("nobody listens: %v; want connection refused", err)
	}
	c.Servers = append(c.Servers, fine.addr)
	if got := addresses(c, "x.example"); got != "10.0.0.1" {
		t.Errorf("nobody listens, then another server: %s", got)
	}
}

// TestEDNS: long answers need no TCP; servers that do not know EDNS, or are
// silent to it, are asked without.
func TestEDNS(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("\xfe"+strings.Repeat("x", 254), 4)
	long := start(t, func(q []byte, _ netip.AddrPort) [][]byte {
		if !hasOPT(q) {
			return one(reply(q, dnswire.FlagTC))
		}
		if size := binary.BigEndian.Uint16(q[len(q)-8:]); size != dnswire.MaxUDP {
			t.Errorf("EDNS says %d bytes; want %d", size, dnswire.MaxUDP)
		}
		return one(reply(q, 0, rr("", dnswire.TypeTXT, text)))
	}, nil)
	old := start(t, func(q []byte, _ netip.AddrPort) [][]byte {
		if hasOPT(q) {
			return one(reply(q, dnswire.RcodeFormErr))
		}
		return one(reply(q, 0, rr("", dnswire.TypeTXT, "\x02ok")))
	}, nil)
	deaf := start(t, func(q []byte, _ netip.AddrPort) [][]byte {
		if hasOPT(q) {
			return nil
		}
		return one(reply(q, 0, rr("", dnswire.TypeTXT, "\x02ok")))
	}, nil)
	for _, s := range []struct {
		f           *fake
		want, asked string
	}{{long, strings.Repeat("x", 4*254), "udp"}, {old, "ok", "udp udp"}, {deaf, "ok", "udp udp"}} {
		c := client(s.f)
		if s.f == deaf {
			c = hurried(s.f)
		}
		c.EDNS = true
		if got, err := c.TXT("x.example"); got != s.want || err != nil || s.f.seen() != s.asked {
			t.Errorf("TXT = %q, %v, asked %s; want %q, %s", got, err, s.f.seen(), s.want, s.asked)
		}
	}
}

// TestQuestion: what is sent.
func TestQuestion(t *testing.T) {
	for _, c := range []struct {
		q    question
		want string
	}{
		{question{name: name("A.b"), kind: 257}, "\x00\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01A\x01b\x00\x01\x01\x00\x01"},
		{question{name: name("."), kind: 2, recursive: true}, "\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01"},
		{question{name: name("."), kind: 2, edns: true}, "\x00\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x00\x00\x02\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"},
	} {
		if got := string(c.q.wire(7, c.q.edns)); got != c.want {
			t.Errorf("%v is sent as %q; want %q", c.q, got, c.want)
		}
	}
}

// TestDefaultTimes: djb's.
func TestDefaultTimes(t *testing.T) {
	if got := fmt.Sprint(DefaultTimes(false), DefaultTimes(true)); got != "{[1s 3s 11s 45s] 10s 2m0s} {[3s 11s 45s] 10s 2m0s}" {
		t.Errorf("times %s", got)
	}
}

// FuzzAnswer: no answer makes Relevant panic, and what it finds lies in the
// packet.
func FuzzAnswer(f *testing.F) {
	q := (&question{name: name("x.example"), kind: 15}).wire(7, false)
	f.Add(reply(q, 0, rr("", 15, "\x00\x0a\xc0\x0c"), rr("", 5, "\xc0\x0c")))
	f.Add(reply(q, 0, rr("", 5, "\x01y\xc0\x0e"), rr("y.example", 15, "\x00\x0a\x00")))
	f.Fuzz(func(t *testing.T, p []byte) {
		if (&question{name: name("x.example"), kind: 15}).answeredBy(p, 7) != (len(p) > 12 && answers(p)) {
			t.Errorf("answeredBy(%q) is inconsistent", p)
		}
		r, found, err := Relevant(p, name("x.example"), 15)
		if err != nil {
			return
		}
		for _, rec := range found {
			if len(r.Data(rec)) != rec.Len || rec.Type != 15 {
				t.Errorf("found %v", rec)
			}
		}
	})
}

// answers is answeredBy spelled another way.
func answers(p []byte) bool {
	if string(p[:2]) != "\x00\x07" || p[2] < 128 || string(p[4:6]) != "\x00\x01" {
		return false
	}
	n, next, err := dnsprint.Name(nil, p, 12)
	return err == nil && strings.EqualFold(string(n), "\x01x\x07example\x00") && strings.HasPrefix(string(p[next:]), "\x00\x0f\x00\x01")
}
