// SPDX-License-Identifier: ISC

//go:build peers

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// peer is Debian's axfrdns, with the same variables.
func peer(t testing.TB, dir string, env ...string) *exec.Cmd {
	t.Helper()
	const path = "/usr/sbin/axfrdns"
	if _, err := os.Stat(path); err != nil {
		t.Fatal("no axfrdns of djbdns: install Debian's package axfrdns")
	}
	cmd := exec.Command(path)
	cmd.Env = ours(t, dir, env...).Env
	return cmd
}

// same wants one conversation with both programs to be equal to the byte: what
// is sent, what is logged, the exit code.
func same(t *testing.T, dir, why string, in []byte, env ...string) said {
	t.Helper()
	want := talk(t, peer(t, dir, env...), in)
	got := talk(t, ours(t, dir, append(env, "ANSWERS=djb")...), in)
	if got != want {
		t.Errorf("%s:\n%q %q %d\nwant\n%q %q %d", why, got.out, got.log, got.code, want.out, want.log, want.code)
	}
	return want
}

func noRD(m *dns.Msg) { m.RecursionDesired = false }

// TestPeerOrdinary: questions of all kinds, and what axfrdns dies of.
func TestPeerOrdinary(t *testing.T) {
	dir := folder(t)
	publish(t, dir, zone+".c.ex.test:1.1.1.1:a\n+*.w.ex.test:1.1.1.2\n@ex.test:1.1.1.3:m:5\nCalias.ex.test:www.ex.test\n'big.ex.test:"+strings.Repeat("0123456789", 60)+"\n&d.ex.test:2.2.2.2:ns\nSs.ex.test::www.ex.test:25:1:2\n%in:192.0.2\n+l.ex.test:9.9.9.9:60::in\n+l.ex.test:9.9.9.8:60::ex\n")
	for _, name := range []string{"ex.test.", "www.EX.test.", "x.w.ex.test.", "alias.ex.test.", "big.ex.test.", "d.ex.test.", "x.d.ex.test.", "c.ex.test.", "s.ex.test.", "no.ex.test.", "l.ex.test.", "other.org.", "."} {
		for _, kind := range []uint16{dns.TypeA, dns.TypeNS, dns.TypeMX, dns.TypeSOA, dns.TypeTXT, dns.TypeSRV, dns.TypeANY, dns.TypeIXFR} {
			same(t, dir, fmt.Sprintf("%s %d", name, kind), framed(ask(name, kind), ask(name, kind, noRD)))
		}
	}
	plain := ask("www.ex.test.", dns.TypeA)
	with := func(at int, b ...byte) []byte { p := append([]byte(nil), plain...); copy(p[at:], b); return p }
	for why, p := range map[string][]byte{
		"nothing": {}, "short": plain[:11], "header": plain[:12], "no type": plain[:len(plain)-3], "QR": with(2, 0x80), "opcode": with(2, 0x10), "AA": with(2, 4), "TC": with(2, 2), "other flags": with(3, 0xff),
		"no question": with(4, 0, 0), "two questions": with(4, 0, 2), "class ANY": with(len(plain)-1, 255), "class CH": with(len(plain)-1, 3), "name loop": with(12, 0xc0, 12), "label": with(12, 0x80),
		"512 bytes": append(with(0), make([]byte, 512-len(plain))...), "513 bytes": append(with(0), make([]byte, 513-len(plain))...),
		"EDNS": ask("www.ex.test.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(4096, true) }), "pointer": append(with(10), 0),
	} {
		same(t, dir, why, framed(p, plain))
	}
	same(t, dir, "half a question", framed(plain)[:20])
	same(t, dir, "no data", framed(plain, ask("ex.test.", dns.TypeAXFR)), "TCPREMOTEIP=x")
	if err := os.Remove(dir + "/data.cdb"); err != nil {
		t.Fatal(err)
	}
	same(t, dir, "no data.cdb", framed(plain))
	same(t, dir, "no data.cdb, AXFR", framed(ask("ex.test.", dns.TypeAXFR)))
}

// TestPeerTransfers: generated zones, with all that tinydns-data makes, to
// clients of several places.
func TestPeerTransfers(t *testing.T) {
	dir := folder(t)
	names := []string{"ex.test", "a.ex.test", "*.ex.test", "b.a.ex.test", "*.a.ex.test", "c.ex.test", "x.c.ex.test", "other.org", "test", "aex.test", `\052\001.ex.test`, "Ex.Test", ""}
	stamps := []string{"", "", "", ":4000000000000001", ":40000000f0000000"}
	random := rand.New(rand.NewPCG(5, 36))
	pick := func(list []string) string { return list[random.IntN(len(list))] }
	transfers := 0
	for range 150 {
		var b strings.Builder
		b.WriteString("%in:192.0.2\n%ex:10\n%xx\n")
		if random.IntN(2) == 0 {
			b.WriteString("Zex.test:m.x:r.x:9\n")
		}
		for range 1 + random.IntN(20) {
			n, ttl := pick(names), pick([]string{"", "0", "60", "4294967295"})
			tail := ttl + pick(stamps)
			if strings.Contains(tail, ":") {
				tail += pick([]string{"", ":in", ":ex", ":xx"})
			}
			switch random.IntN(9) {
			case 0:
				fmt.Fprintf(&b, ".%s:1.2.3.4:%s:%s\n", n, pick([]string{"a", "ns.x.y"}), tail)
			case 1:
				fmt.Fprintf(&b, "&%s::%s:%s\n", n, pick([]string{"a", "ns.x.y"}), tail)
			case 2:
				fmt.Fprintf(&b, "+%s:1.2.3.%d:%s\n", n, random.IntN(3), tail)
			case 3:
				fmt.Fprintf(&b, "@%s:1.2.3.5:mx:%d:%s\n", n, random.IntN(70000), tail)
			case 4:
				fmt.Fprintf(&b, "'%s:%s:%s\n", n, strings.Repeat("t", random.IntN(400)), tail)
			case 5:
				fmt.Fprintf(&b, "Z%s:m.x:r.x:%d::::%s\n", n, random.IntN(5), tail)
			case 6:
				fmt.Fprintf(&b, "C%s:Www.%s:%s\n", n, n, tail)
			case 7:
				fmt.Fprintf(&b, ":%s:%d:%s:%s\n", n, 16+random.IntN(400), pick([]string{"", "x", strings.Repeat("d", 3000)}), tail)
			default:
				fmt.Fprintf(&b, "S%s::srv.x:25:%s:%s:%s\n", n, "1", "2", tail)
			}
		}
		text := strings.ReplaceAll(b.String(), ":252:", ":251:")
		publish(t, dir, text)
		for _, z := range []string{"ex.test.", "c.ex.test.", "."} {
			want := same(t, dir, fmt.Sprintf("AXFR of %s from\n%s", z, text), framed(ask(z, dns.TypeAXFR, noRD), ask("EX.test.", dns.TypeAXFR)), pick([]string{"TCPREMOTEIP=192.0.2.9", "TCPREMOTEIP=10.1.2.3", "TCPREMOTEIP=1.1.1.1", "TCPREMOTEPORT="}))
			if t.Failed() {
				return
			}
			if want.code == 0 {
				transfers++
			}
		}
	}
	if transfers < 70 {
		t.Errorf("only %d transfers of these were complete", transfers)
	}
	t.Logf("%d transfers", transfers)
}
