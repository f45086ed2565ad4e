// SPDX-License-Identifier: ISC

//go:build peers

package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/racetest"
)

// soakPace lies between the questions of one client.
const soakPace = 2 * time.Millisecond

// soak is a run of clients.
type soak struct {
	addr   string
	end    time.Time
	asked  atomic.Int64
	failed atomic.Int64
	worst  atomic.Int64 // ns to an answer
}

// TestSoak: mixed questions at a steady pace, over both transports, beside
// garbage and connections that come and go, while data.cdb is replaced each
// second: all that ask properly are answered, and memory does not grow. It takes
// 20 s, or what TINYDNS_SOAK says.
func TestSoak(t *testing.T) {
	d := 20 * time.Second
	if v := os.Getenv("TINYDNS_SOAK"); v != "" {
		var err error
		if d, err = time.ParseDuration(v); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	publish(t, dir, soakZone(0))
	at := "127.0.0.1:" + freePort(t)
	p := start(t, dir, "127.0.0.1", nil, "METRICS="+at)
	go func() { // the log is read, and thrown away
		for {
			if _, err := p.log.ReadString('\n'); err != nil {
				return
			}
		}
	}()
	s := &soak{addr: p.addr, end: time.Now().Add(d)}
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() { s.ask(t, "udp", uint16(i)) })
	}
	wg.Go(func() { s.ask(t, "tcp", 7) })
	wg.Go(func() { s.garbage(t) })
	var held []int // KiB, each second
	loads := 0
	for i := 1; time.Now().Before(s.end); i++ {
		time.Sleep(time.Second)
		publish(t, dir, soakZone(i))
		loads++
		held = append(held, p.memory(t))
	}
	wg.Wait()
	time.Sleep(2 * lookEvery)
	half := len(held) / 2
	before, after := slices.Max(held[:half]), slices.Max(held[half:])
	if testing.Verbose() {
		t.Log(held)
	}
	t.Logf("%v: %d questions, %d unanswered, slowest %v, %d files, memory at most %d, then %d KiB, %d lines lost", d, s.asked.Load(), s.failed.Load(), time.Duration(s.worst.Load()), loads, before, after, sample(t, at, "tinydns_log_dropped_total"))
	if s.failed.Load() != 0 || s.asked.Load() < int64(d/time.Second)*100 {
		t.Errorf("%d of %d unanswered", s.failed.Load(), s.asked.Load())
	}
	if after > before+2048*racetest.Slack { // the first collection comes at 4 MiB
		t.Errorf("memory grew from %d to %d KiB: %d", before, after, held)
	}
	if n := sample(t, at, "tinydns_data_loads_total"); n < loads*9/10 {
		t.Errorf("%d loads of %d files", n, loads)
	}
	if n := mapsOf(t, p); n != 1 {
		t.Errorf("%d maps of data.cdb; want 1", n)
	}
}

// soakZone is a zone of changing size.
func soakZone(i int) string {
	var b strings.Builder
	b.WriteString(".a.org:127.0.0.1:ns.a.org\n+www.a.org:1.2.3.4\n@a.org:127.0.0.1:mx.a.org\n'a.org:v=spf1 -all\nCalias.a.org:www.a.org\n+*.w.a.org:1.2.3.5\n")
	for n := range 1000 + i%7*500 {
		fmt.Fprintf(&b, "+h%d.a.org:10.0.%d.%d\n", n, n>>8, n&255)
	}
	return b.String()
}

// soakQuestions is what is asked, and the codes that may come.
func soakQuestions() []*dns.Msg {
	var all []*dns.Msg
	for _, c := range []struct {
		name string
		kind uint16
		size uint16
	}{
		{"www.a.org.", dns.TypeA, 0}, {"a.org.", dns.TypeMX, 1232}, {"h17.a.org.", dns.TypeA, 4096}, {"none.a.org.", dns.TypeA, 0}, {"a.org.", dns.TypeANY, 1232}, {"x.w.a.org.", dns.TypeA, 0},
		{"alias.a.org.", dns.TypeAAAA, 512}, {"a.org.", dns.TypeTXT, 0}, {"b.org.", dns.TypeA, 1232}, {"a.org.", dns.TypeSOA, 1232}, {"www.a.org.", dns.TypeAXFR, 0},
	} {
		m := new(dns.Msg).SetQuestion(c.name, c.kind)
		if c.size > 0 {
			m.SetEdns0(c.size, c.size == 1232)
		}
		all = append(all, m)
	}
	return all
}

// ask asks one question after the other; each gets an answer with its number.
func (s *soak) ask(t *testing.T, network string, seed uint16) {
	c, err := dns.Dial(network, s.addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { c.Close() }()
	questions := soakQuestions()
	for i := 0; time.Now().Before(s.end); i++ {
		if network == "tcp" && i%50 == 49 { // a new connection
			c.Close()
			if c, err = dns.Dial(network, s.addr); err != nil {
				t.Error(err)
				return
			}
		}
		m := questions[i%len(questions)].Copy()
		m.Id = uint16(i) ^ seed<<13
		began := time.Now()
		c.SetDeadline(began.Add(2 * time.Second))
		s.asked.Add(1)
		err := c.WriteMsg(m)
		var a *dns.Msg
		if err == nil {
			a, err = c.ReadMsg()
		}
		if err != nil || a.Id != m.Id {
			s.failed.Add(1)
			t.Errorf("%s %v: %v, %v", network, m.Question, a, err)
			return
		}
		for took := int64(time.Since(began)); took > s.worst.Load(); {
			s.worst.Store(took)
		}
		time.Sleep(soakPace)
	}
}

// garbage sends what nobody should, over both transports.
func (s *soak) garbage(t *testing.T) {
	u := dial(t, "127.0.0.2", s.addr)
	good := question(t, "www.a.org.", dns.TypeA)
	for i := 0; time.Now().Before(s.end); i++ {
		b := append([]byte(nil), good[:rand.IntN(len(good)+1)]...)
		for range rand.IntN(8) {
			if len(b) > 0 {
				b[rand.IntN(len(b))] = byte(rand.Uint32())
			}
		}
		u.Write(b)
		if i%20 == 0 {
			if c, err := net.Dial("tcp", s.addr); err == nil {
				c.Write(binary.BigEndian.AppendUint16(nil, uint16(rand.Uint32())))
				c.Write(b)
				if i%40 == 0 {
					c.(*net.TCPConn).SetLinger(0) // ends by a reset
				}
				c.Close()
			}
		}
		time.Sleep(soakPace)
	}
}
