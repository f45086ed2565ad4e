// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/cdb"
	"quill/internal/dnsdata"
	"quill/internal/dnstransfer"
	"quill/internal/privilege/privilegetest"
)

// TestMain re-runs this test binary as the program.
func TestMain(m *testing.M) {
	if os.Getenv("NOTIFY_TEST") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

var secret = base64.StdEncoding.EncodeToString([]byte("0123456789abcdef"))

// folder is a new one with data.cdb of long ago, and the current one.
func folder(t testing.TB, text string) {
	t.Helper()
	t.(*testing.T).Chdir(privilegetest.Reachable(t, t.TempDir()))
	publish(t, text)
}

func publish(t testing.TB, text string) {
	t.Helper()
	f, err := os.Create("data.tmp")
	if err != nil {
		t.Fatal(err)
	}
	w := cdb.NewWriter(f)
	old := time.Now().Add(-time.Hour)
	if err := errors.Join(dnsdata.Compile(strings.NewReader(text), 7, w.Put), w.Finish(), f.Close(), os.Chtimes("data.tmp", old, old), os.Rename("data.tmp", "data.cdb")); err != nil {
		t.Fatal(err)
	}
}

const zoneText = "Zex.test:a:b:5\n&ex.test::a\nZb.test:a:b:9\n&b.test::a\n"

// server hears NOTIFY and answers by answer; nil is none.
type server struct {
	addr  netip.AddrPort
	heard chan *dns.Msg
}

func newServer(t testing.TB, answer func(n int, packet []byte, m *dns.Msg) []byte) *server {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s := &server{netip.MustParseAddrPort(c.LocalAddr().String()), make(chan *dns.Msg, 100)}
	go func() {
		b := make([]byte, 4096)
		for n := 0; ; n++ {
			l, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			m := new(dns.Msg)
			if m.Unpack(b[:l]) != nil {
				continue
			}
			s.heard <- m
			if said := answer(n, b[:l], m); said != nil {
				c.WriteTo(said, from)
			}
		}
	}()
	return s
}

// yes acknowledges.
func yes(_ int, _ []byte, m *dns.Msg) []byte { return reply(m, 0) }

func reply(m *dns.Msg, rcode int) []byte {
	r := new(dns.Msg)
	r.SetReply(m)
	r.Opcode, r.Rcode = dns.OpcodeNotify, rcode
	b, err := r.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func silent(int, []byte, *dns.Msg) []byte { return nil }

// program runs this program.
func program(t testing.TB, args ...string) (log string, code int) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = []string{"NOTIFY_TEST=1"}
	privilegetest.Plain(cmd)
	var b bytes.Buffer
	cmd.Stderr = &b
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(b.String()) {
		if !strings.Contains(l, "not confined: built with cgo") {
			log += l
		}
	}
	return log, cmd.ProcessState.ExitCode()
}

func put(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestAll: with -a a server is told when a serial number is new to it, and not
// again once it has acknowledged that; one that refuses is told the next time.
func TestAll(t *testing.T) {
	folder(t, zoneText)
	good := newServer(t, yes)
	refuses := newServer(t, func(_ int, _ []byte, m *dns.Msg) []byte { return reply(m, dns.RcodeRefused) })
	put(t, "notify", "# who\nex.test:127.0.0.1@"+port(good)+"\nb.test:127.0.0.1@"+port(good)+"\nex.test:127.0.0.1@"+port(refuses)+"\n")
	heard := func(s *server) (n int) {
		for len(s.heard) > 0 {
			<-s.heard
			n++
		}
		return n
	}
	for _, c := range []struct {
		data          string
		good, refuses int
	}{{zoneText, 2, 1}, {zoneText, 0, 1}, {strings.Replace(zoneText, ":5\n", ":6\n", 1), 1, 1}, {zoneText, 1, 1}} {
		publish(t, c.data)
		log, code := program(t, "-a")
		if g, r := heard(good), heard(refuses); g != c.good || r != c.refuses || code != 111 || log != "tinydns-notify: fatal: ex.test "+refuses.addr.String()+": the server says REFUSED\n" {
			t.Errorf("%d and %d messages, %d %s; want %d and %d, 111", g, r, code, log, c.good, c.refuses)
		}
	}
	put(t, "notify", "ex.test:127.0.0.1@"+port(good)+"\n")
	if log, code := program(t, "-a"); code != 0 || log != "" || heard(good) != 0 {
		t.Errorf("nothing to say: %d %s", code, log)
	}
	if b, _ := os.ReadFile("notify.state"); string(b) != "ex.test "+good.addr.String()+" 5\n" {
		t.Errorf("notify.state is %q", b)
	}
}

func port(s *server) string {
	_, port, _ := net.SplitHostPort(s.addr.String())
	return port
}

// TestByHand: on the command line servers are told whatever they know.
func TestByHand(t *testing.T) {
	folder(t, zoneText)
	one, two := newServer(t, yes), newServer(t, yes)
	for range 2 {
		if log, code := program(t, "Ex.test.", one.addr.String(), two.addr.String()); code != 0 || log != "" {
			t.Errorf("%d %s", code, log)
		}
	}
	if len(one.heard) != 2 || len(two.heard) != 2 {
		t.Errorf("%d and %d messages; want 2 each", len(one.heard), len(two.heard))
	}
	if m := <-one.heard; m.Opcode != dns.OpcodeNotify || m.Answer[0].(*dns.SOA).Serial != 5 || !m.Authoritative {
		t.Errorf("message is %v", m)
	}
	for _, c := range []struct {
		args []string
		code int
		log  string
	}{
		{nil, 100, "usage"}, {[]string{"ex.test"}, 100, "usage"}, {[]string{"-a", "ex.test", "127.0.0.1"}, 100, "usage"}, {[]string{"-a", "-k", "x"}, 100, "usage"}, {[]string{"-x"}, 100, "usage"},
		{[]string{"ex.test", "host"}, 100, `"host" is no address`}, {[]string{"no.test", one.addr.String()}, 111, "no.test: data.cdb: no such zone"},
		{[]string{"-k", "k", "ex.test", one.addr.String()}, 111, `no key "k"`}, {[]string{"-a"}, 111, "notify: no such file"},
	} {
		if log, code := program(t, c.args...); code != c.code || !strings.Contains(log, c.log) {
			t.Errorf("%v: %d %s; want %d %s", c.args, code, log, c.code, c.log)
		}
	}
}

// TestTries: a server that does not answer is asked again after 1, 2, 4 and 8
// times the first wait, and then given up; answers that are not to the message
// do not count.
func TestTries(t *testing.T) {
	folder(t, zoneText)
	other := func(_ int, _ []byte, m *dns.Msg) []byte {
		m.Id++
		return reply(m, 0)
	}
	third := func(n int, _ []byte, m *dns.Msg) []byte {
		if n < 2 {
			return nil
		}
		return reply(m, 0)
	}
	for _, c := range []struct {
		why    string
		answer func(int, []byte, *dns.Msg) []byte
		tries  int
		ok     bool
	}{{"silent", silent, tries, false}, {"answers to others", other, tries, false}, {"answers the third", third, 3, true}} {
		s := newServer(t, c.answer)
		j := prepared(t, s, nil)
		began := time.Now()
		err := j.tell()
		if (err == nil) != c.ok || !c.ok && !errors.Is(err, errQuiet) || len(s.heard) != c.tries {
			t.Errorf("%s: %v after %d tries; want ok %v after %d", c.why, err, len(s.heard), c.ok, c.tries)
		}
		if took := time.Since(began); !c.ok && took < 31*j.wait {
			t.Errorf("%s: given up after %v; want %v", c.why, took, 31*j.wait)
		}
	}
	s := newServer(t, silent)
	s2, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = netip.MustParseAddrPort(s2.LocalAddr().String())
	s2.Close()
	j := prepared(t, s, nil)
	if err := j.tell(); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody there: %v", err)
	}
}

// prepared is a job for a server that waits little.
func prepared(t *testing.T, s *server, keys dnstransfer.Keys) job {
	t.Helper()
	m, err := cdb.Open("data.cdb")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	target := dnstransfer.Target{Zone: []byte("\x02ex\x04test\x00"), To: s.addr}
	if keys != nil {
		target.Key = "k"
	}
	j, err := prepare(m, target, keys)
	if err != nil {
		t.Fatal(err)
	}
	j.wait = 10 * time.Millisecond
	return j
}

// TestSigned: with a key the message is signed, and an answer counts when it is
// too: a forged one does not end the wait.
func TestSigned(t *testing.T) {
	folder(t, zoneText)
	keys, err := dnstransfer.ParseKeys(strings.NewReader("k:hmac-sha256:" + secret + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	signed := func(secret string) func(int, []byte, *dns.Msg) []byte {
		return func(_ int, packet []byte, m *dns.Msg) []byte {
			if dns.TsigVerify(bytes.Clone(packet), secret, "", false) != nil {
				return nil
			}
			r := new(dns.Msg)
			r.SetReply(m)
			r.Opcode = dns.OpcodeNotify
			r.SetTsig("k.", dns.HmacSHA256, 300, time.Now().Unix())
			b, _, err := dns.TsigGenerate(r, secret, m.IsTsig().MAC, false)
			if err != nil {
				panic(err)
			}
			return b
		}
	}
	for _, c := range []struct {
		why    string
		answer func(int, []byte, *dns.Msg) []byte
		ok     bool
	}{
		{"signed", signed(secret), true}, {"not signed", yes, false}, {"another secret", signed("eHh4eHh4"), false},
		{"forged first", func(n int, p []byte, m *dns.Msg) []byte {
			if n == 0 {
				return yes(n, p, m)
			}
			return signed(secret)(n, p, m)
		}, true},
	} {
		s := newServer(t, c.answer)
		j := prepared(t, s, keys)
		if err := j.tell(); (err == nil) != c.ok {
			t.Errorf("%s: %v; want ok %v", c.why, err, c.ok)
		}
	}
}

// TestSettled: a data.cdb that is new is given a second to be taken.
func TestSettled(t *testing.T) {
	folder(t, zoneText)
	for age, least := range map[time.Duration]time.Duration{0: 900 * time.Millisecond, 800 * time.Millisecond: 100 * time.Millisecond, time.Hour: 0, -time.Hour: 900 * time.Millisecond} {
		at := time.Now().Add(-age)
		if err := os.Chtimes("data.cdb", at, at); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := settled(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < least || took > least+3*time.Second {
			t.Errorf("age %v: waited %v; want %v", age, took, least)
		}
	}
}
