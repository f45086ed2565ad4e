// SPDX-License-Identifier: ISC

//go:build peers

package main

import (
	"net"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// expectation is a command of RFC 8906 and what its output must and must not
// have.
type expectation struct {
	section, args string
	want          []string
	never         []string
}

// What outputs of dig and kdig have in common.
const (
	noError  = `status: NOERROR`
	aa       = `(?i)flags: [a-z ]*\baa\b`
	noAA     = `(?i)flags: [a-z ]*\baa\b`
	ad       = `(?i)flags: [a-z ]*\bad\b`
	soa      = `(?m)^a\.org\.\s+\d+\s+IN\s+SOA\s`
	noAnswer = `ANSWER: 0,`
	optV0    = `(?i)version: 0[,;]`
	opt      = `(?i)EDNS(:| PSEUDO)`
)

// rfc8906 is the commands of RFC 8906 §8, with Debian's dig.
var rfc8906 = []expectation{
	{"8.1.1 server up", "+noedns +noad +norec a.org soa", []string{noError, aa, soa}, []string{opt, ad}},
	{"8.1.2 unknown type", "+noedns +noad +norec a.org type1000", []string{noError, aa, noAnswer}, []string{opt, ad}},
	{"8.1.3.1 CD", "+noedns +noad +norec +cd a.org soa", []string{noError, aa, soa}, []string{opt, ad}},
	{"8.1.3.2 AD", "+noedns +norec +ad a.org soa", []string{noError, aa, soa}, []string{opt, ad}},
	{"8.1.3.3 reserved bit", "+noedns +noad +norec +zflag a.org soa", []string{noError, aa, soa}, []string{opt, ad, `MBZ`}},
	{"8.1.3.4 RD", "+noedns +noad +rec a.org soa", []string{noError, aa, soa, `flags: [a-z ]*\brd\b`}, []string{opt, ad, `flags: [a-z ]*\bra\b`}},
	{"8.1.4 unknown opcode", "+noedns +noad +opcode=15 +norec +header-only", []string{`opcode: RESERVED15, status: NOTIMP`, noAnswer}, []string{opt, ad, noAA}},
	{"8.1.4 unknown opcode with a question", "+noedns +noad +opcode=15 +norec a.org soa", []string{`opcode: RESERVED15, status: NOTIMP`, noAnswer}, []string{opt, ad, noAA}},
	{"8.1.5 TCP", "+noedns +noad +norec +tcp a.org soa", []string{noError, aa, soa, `\(TCP\)`}, []string{opt, ad}},
	{"8.2.1 EDNS", "+nocookie +edns=0 +noad +norec a.org soa", []string{noError, aa, soa, optV0}, []string{ad}},
	{"8.2.2 EDNS version 1", "+nocookie +edns=1 +noednsneg +noad +norec a.org soa", []string{`status: BADVERS`, noAnswer, optV0}, []string{ad, noAA}},
	{"8.2.3 unknown option", "+nocookie +edns=0 +noad +norec +ednsopt=100 a.org soa", []string{noError, aa, soa, optV0}, []string{ad, `OPT=100`}},
	{"8.2.4 unknown flags", "+nocookie +edns=0 +noad +norec +ednsflags=0x40 a.org soa", []string{noError, aa, soa, optV0}, []string{ad, `MBZ`}},
	{"8.2.5 version 1 with unknown flags", "+nocookie +edns=1 +noednsneg +noad +norec +ednsflags=0x40 a.org soa", []string{`status: BADVERS`, noAnswer, optV0}, []string{ad, `MBZ`, noAA}},
	{"8.2.6 version 1 with an unknown option", "+nocookie +edns=1 +noednsneg +noad +norec +ednsopt=100 a.org soa", []string{`status: BADVERS`, noAnswer, optV0}, []string{ad, `OPT=100`, noAA}},
	{"8.2.7 DO", "+nocookie +edns=0 +noad +norec +dnssec a.org soa", []string{noError, aa, soa, optV0, `flags: do`}, []string{ad}},
	{"8.2.8 version 1 with DO", "+nocookie +edns=1 +noednsneg +noad +norec +dnssec a.org soa", []string{`status: BADVERS`, noAnswer, optV0}, []string{ad, noAA}},
	{"8.2.9 several options", "+edns=0 +noad +norec +cookie +nsid +expire +subnet=0.0.0.0/0 a.org soa", []string{noError, aa, soa, optV0, `COOKIE: [0-9a-f]{48} \(good\)`, `(?i)NSID: 6e 73 31`}, []string{ad}},
	{"8.2.10 truncated", "+nocookie +norec +ignore +dnssec +bufsize=512 big.a.org txt", []string{noError, `flags: [a-z ]*\btc\b`, optV0}, nil},
	{"over TCP after that", "+nocookie +norec +dnssec +bufsize=512 big.a.org txt", []string{noError, `\(TCP\)`, `ANSWER: 40,`}, []string{`flags: [a-z ]*\btc\b`}},
	{"DN7 version.bind", "+norec version.bind txt ch", []string{`status: REFUSED`, noAnswer}, []string{`(?i)quill`}},
	{"DN7 version.server", "+norec version.server txt ch", []string{`status: REFUSED`, noAnswer}, []string{`(?i)quill`}},
	{"DN7 id.server", "+norec id.server txt ch", []string{`status: REFUSED`, noAnswer}, []string{`(?i)quill`}},
	{"DN7 hostname.bind", "+norec hostname.bind txt ch", []string{`status: REFUSED`, noAnswer}, []string{`(?i)quill`}},
	{"DN7 HS", "+norec a.org txt hs", []string{`status: REFUSED`, noAnswer}, nil},
	{"DN7 class ANY", "+norec -c any a.org txt", []string{`status: REFUSED`, noAnswer}, nil},
	{"DN9 IXFR over UDP", "+norec +notcp a.org ixfr=1", []string{soa}, nil},
}

// kdig has other words for some options and outputs.
var byKdig = []expectation{
	{"server up", "+noedns +nord a.org soa", []string{noError, aa, soa}, []string{opt, ad}},
	{"unknown type", "+noedns +nord a.org type1000", []string{noError, aa, `ANSWER: 0;`}, []string{opt}},
	{"TCP", "+noedns +nord +tcp a.org soa", []string{noError, aa, soa, `\(TCP\)`}, nil},
	{"EDNS", "+edns=0 +nord a.org soa", []string{noError, aa, soa, optV0}, nil},
	{"EDNS version 1", "+edns=1 +nord a.org soa", []string{`(?i)ext-rcode: BADVERS`}, []string{aa}},
	{"unknown option", "+edns=0 +nord +ednsopt=100:0102 a.org soa", []string{noError, aa, soa, optV0}, []string{`(?i)option \(100\)`}},
	{"DO", "+edns=0 +dnssec +nord a.org soa", []string{noError, aa, soa, `flags: do`}, nil},
	{"cookie", "+cookie +badcookie +nord a.org soa", []string{noError, aa, soa, `(?i)COOKIE: [0-9a-f]+`}, nil},
	{"NSID", "+nsid +nord a.org soa", []string{noError, `(?i)NSID: .*ns1`}, nil},
	{"truncated", "+nord +ignore +bufsize=512 big.a.org txt", []string{noError, `(?i)flags: [a-z ]*\btc\b`}, []string{`(?i)malformed`}},
	{"version.bind", "+nord version.bind txt ch", []string{`status: REFUSED`}, []string{`(?i)quill`}},
	{"AXFR", "axfr a.org", []string{`(?i)REFUSED`}, nil},
}

// TestRFC8906: Debian's dig and kdig see what RFC 8906 wants them to, over IPv4
// and IPv6.
func TestRFC8906(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText+bigText())
	p := start(t, dir, "127.0.0.1,::1", nil, "NSID=ns1")
	go func() {
		for {
			if _, err := p.log.ReadString('\n'); err != nil {
				return
			}
		}
	}()
	_, port, _ := net.SplitHostPort(p.addr)
	for _, ip := range []string{"127.0.0.1", "::1"} {
		for program, all := range map[string][]expectation{"dig": rfc8906, "kdig": byKdig} {
			for _, e := range all {
				e.check(t, program, "@"+ip, port)
			}
		}
	}
}

// check runs one command.
func (e expectation) check(t *testing.T, program, server, port string) {
	t.Helper()
	args := append([]string{server, "-p", port, "+time=3", "+retry=0"}, strings.Fields(e.args)...)
	out, err := exec.Command(program, args...).CombinedOutput()
	if _, ran := err.(*exec.ExitError); err != nil && !ran {
		t.Fatal(err)
	}
	for _, w := range e.want {
		if !regexp.MustCompile(w).Match(out) {
			t.Errorf("%s %s: %s: no %s in\n%s", program, server, e.section, w, out)
		}
	}
	for _, w := range append(e.never, `(?i)malformed`, `(?i)timed out`, `(?i)WARNING: (ID|question|response)`) {
		if regexp.MustCompile(w).Match(out) {
			t.Errorf("%s %s: %s: %s in\n%s", program, server, e.section, w, out)
		}
	}
}

// bigText is 40 strings for big.a.org.
func bigText() string {
	var b strings.Builder
	for i := range 40 {
		b.WriteString("'big.a.org:" + strings.Repeat(string(rune('a'+i%26)), 20+i) + "\n")
	}
	return b.String()
}
