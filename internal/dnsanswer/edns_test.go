// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/dnswire"
)

// TestCookieAnswers: RFC 7873 §5.2 and §5.4, and NSID.
func TestCookieAnswers(t *testing.T) {
	d, now := compiled(t, zoneText), time.Unix(1559731985, 0)
	cookies := dnswire.NewCookies([16]byte{1})
	c := New(Config{NSID: []byte("one"), Cookies: cookies})
	ask := func(c *Composer, cookie string, tcp, empty bool) (*dns.Msg, dnswire.Query) {
		m := new(dns.Msg).SetQuestion("mail.testingsmtp.org.", dns.TypeA)
		m.SetEdns0(1232, false)
		if cookie != "-" {
			m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookie})
		}
		m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
		if empty {
			m.Question = nil
		}
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		var q dnswire.Query
		out, _ := c.Answer(d, nil, b, localhost, tcp, now, &q)
		a := new(dns.Msg)
		if err := a.Unpack(out); err != nil {
			t.Fatalf("%x: %v", out, err)
		}
		q.Name, q.Option, q.Account = nil, nil, nil
		return a, q
	}
	said := func(a *dns.Msg) (cookie, nsid string) {
		for _, o := range a.IsEdns0().Option {
			switch o := o.(type) {
			case *dns.EDNS0_COOKIE:
				cookie = o.Cookie
			case *dns.EDNS0_NSID:
				nsid = o.Nsid
			}
		}
		return cookie, nsid
	}
	const client = "0102030405060708"
	first, _ := ask(c, client, false, false)
	good, _ := said(first)
	bad := good[:46] + "00"
	for _, tc := range []struct {
		name, cookie string
		tcp, empty   bool
		rcode        int
		answers      int
		state        dnswire.CookieState
		sent         string
	}{
		{"none", "-", false, false, 0, 1, dnswire.CookieNone, ""}, {"client's", client, false, false, 0, 1, dnswire.CookieClient, good}, {"good", good, false, false, 0, 1, dnswire.CookieGood, good},
		{"bad", bad, false, false, dns.RcodeBadCookie, 0, dnswire.CookieBad, good}, {"bad over TCP", bad, true, false, 0, 1, dnswire.CookieBad, good}, {"of 7 bytes", client[:14], false, false, dns.RcodeFormatError, 0, dnswire.CookieNone, ""}, {"of 41 bytes", good + good[:34], false, false, dns.RcodeFormatError, 0, dnswire.CookieNone, ""},
		{"no question", client, false, true, 0, 0, dnswire.CookieClient, good}, {"no question, bad", bad, false, true, dns.RcodeBadCookie, 0, dnswire.CookieBad, good}, {"no question nor cookie", "-", false, true, dns.RcodeFormatError, 0, dnswire.CookieNone, ""},
	} {
		a, q := ask(c, tc.cookie, tc.tcp, tc.empty)
		cookie, nsid := said(a)
		if a.Rcode != tc.rcode || q.Rcode != tc.rcode || len(a.Answer) != tc.answers || q.Cookie != tc.state || cookie != tc.sent || nsid != hex.EncodeToString([]byte("one")) {
			t.Errorf("%s: %v, state %d; want rcode %d, %d answers, state %d, cookie %s", tc.name, a, q.Cookie, tc.rcode, tc.answers, tc.state, tc.sent)
		}
	}
	if a, q := ask(New(Config{}), bad, false, false); a.Rcode != 0 || len(a.Answer) != 1 || len(a.IsEdns0().Option) != 0 || q.Cookie != dnswire.CookieNone {
		t.Errorf("without cookies and NSID: %v; want an answer without options", a)
	}
	if a, _ := ask(New(Config{}), client, false, true); a.Rcode != dns.RcodeFormatError {
		t.Errorf("without cookies, no question: %v; want FORMERR", a)
	}
}

// TestFailure: after a fault the composer goes on, and SERVFAIL is said with
// what was read.
func TestFailure(t *testing.T) {
	m := new(dns.Msg).SetQuestion("mail.testingsmtp.org.", dns.TypeA)
	m.SetEdns0(1232, true)
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	var q dnswire.Query
	if dnswire.Parse(b, &q) != dnswire.Accept {
		t.Fatal("question not read")
	}
	a := new(dns.Msg)
	if err := a.Unpack(Failure(nil, &q)); err != nil || a.Rcode != dns.RcodeServerFailure || a.IsEdns0() == nil || a.Authoritative || q.Rcode != dns.RcodeServerFailure {
		t.Errorf("failure: %v, %v; want SERVFAIL", a, err)
	}
	q = dnswire.Query{}
	if err := a.Unpack(Failure(nil, &q)); err != nil || a.Rcode != dns.RcodeServerFailure || len(a.Question) != 0 {
		t.Errorf("failure before the question was read: %v, %v; want SERVFAIL", a, err)
	}
}
