// SPDX-License-Identifier: ISC

package main

import (
	"strings"
	"syscall"
	"testing"

	"quill/internal/dnsdaemon/daemontest"
)

func TestMain(m *testing.M) { daemontest.Main(m, main) }

// Types of records.
const (
	typeA   = 1
	typePTR = 12
	typeMX  = 15
)

func TestServes(t *testing.T) {
	p := daemontest.Start(t, prog, t.TempDir())
	p.Confined(t)
	for _, network := range []string{"udp", "tcp"} {
		if got := daemontest.Ask(t, network, p.Addr, "4.3.2.1.in-addr.arpa.", typePTR); got != "4.3.2.1.in-addr.arpa." {
			t.Errorf("%s PTR = %s", network, got)
		}
		p.Expect(t, `^7f000001:[0-9a-f]{4}:1234 \+ 000c 4\.3\.2\.1\.in-addr\.arpa$`)
	}
	if got := daemontest.Ask(t, "udp", p.Addr, "4.3.2.1.in-addr.arpa.", typeA); got != "1.2.3.4" {
		t.Errorf("A = %s", got)
	}
	p.Expect(t, ` \+ 0001 `)
	if got := daemontest.Ask(t, "udp", p.Addr, "www.example.", typeA); got != "REFUSED" {
		t.Errorf("www.example = %s", got)
	}
	p.Expect(t, ` - 0001 www\.example$`)
	p.Stop(t, syscall.SIGTERM)
}

// TestClassic: ANSWERS=djb, here in that other types are refused.
func TestClassic(t *testing.T) {
	p := daemontest.Start(t, prog, t.TempDir(), "ANSWERS=djb")
	if got := daemontest.Ask(t, "udp", p.Addr, "4.3.2.1.in-addr.arpa.", typeMX); got != "REFUSED" {
		t.Errorf("MX = %s", got)
	}
	p.Expect(t, ` \+ 000f `)
	p.Stop(t, syscall.SIGINT)
}

// TestZones: BASE and NS.
func TestZones(t *testing.T) {
	p := daemontest.Start(t, prog, t.TempDir(), "LOG=off", "BASE=10.in-addr.arpa/8.b.d.0.1.0.0.2.ip6.arpa", "NS=ns.example")
	for name, want := range map[string]string{"10.in-addr.arpa.": "ns.example.", "8.b.d.0.1.0.0.2.ip6.arpa.": "ns.example.", "11.in-addr.arpa.": "REFUSED", "1.10.in-addr.arpa.": "NOERROR"} {
		if got := daemontest.Ask(t, "udp", p.Addr, name, 2); got != want {
			t.Errorf("NS of %s = %s; want %s", name, got, want)
		}
	}
}

// TestRefusesToStart: 111 and what is wrong.
func TestRefusesToStart(t *testing.T) {
	dir := t.TempDir()
	for want, more := range map[string]string{"$ROOT not set": "ROOT=", "unable to parse $BASE: " + strings.Repeat("x", 64): "BASE=" + strings.Repeat("x", 64), `$ANSWERS is "x"`: "ANSWERS=x", "unable to parse $NS": "NS=" + strings.Repeat("a.", 128)} {
		env := []string{"IP=127.0.0.1", "PORT=" + daemontest.FreePort(t), "ROOT=" + dir, "UID=61203", "GID=61203", more}
		if code, said := daemontest.Fails(t, env...); code != 111 || !strings.HasPrefix(said, "walldns: fatal: "+want) {
			t.Errorf("with %q: %d %q; want 111 %q", more, code, said, want)
		}
	}
}
