// SPDX-License-Identifier: ISC

package main

import (
	"io"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/dnsrate"
	"quill/internal/dnswire"
)

// testWorker is one over the data of text, with everything switched on.
func testWorker(t testing.TB, text string) *worker {
	t.Helper()
	dir := t.TempDir()
	publish(t, dir, text)
	t.Chdir(dir)
	s := &server{config: config{sample: 1, cookies: dnswire.NewCookies([16]byte{1})}, store: newStore(func(err error) { t.Error(err) }), log: newLogger(io.Discard)}
	s.rate = dnsrate.New(dnsrate.Config{Rate: 200, Slip: 2})
	go s.log.write()
	return s.worker().(*worker)
}

// someClient asks in tests.
var someClient = netip.MustParseAddrPort("192.0.2.1:5353")

// batchOf has a worker answer a question n times in one batch.
func batchOf(w *worker, out, q []byte, n int) {
	w.Begin(time.Now())
	for range n {
		w.Answer(out[:0], q, someClient, false)
	}
	w.End()
}

// TestWorkerAllocates: nothing for an answer, with log, counts, cookies and the
// limit of rates, also for those that it limits.
func TestWorkerAllocates(t *testing.T) {
	w := testWorker(t, zoneText)
	m := new(dns.Msg).SetQuestion("www.a.org.", dns.TypeA)
	m.SetEdns0(1232, true)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0123456789abcdef"}}
	q, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 0, 4096)
	batchOf(w, out, q, 1000) // the buffer of lines grows once
	if n := testing.AllocsPerRun(5, func() { batchOf(w, out, q, 1000) }); n > 20 {
		t.Errorf("%v allocations for 1000 questions; want the log's few", n)
	}
	if w.tally.rateDrop == 0 || w.tally.rateSlip == 0 || w.tally.rcodes[0] == 0 {
		t.Errorf("%+v; want answers, dropped and slipped ones", w.tally)
	}
}

// TestCookieIsFree: who has a server cookie of ours has no limit; who has one
// that is not ours has.
func TestCookieIsFree(t *testing.T) {
	w := testWorker(t, zoneText)
	ask := func(cookie string) (*dns.Msg, []byte) {
		m := new(dns.Msg).SetQuestion("www.a.org.", dns.TypeA)
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookie}}
		q, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		w.Begin(time.Now())
		defer w.End()
		out := w.Answer(nil, q, someClient, false)
		a := new(dns.Msg)
		if len(out) > 0 {
			if err := a.Unpack(out); err != nil {
				t.Fatal(err)
			}
		}
		return a, q
	}
	a, _ := ask("0123456789abcdef")
	cookie := a.IsEdns0().Option[0].(*dns.EDNS0_COOKIE).Cookie
	for i := range 1000 {
		if a, _ := ask(cookie); len(a.Answer) != 1 {
			t.Fatalf("answer %d to a client with our cookie: %v", i, a)
		}
	}
	full := 0
	for range 1000 {
		if a, _ := ask("0123456789abcdef"); len(a.Answer) == 1 {
			full++
		}
	}
	if full > 300 {
		t.Errorf("without our cookie: %d of 1000 answered; want about 200", full)
	}
	for range 1000 { // slipped answers bring a cookie, too
		if a, _ := ask("0123456789abcdef"); a.Truncated {
			if o := a.IsEdns0(); o == nil || len(o.Option) != 1 || len(o.Option[0].(*dns.EDNS0_COOKIE).Cookie) != 48 {
				t.Errorf("slipped: %v; want a server cookie", a)
			}
			return
		}
	}
	t.Error("no answer slipped")
}

// FuzzWorker: any packet takes nothing down, gets at most one answer that is one
// and fits, and is one line of the log in djb's grammar.
func FuzzWorker(f *testing.F) {
	w := testWorker(f, zoneText+"+*.a.org:1.2.3.4\n")
	w.rate = nil
	f.Add(question(f, "www.a.org.", dns.TypeA), true)
	f.Add(question(f, "a.b.a.org.", dns.TypeANY), false)
	f.Add([]byte("\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x03a.\n\x00\x00\xff\x00\x01\x00\x00\x29\x04\xd0\x00\x01\x00\x00\x00\x00"), false)
	grammar := regexp.MustCompile(`^[0-9a-f]{8}:[0-9a-f]{4}:[0-9a-f]{4} [-+IC/] [0-9a-f]{4} (\.|[-_a-z0-9\\.]+)\n$`)
	f.Fuzz(func(t *testing.T, packet []byte, tcp bool) {
		if len(packet) > 4096 {
			return
		}
		w.Begin(time.Now())
		said := w.Answer(nil, packet, someClient, tcp)
		if !grammar.Match(w.lines) {
			t.Errorf("log of %x: %q", packet, w.lines)
		}
		w.End()
		if len(said) == 0 {
			return
		}
		if len(said) < 12 || said[2]&0x80 == 0 || string(said[:2]) != string(packet[:2]) || !tcp && len(said) > 1232 || len(packet) < 12 || packet[2]&0x80 != 0 {
			t.Errorf("answer to %x: %x", packet, said)
		}
	})
}

func BenchmarkWorker(b *testing.B) {
	w := testWorker(b, zoneText)
	w.rate = dnsrate.New(dnsrate.Config{Rate: dnsrate.MaxRate, Slip: 2})
	q, out := question(b, "www.a.org.", dns.TypeA), make([]byte, 0, 4096)
	for b.Loop() {
		batchOf(w, out, q, 64)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/64, "ns/answer")
}

// TestClasses is DN7: other classes than IN are refused.
func TestClasses(t *testing.T) {
	w := testWorker(t, zoneText)
	for _, class := range []uint16{0, 2, dns.ClassCHAOS, dns.ClassHESIOD, dns.ClassNONE, dns.ClassANY, 65535} {
		m := new(dns.Msg).SetQuestion("version.bind.", dns.TypeTXT)
		m.Question[0].Qclass = class
		q, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		w.Begin(time.Now())
		out := w.Answer(nil, q, someClient, true)
		w.End()
		if len(out) != len(q) || out[3]&15 != dnswire.RcodeRefused {
			t.Errorf("class %d: %x; want REFUSED and nothing else", class, out)
		}
	}
}
