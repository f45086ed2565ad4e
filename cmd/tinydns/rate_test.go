// SPDX-License-Identifier: ISC

package main

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/racetest"
)

// TestRateLimit is DN18: of many questions at once from one network so many are
// answered, and half of the rest get TC and nothing else; another network,
// another name and TCP are served meanwhile.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off", "RATELIMIT=50", "RATEEXEMPT=127.9.9.0/24")
	c := dial(t, "127.1.1.1", p.addr)
	began := time.Now()
	answered, short := burst(t, c, 600, question(t, "www.a.org.", dns.TypeA))
	most := 50 + int(50*time.Since(began).Seconds()) + 1
	if full := answered - short; full < 50 || full > most || short < (600-full)/2-1 || short > (600-full)/2+1 {
		t.Errorf("600 questions: %d answered, %d of them with TC; want 50 to %d, and half of the others", answered, short, most)
	}
	if n, short := burst(t, dial(t, "127.1.1.9", p.addr), 100, question(t, "wWW.A.oRg.", dns.TypeA)); n-short > most-50+50/2 {
		t.Errorf("the same in other letters: %d answered, %d with TC; want them limited too", n, short)
	}
	for what, c := range map[string]struct{ ip, name string }{"another network": {"127.1.2.1", "www.a.org."}, "another name": {"127.1.1.1", "a.org."}, "an exempt one": {"127.9.9.7", "www.a.org."}} {
		u := dial(t, c.ip, p.addr)
		if n, short := burst(t, u, 20, question(t, c.name, dns.TypeA)); n != 20 || short != 0 {
			t.Errorf("%s: %d of 20 answered, %d with TC; want all", what, n, short)
		}
	}
	if n, short := volley(t, dial(t, "127.9.9.7", p.addr), 300, 50, question(t, "www.a.org.", dns.TypeA)); n != 300 || short != 0 {
		t.Errorf("an exempt network: %d of 300 answered, %d with TC; want all", n, short)
	}
	if got := ask(t, "tcp", p.addr, "www.a.org."); got != "1.2.3.4" {
		t.Errorf("over TCP: %s; want 1.2.3.4", got)
	}
}

// burst sends n questions at once and counts what comes within a moment.
func burst(t testing.TB, c net.Conn, n int, packet []byte) (answered, short int) {
	t.Helper()
	go func() {
		for range n {
			c.Write(packet)
		}
	}()
	in := make([]byte, 4096)
	for {
		c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		m, err := c.Read(in)
		if err != nil {
			return answered, short
		}
		answered++
		if a := new(dns.Msg); in[2]&2 != 0 {
			if err := a.Unpack(in[:m]); err != nil || len(a.Answer)+len(a.Ns) > 0 || len(a.Question) != 1 {
				t.Errorf("slipped: %v, %v; want a question alone", a, err)
			}
			short++
		}
	}
}

// TestSlips: how many of the limited answers slip.
func TestSlips(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	publish(t, dir, zoneText)
	for slip, want := range map[string][2]int{"0": {0, 0}, "1": {190, 199}, "5": {36, 40}} {
		p := start(t, dir, "127.0.0.1", nil, "LOG=off", "RATELIMIT=1", "RATEEXEMPT=", "SLIP="+slip)
		if _, short := burst(t, dial(t, "127.0.0.1", p.addr), 200, question(t, "www.a.org.", dns.TypeA)); short < want[0] || short > want[1] {
			t.Errorf("SLIP=%s: %d with TC; want %d to %d", slip, short, want[0], want[1])
		}
	}
}

// TestLocalClientsAreFree: clients of this machine have no limit, unless
// RATEEXEMPT says so; RATELIMIT=off is for all.
func TestLocalClientsAreFree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	publish(t, dir, zoneText)
	for _, env := range [][]string{{"RATELIMIT=1"}, {"RATELIMIT=off", "RATEEXEMPT="}} {
		p := start(t, dir, "127.0.0.1", nil, append(env, "LOG=off")...)
		if n, short := volley(t, dial(t, "127.0.0.1", p.addr), 500, 50, question(t, "www.a.org.", dns.TypeA)); n != 500 || short != 0 {
			t.Errorf("%v: %d of 500 answered, %d with TC", env, n, short)
		}
	}
}

// TestManySources: questions from thousands of networks leave the memory as it
// was.
func TestManySources(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off", "RATEEXEMPT=")
	q := question(t, "www.a.org.", dns.TypeA)
	round := func(from int) {
		for i := range 1500 {
			c := dial(t, fmt.Sprintf("127.%d.%d.1", from, i%256), p.addr)
			if n, _ := volley(t, c, 3, 3, q); n != 3 {
				t.Fatalf("source %d.%d: %d of 3 answered", from, i, n)
			}
			c.Close()
			from += (i % 256) / 255
		}
	}
	round(10)
	before := p.memory(t)
	for i := range 4 {
		round(20 + 10*i)
	}
	if after := p.memory(t); after > before+2048*racetest.Slack {
		t.Errorf("memory grew from %d to %d KiB", before, after)
	}
}

// TestRandomNames: names that are made up count together: below a wildcard as
// that, those that do not exist as their zone, those of others as one.
func TestRandomNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	publish(t, dir, zoneText+"+*.w.a.org:1.2.3.4\n")
	p := start(t, dir, "127.0.0.1", nil, "LOG=off", "RATELIMIT=50", "RATEEXEMPT=", "SLIP=0")
	for i, below := range []string{"w.a.org.", "a.org.", "elsewhere.org."} {
		c := dial(t, fmt.Sprintf("127.5.%d.1", i), p.addr)
		began := time.Now()
		for n := range 300 {
			if _, err := c.Write(question(t, fmt.Sprintf("x%d.%s", n, below), dns.TypeA)); err != nil {
				t.Fatal(err)
			}
		}
		n, _ := burst(t, c, 0, nil)
		if most := 50 + int(50*time.Since(began).Seconds()) + 1; n < 50 || n > most {
			t.Errorf("300 names below %s: %d answered; want 50 to %d", below, n, most)
		}
	}
}
