// SPDX-License-Identifier: ISC

package main

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

var secret = base64.StdEncoding.EncodeToString([]byte("a secret of two servers, 32 bytes"))

// put writes a file by rename.
func put(t testing.TB, dir, name, text string) {
	t.Helper()
	tmp := filepath.Join(dir, name+".new")
	if err := os.WriteFile(tmp, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// request is one for a zone.
func request(zone string) *dns.Msg {
	m := new(dns.Msg)
	m.SetAxfr(zone)
	m.SetEdns0(1232, false)
	return m
}

// first is the first message of the answer.
func first(t testing.TB, network, addr string, m *dns.Msg) *dns.Msg {
	t.Helper()
	c, err := dns.DialTimeout(network, addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if err := c.WriteMsg(m); err != nil {
		t.Fatal(err)
	}
	r, err := c.ReadMsg()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// prohibited says whether an answer is REFUSED for want of a rule.
func prohibited(r *dns.Msg) bool {
	e := r.IsEdns0()
	if r.Rcode != dns.RcodeRefused || len(r.Answer) > 0 || e == nil || len(e.Option) != 1 {
		return false
	}
	ede, ok := e.Option[0].(*dns.EDNS0_EDE)
	return ok && ede.InfoCode == dns.ExtendedErrorCodeProhibited
}

// TestDN9: zones go to those whom the file transfer names, over TCP. It is read
// again within a second; while it cannot be read the old one holds; without it
// nobody is let in.
func TestDN9(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil)
	wants := func(why string, ok bool) {
		t.Helper()
		var r *dns.Msg
		for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if r = first(t, "tcp", p.addr, request("a.org.")); (len(r.Answer) == 5) == ok && prohibited(r) != ok {
				break
			}
		}
		if (len(r.Answer) == 5) != ok || prohibited(r) == ok {
			t.Errorf("%s: %v; want ok %v", why, r, ok)
		}
		for _, kind := range []uint16{dns.TypeAXFR, dns.TypeIXFR} {
			m := request("a.org.")
			if kind == dns.TypeIXFR {
				m.SetIxfr("a.org.", 1, "a.", "b.")
			}
			if r := first(t, "udp", p.addr, m); kind == dns.TypeAXFR && r.Rcode != dns.RcodeRefused || len(r.Answer) > 1 {
				t.Errorf("%s, over UDP: %v", why, r)
			}
		}
	}
	wants("no rules", false)
	put(t, dir, "transfer", "# ours\na.org:127.0.0.0/8\n")
	wants("a rule", true)
	if r := first(t, "tcp", p.addr, request("www.a.org.")); !prohibited(r) {
		t.Errorf("another zone: %v", r)
	}
	put(t, dir, "transfer", "a.org:everybody\n")
	time.Sleep(time.Second)
	wants("a bad file", true)
	put(t, dir, "transfer", "a.org:192.0.2.1\n")
	wants("another's rule", false)
	put(t, dir, "transfer", "*:*\n")
	wants("everybody's rule", true)
	if r := first(t, "tcp", p.addr, request("other.org.")); r.Rcode != dns.RcodeNotAuth {
		t.Errorf("a zone that is not here: %v", r)
	}
	if err := os.Remove(filepath.Join(dir, "transfer")); err != nil {
		t.Fatal(err)
	}
	wants("no rules again", false)
}

// TestSigned: signed questions, over UDP and TCP, have signed answers; rules
// with a key want it.
func TestSigned(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	put(t, dir, "keys", "k1:hmac-sha256:"+secret+"\nk2:hmac-sha512:"+secret+"\n")
	put(t, dir, "transfer", "a.org:*:k1\n")
	p := start(t, dir, "127.0.0.1", nil)
	stranger := new(dns.Msg)
	stranger.SetQuestion("www.a.org.", dns.TypeA)
	stranger.SetTsig("k9.", dns.HmacSHA256, 300, time.Now().Unix())
	(&dns.Client{TsigSecret: map[string]string{"k9.": secret}}).Exchange(stranger, p.addr)
	p.expect(t, `^7f000001:....:.... I 0001 www\.a\.org$`)
	for _, network := range []string{"udp", "tcp"} {
		for _, c := range []struct {
			key, algorithm string
			rcode          int
		}{{"k1.", dns.HmacSHA256, 0}, {"k2.", dns.HmacSHA512, 0}, {"k3.", dns.HmacSHA256, dns.RcodeNotAuth}, {"k1.", dns.HmacSHA512, dns.RcodeNotAuth}} {
			m := new(dns.Msg)
			m.SetQuestion("www.a.org.", dns.TypeA)
			m.SetTsig(c.key, c.algorithm, 300, time.Now().Unix())
			client := dns.Client{Net: network, TsigSecret: map[string]string{c.key: secret}}
			r, _, err := client.Exchange(m, p.addr)
			if c.rcode == 0 && (err != nil || r.IsTsig() == nil || len(r.Answer) != 1) || r == nil || r.Rcode != c.rcode {
				t.Errorf("%s, key %s %s: %v %v; want rcode %d", network, c.key, c.algorithm, r, err, c.rcode)
			}
		}
	}
	for key, ok := range map[string]bool{"": false, "k1.": true, "k2.": false} {
		m := request("a.org.")
		tr := &dns.Transfer{}
		if key != "" {
			algorithm := map[string]string{"k1.": dns.HmacSHA256, "k2.": dns.HmacSHA512}[key]
			m.SetTsig(key, algorithm, 300, time.Now().Unix())
			tr.TsigSecret = map[string]string{key: secret}
		}
		all, err := tr.In(m, p.addr)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for e := range all {
			if err = e.Error; err == nil {
				n += len(e.RR)
			}
		}
		if (err == nil) != ok || ok && n != 5 {
			t.Errorf("transfer with key %q: %d records, %v; want ok %v", key, n, err, ok)
		}
	}
}

// TestInTheMiddle: transfers among other questions of one connection, all
// answered in their order.
func TestInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	put(t, dir, "transfer", "*:127.0.0.1\n")
	p := start(t, dir, "127.0.0.1", nil)
	c, err := dns.DialTimeout("tcp", p.addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	var all []byte
	for i := range 20 {
		m := new(dns.Msg)
		m.SetQuestion("www.a.org.", dns.TypeA)
		if i%3 == 1 {
			m = request("a.org.")
		}
		m.Id = uint16(i)
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, framed(b)...)
	}
	if _, err := c.Conn.Write(all); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		want := 1
		if i%3 == 1 {
			want = 5
		}
		r, err := c.ReadMsg()
		if err != nil || int(r.Id) != i || len(r.Answer) != want {
			t.Fatalf("answer %d: %v, %v; want %d records", i, r, err, want)
		}
	}
}

// large is a zone of more than sockets hold.
func large(serial int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Zbig.org:a:b:%d\n&big.org::a.b\n", serial)
	for i := range 60000 {
		fmt.Fprintf(&b, "'t%d.big.org:%d %s\n", i, serial, strings.Repeat("x", 120))
	}
	return b.String()
}

// stalled is a connection whose client has asked for big.org and read nothing.
func stalled(t *testing.T, addr string) *dns.Conn {
	t.Helper()
	d := net.Dialer{Timeout: 5 * time.Second, Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	}}
	raw, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	c := &dns.Conn{Conn: raw}
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if err := c.WriteMsg(request("big.org.")); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestOneVersion: a transfer that began with one data.cdb ends with it, though
// another takes its place meanwhile.
func TestOneVersion(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, large(1))
	put(t, dir, "transfer", "*:127.0.0.1\n")
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	c := stalled(t, p.addr)
	r, err := c.ReadMsg()
	if err != nil {
		t.Fatal(err)
	}
	publish(t, dir, large(2))
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		m := new(dns.Msg)
		m.SetQuestion("big.org.", dns.TypeSOA)
		if now := first(t, "udp", p.addr, m); len(now.Answer) == 1 && now.Answer[0].(*dns.SOA).Serial == 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the new data.cdb is not taken")
		}
	}
	soas, records := 0, 0
	for soas < 2 {
		for _, rr := range r.Answer {
			switch rr := rr.(type) {
			case *dns.SOA:
				if soas++; rr.Serial != 1 {
					t.Fatalf("SOA %d has the serial number %d; want 1", soas, rr.Serial)
				}
			case *dns.TXT:
				if records++; rr.Txt[0][0] != '1' {
					t.Fatalf("record %d is of version %c; want 1", records, rr.Txt[0][0])
				}
			}
		}
		if soas < 2 {
			if r, err = c.ReadMsg(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if records != 60000 {
		t.Errorf("%d records; want 60000", records)
	}
}

// TestManyTransfers: at the limit there is no further transfer, but ordinary
// answers; and again one when another has ended.
func TestManyTransfers(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, large(1)+zoneText)
	put(t, dir, "transfer", "*:127.0.0.1\n")
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	var all []*dns.Conn
	for range maxTransfers {
		c := stalled(t, p.addr)
		if r, err := c.ReadMsg(); err != nil || r.Rcode != 0 {
			t.Fatalf("transfer %d: %v %v", len(all)+1, r, err)
		}
		all = append(all, c)
	}
	if r := first(t, "tcp", p.addr, request("a.org.")); r.Rcode != dns.RcodeServerFailure {
		t.Errorf("one more: %v; want SERVFAIL", r)
	}
	if got := ask(t, "tcp", p.addr, "www.a.org."); got != "1.2.3.4" {
		t.Errorf("meanwhile an answer is %q", got)
	}
	all[0].Close()
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if first(t, "tcp", p.addr, request("a.org.")).Rcode == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no transfer after one has ended")
		}
	}
}
