// SPDX-License-Identifier: ISC

package resolve

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/dnsclient"
)

// fake is a DNS server on loopback, UDP and TCP on one port. What it answers
// is reply's to say, for the n-th question over UDP or TCP; nil is silence.
type fake struct {
	addr  string
	reply func(q *dns.Msg, over string, n int) []*dns.Msg

	mu    sync.Mutex
	asked []string // over, name and type
	ids   []uint16
	froms []string
}

func start(t *testing.T, reply func(q *dns.Msg, over string, n int) []*dns.Msg) *fake {
	t.Helper()
	f := &fake{reply: reply}
	var u net.PacketConn
	var l net.Listener
	for tries := 0; ; tries++ {
		var err error
		if u, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if l, err = net.Listen("tcp", u.LocalAddr().String()); err == nil {
			break
		}
		u.Close()
		if tries == 20 {
			t.Fatal(err)
		}
	}
	f.addr = u.LocalAddr().String()
	var running sync.WaitGroup
	running.Go(func() { f.serveUDP(u) })
	running.Go(func() { f.serveTCP(l) })
	t.Cleanup(func() {
		u.Close()
		l.Close()
		running.Wait()
	})
	return f
}

func (f *fake) serveUDP(u net.PacketConn) {
	b := make([]byte, 4096)
	for {
		n, from, err := u.ReadFrom(b)
		if err != nil {
			return
		}
		for _, a := range f.answers(b[:n], "udp", from.String()) {
			u.WriteTo(a, from)
		}
	}
}

func (f *fake) serveTCP(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.SetDeadline(time.Now().Add(5 * time.Second))
		if m, err := (&dns.Conn{Conn: c}).ReadMsg(); err == nil {
			q, _ := m.Pack()
			for _, a := range f.answers(q, "tcp", c.RemoteAddr().String()) {
				(&dns.Conn{Conn: c}).Write(a)
			}
		}
		c.Close()
	}
}

// answers is what goes back for a question, in wire form.
func (f *fake) answers(b []byte, over, from string) (out [][]byte) {
	q := new(dns.Msg)
	if q.Unpack(b) != nil || len(q.Question) != 1 {
		return nil
	}
	f.mu.Lock()
	n := 0
	for _, a := range f.asked {
		if strings.HasPrefix(a, over) {
			n++
		}
	}
	f.asked = append(f.asked, over+" "+q.Question[0].Name+" "+dns.TypeToString[q.Question[0].Qtype])
	f.ids, f.froms = append(f.ids, q.Id), append(f.froms, from)
	f.mu.Unlock()
	for _, m := range f.reply(q, over, n) {
		if wire, err := m.Pack(); err == nil {
			out = append(out, wire)
		}
	}
	return out
}

// seen is the questions so far.
func (f *fake) seen() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.asked, ", ")
}

func (f *fake) resolver() *Resolver {
	r, err := New(func(name string) string { return map[string]string{"QUILLDNS": f.addr}[name] }, nil)
	if err != nil {
		panic(err)
	}
	return r
}

// answer is a reply to q with these records.
func answer(q *dns.Msg, records ...string) *dns.Msg {
	m := new(dns.Msg)
	m.SetReply(q)
	for _, r := range records {
		rr, err := dns.NewRR(r)
		if err != nil {
			panic(err) // a test's own text
		}
		m.Answer = append(m.Answer, rr)
	}
	return m
}

const (
	ptr  = "1.0.0.127.in-addr.arpa. 60 IN PTR laptop.testingsmtp.org."
	host = "laptop.testingsmtp.org"
)

// TestHost: the name of an address; who is paranoid wants it to lead back.
func TestHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		back     string // the A record
		paranoid bool
		want     string
	}{
		{"plain", "", false, host},
		{"leads back", "laptop.testingsmtp.org. 60 IN A 127.0.0.1", true, host},
		{"leads elsewhere", "laptop.testingsmtp.org. 60 IN A 127.0.0.2", true, ""},
		{"leads nowhere", "", true, ""},
	} {
		f := start(t, func(q *dns.Msg, _ string, _ int) []*dns.Msg {
			switch {
			case q.Question[0].Qtype == dns.TypePTR:
				return []*dns.Msg{answer(q, ptr)}
			case q.Question[0].Qtype == dns.TypeA && c.back != "":
				return []*dns.Msg{answer(q, c.back)}
			}
			return []*dns.Msg{answer(q)}
		})
		if got := f.resolver().Host("127.0.0.1", c.paranoid, 5*time.Second); got != c.want {
			t.Errorf("%s: Host = %q; want %q", c.name, got, c.want)
		}
	}
	f := start(t, func(q *dns.Msg, _ string, _ int) []*dns.Msg { return []*dns.Msg{answer(q)} })
	if got := f.resolver().Host("::1", false, 5*time.Second); got != "" || !strings.Contains(f.seen(), "ip6.arpa. PTR") {
		t.Errorf("Host(::1) = %q, asked %s", got, f.seen())
	}
	if got := f.resolver().Host("no address", false, 5*time.Second); got != "" || strings.Count(f.seen(), "PTR") != 1 {
		t.Errorf("Host of no address = %q, asked %s", got, f.seen())
	}
}

// TestManyNames: only so many names of an address are looked at.
func TestManyNames(t *testing.T) {
	t.Parallel()
	f := start(t, func(q *dns.Msg, _ string, _ int) []*dns.Msg {
		if q.Question[0].Qtype != dns.TypePTR {
			return []*dns.Msg{answer(q)}
		}
		var all []string
		for i := range 3 * maxNames {
			all = append(all, fmt.Sprintf("1.0.0.127.in-addr.arpa. 60 IN PTR n%d.example.", i))
		}
		m := answer(q, all...)
		m.Compress = true
		return []*dns.Msg{m}
	})
	if got := f.resolver().Host("127.0.0.1", true, 5*time.Second); got != "" || strings.Count(f.seen(), "example. A") != 2*maxNames {
		t.Errorf("Host = %q, asked %s; want %d names looked at", got, f.seen(), maxNames)
	}
}

// TestAddrs: the addresses of a name, IPv4 first; other records do not count.
func TestAddrs(t *testing.T) {
	t.Parallel()
	f := start(t, func(q *dns.Msg, _ string, _ int) []*dns.Msg {
		switch q.Question[0].Qtype {
		case dns.TypeA:
			return []*dns.Msg{answer(q, "a.example. 60 IN CNAME b.example.", "b.example. 60 IN A 127.0.0.5", "b.example. 60 IN A 127.0.0.6", "b.example. 60 IN TXT x", "c.example. 60 IN A 127.0.0.7")}
		case dns.TypeAAAA:
			return []*dns.Msg{answer(q, "a.example. 60 IN AAAA ::5")}
		}
		return nil
	})
	if got := fmt.Sprint(f.resolver().Addrs("a.example", 5*time.Second)); got != "[127.0.0.5 127.0.0.6 ::5]" {
		t.Errorf("Addrs = %s", got)
	}
}

// TestTruncated: an answer that did not fit is asked for again over TCP.
func TestTruncated(t *testing.T) {
	t.Parallel()
	f := start(t, func(q *dns.Msg, over string, _ int) []*dns.Msg {
		if over == "udp" {
			m := answer(q)
			m.Truncated = true
			return []*dns.Msg{m}
		}
		return []*dns.Msg{answer(q, ptr)}
	})
	if got, want := f.resolver().Host("127.0.0.1", false, 5*time.Second), "udp 1.0.0.127.in-addr.arpa. PTR, tcp 1.0.0.127.in-addr.arpa. PTR"; got != host || f.seen() != want {
		t.Errorf("Host = %q, asked %s; want %s", got, f.seen(), want)
	}
}

// TestForged: what is no answer to our question is none: a wrong id, another
// question, a question in place of an answer.
func TestForged(t *testing.T) {
	t.Parallel()
	const forged = "1.0.0.127.in-addr.arpa. 60 IN PTR forged.example."
	for name, forge := range map[string]func(m *dns.Msg){
		"wrong id":        func(m *dns.Msg) { m.Id++ },
		"another name":    func(m *dns.Msg) { m.Question[0].Name = "2.0.0.127.in-addr.arpa." },
		"another type":    func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeA },
		"no question":     func(m *dns.Msg) { m.Question = nil },
		"not an answer":   func(m *dns.Msg) { m.Response = false },
		"another's owner": func(m *dns.Msg) { m.Answer[0].Header().Name = "other.example." },
	} {
		f := start(t, func(q *dns.Msg, over string, _ int) []*dns.Msg {
			bad := answer(q, forged)
			bad.Question = append([]dns.Question{}, bad.Question...)
			forge(bad)
			return []*dns.Msg{bad}
		})
		if got := f.resolver().Host("127.0.0.1", false, 300*time.Millisecond); got != "" {
			t.Errorf("%s: Host = %q; want none", name, got)
		}
	}
	f := start(t, func(q *dns.Msg, over string, _ int) []*dns.Msg {
		bad := answer(q, forged)
		bad.Id++
		return []*dns.Msg{bad, answer(q, ptr)}
	})
	if got := f.resolver().Host("127.0.0.1", false, 5*time.Second); got != host {
		t.Errorf("a wrong id before the true answer: Host = %q; want %q", got, host)
	}
}

// TestRandom: ids and ports differ from question to question.
func TestRandom(t *testing.T) {
	t.Parallel()
	f := start(t, func(q *dns.Msg, _ string, _ int) []*dns.Msg { return []*dns.Msg{answer(q, ptr)} })
	const n = 60
	for range n {
		f.resolver().Host("127.0.0.1", false, 5*time.Second)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	ids, froms, steps := make(map[uint16]bool), make(map[string]bool), make(map[uint16]bool)
	for i, id := range f.ids {
		ids[id], froms[f.froms[i]] = true, true
		if i > 0 {
			steps[id-f.ids[i-1]] = true
		}
	}
	if len(f.ids) != n || len(ids) < n-5 || len(froms) < n/2 || len(steps) < n-10 {
		t.Errorf("%d questions have %d ids in %d steps, and come from %d ports", len(f.ids), len(ids), len(steps), len(froms))
	}
}

// TestSilence: a server that says nothing is asked again, another one is asked
// meanwhile, and the time that was given is the end of it.
func TestSilence(t *testing.T) {
	t.Parallel()
	silent := start(t, func(*dns.Msg, string, int) []*dns.Msg { return nil })
	begun := time.Now()
	if got := silent.resolver().Host("127.0.0.1", false, 300*time.Millisecond); got != "" {
		t.Errorf("Host by a silent server = %q", got)
	}
	if took := time.Since(begun); took < 250*time.Millisecond || took > 10*time.Second {
		t.Errorf("a silent server took %v; want about 300 ms", took)
	}
	late := start(t, func(q *dns.Msg, _ string, n int) []*dns.Msg {
		if n == 0 {
			return nil
		}
		return []*dns.Msg{answer(q, ptr)}
	})
	if got := late.resolver().Host("127.0.0.1", false, 20*time.Second); got != host {
		t.Errorf("Host by a server that answers the second time = %q", got)
	}
	r, err := New(func(string) string { return "" }, dnsclient.ParseServers(silent.addr+" "+refusing(t).addr+" "+late.addr))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Host("127.0.0.1", false, 20*time.Second); got != host {
		t.Errorf("Host by the third server = %q", got)
	}
}

// refusing is a server that answers with its failure.
func refusing(t *testing.T) *fake {
	return start(t, func(q *dns.Msg, _ string, _ int) []*dns.Msg {
		m := answer(q)
		m.Rcode = dns.RcodeServerFailure
		return []*dns.Msg{m}
	})
}

// TestRefused: who answers that it cannot is not asked again.
func TestRefused(t *testing.T) {
	t.Parallel()
	f := refusing(t)
	if got := f.resolver().Host("127.0.0.1", false, 20*time.Second); got != "" || strings.Count(f.seen(), "udp") != 1 {
		t.Errorf("Host = %q, asked %s; want one question", got, f.seen())
	}
}

// TestNoName: NXDOMAIN is an answer, and nobody else is asked.
func TestNoName(t *testing.T) {
	t.Parallel()
	f := start(t, func(q *dns.Msg, _ string, _ int) []*dns.Msg {
		m := answer(q)
		m.Rcode = dns.RcodeNameError
		return []*dns.Msg{m}
	})
	if got := f.resolver().Host("127.0.0.1", false, 5*time.Second); got != "" || strings.Count(f.seen(), "udp") != 1 {
		t.Errorf("Host = %q, asked %s; want one question", got, f.seen())
	}
}

// TestServers: who is asked, by the environment and what takes the place of
// resolv.conf.
func TestServers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ quill, cache, conf, want string }{
		{"127.0.0.1:5300", "127.0.0.2", "127.0.0.9", "[127.0.0.1:5300]"},
		{"", "127.0.0.2/127.0.0.3 ::1,127.0.0.4", "", "[127.0.0.2:53 127.0.0.3:53 [::1]:53 127.0.0.4:53]"},
		{"", "", "127.0.0.9:5353", "[127.0.0.9:5353]"},
	} {
		r, err := New(func(name string) string { return map[string]string{"QUILLDNS": c.quill, "DNSCACHEIP": c.cache}[name] }, dnsclient.ParseServers(c.conf))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(r.client.Servers); got != c.want {
			t.Errorf("QUILLDNS=%s DNSCACHEIP=%s: %s; want %s", c.quill, c.cache, got, c.want)
		}
	}
}

// TestServersRefused: nobody else is asked where QUILLDNS cannot be read.
func TestServersRefused(t *testing.T) {
	t.Parallel()
	if r, err := New(func(name string) string { return map[string]string{"QUILLDNS": "ns.example:53"}[name] }, nil); err == nil {
		t.Errorf("New = %v; want an error about QUILLDNS", r.client.Servers)
	}
}

// TestAsk: one question to one server, its answers as text and its status.
func TestAsk(t *testing.T) {
	t.Parallel()
	f := start(t, func(q *dns.Msg, _ string, n int) []*dns.Msg {
		m := answer(q, "a.example. 60 IN CNAME b.example.", "b.example. 60 IN MX 10 mail.b.example.")
		if n > 0 {
			m = answer(q)
			m.Rcode = dns.RcodeRefused
		}
		return []*dns.Msg{m}
	})
	got, status, err := Ask(f.addr, "a.example", "MX", 5*time.Second)
	if strings.Join(got, "|") != "10 mail.b.example." || status != "NOERROR" || err != nil {
		t.Errorf("Ask = %q, %s, %v", got, status, err)
	}
	if got, status, err := Ask(f.addr, "a.example", "MX", 5*time.Second); err == nil {
		t.Errorf("Ask who refuses = %q, %s; want an error", got, status)
	}
	if _, _, err := Ask(f.addr, "a.example", "NOSUCH", time.Second); err == nil {
		t.Error("Ask for a type that is none: no error")
	}
	silent := start(t, func(*dns.Msg, string, int) []*dns.Msg { return nil })
	other := start(t, func(q *dns.Msg, _ string, _ int) []*dns.Msg {
		m := answer(q)
		m.Question = []dns.Question{{Name: "b.example.", Qtype: dns.TypeA, Qclass: dns.ClassINET}}
		return []*dns.Msg{m}
	})
	if _, _, err := Ask(other.addr, "a.example", "A", 5*time.Second); err == nil {
		t.Error("Ask who answers another question: no error")
	}
	if _, _, err := Ask(silent.addr, "a.example", "A", 100*time.Millisecond); err == nil {
		t.Error("Ask a silent server: no error")
	}
}

func TestPort(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]uint16{"0": 0, "25": 25, "65535": 65535, "smtp": 25} {
		if got, err := Port(in); got != want || err != nil {
			t.Errorf("Port(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"65536", "-1", "", "no such service"} {
		if got, err := Port(in); err == nil && in != "" {
			t.Errorf("Port(%q) = %d; want an error", in, got)
		}
	}
}
