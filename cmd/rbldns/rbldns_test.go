// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"quill/internal/cdb"
	"quill/internal/dnsdaemon/daemontest"
	"quill/internal/dnsrbl"
)

func TestMain(m *testing.M) { daemontest.Main(m, main) }

// Types of records.
const (
	typeA   = 1
	typeTXT = 16
	typeANY = 255
)

const sample = "127.0.0.2\n10.0.0.0/8\n[2001:db8::]/32\n"

// publish makes data.cdb of text in dir, by rename.
func publish(t *testing.T, dir, text string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "data.tmp"))
	if err != nil {
		t.Fatal(err)
	}
	w := cdb.NewWriter(f)
	if err := errors.Join(dnsrbl.Compile(strings.NewReader(text), w.Put), w.Finish(), f.Close(), os.Rename(f.Name(), filepath.Join(dir, dataFile))); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, dir string, env ...string) *daemontest.Process {
	t.Helper()
	return daemontest.Start(t, prog, dir, append([]string{"BASE=rbl.example"}, env...)...)
}

func TestServes(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, sample)
	p := start(t, dir, "IP=127.0.0.1,::1")
	p.Confined(t)
	for _, network := range []string{"udp", "tcp"} {
		if got := daemontest.Ask(t, network, p.Addr, "4.3.2.10.RBL.example.", typeANY); got != `127.0.0.2 "Listed 10.2.3.4"` {
			t.Errorf("%s: %s", network, got)
		}
		p.Expect(t, `^7f000001:[0-9a-f]{4}:1234 \+ 00ff 4\.3\.2\.10\.rbl\.example$`)
	}
	if got := daemontest.Ask(t, "udp", net.JoinHostPort("::1", p.Port), "1.0.0.127.rbl.example.", typeA); got != "NXDOMAIN" {
		t.Errorf("127.0.0.1 at ::1: %s", got)
	}
	p.Expect(t, `^0{31}1:[0-9a-f]{4}:1234 \+ 0001 1\.0\.0\.127\.rbl\.example$`)
	if got := daemontest.Ask(t, "udp", p.Addr, `x\032.`, typeA); got != "REFUSED" {
		t.Errorf("another name: %s", got)
	}
	p.Expect(t, `^7f000001:[0-9a-f]{4}:1234 - 0001 x\\040$`)
	p.Stop(t, syscall.SIGTERM)
}

// TestClassic: ANSWERS=djb, here in that names below the base that are no
// addresses are refused.
func TestClassic(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, sample)
	p := start(t, dir, "ANSWERS=djb", "BASE=")
	for name, want := range map[string]string{"127.": "REFUSED", "2.0.0.127.": "127.0.0.2", "1.0.0.127.": "NXDOMAIN"} {
		if got := daemontest.Ask(t, "udp", p.Addr, name, typeA); got != want {
			t.Errorf("%s = %s; want %s", name, got, want)
		}
		p.Expect(t, `^7f000001:[0-9a-f]{4}:1234 \+ 0001 `)
	}
	p.Stop(t, syscall.SIGINT)
}

// TestReplaced: a new data.cdb is used at once; one that is broken, or none, gives
// SERVFAIL until there is one that can be read.
func TestReplaced(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "LOG=off")
	ask := func(want string) {
		t.Helper()
		for got, end := "", time.Now().Add(5*time.Second); got != want; {
			if got = daemontest.Ask(t, "udp", p.Addr, "1.0.0.127.rbl.example.", typeA); time.Now().After(end) {
				t.Fatalf("%s after 5 s; want %s", got, want)
			}
		}
	}
	ask("SERVFAIL")
	for i := range 5 {
		publish(t, dir, fmt.Sprintf(":127.0.1.%d:x\n127.0.0.0/8\n", i))
		ask(fmt.Sprintf("127.0.1.%d", i))
		broken := []string{"", "short", strings.Repeat("\xff", 4096), strings.Repeat("\x00\x08\x00\x00", 512), strings.Repeat("\x00\x08\x00\x00\x01\x00\x00\x00", 512)}[i]
		if err := errors.Join(os.WriteFile(dir+"/bad", []byte(broken), 0o644), os.Rename(dir+"/bad", filepath.Join(dir, dataFile))); err != nil {
			t.Fatal(err)
		}
		if i < 4 {
			ask("SERVFAIL")
		} else {
			ask("NXDOMAIN") // a database without records
		}
	}
	if err := os.Remove(filepath.Join(dir, dataFile)); err != nil {
		t.Fatal(err)
	}
	ask("SERVFAIL")
	publish(t, dir, sample)
	ask("NXDOMAIN")
}

// TestCutShort: data.cdb is cut short in place, against all advice; the process
// lives, and is well again with the next.
func TestCutShort(t *testing.T) {
	dir := t.TempDir()
	var text strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&text, "11.0.%d.%d\n", i/256, i%256)
	}
	publish(t, dir, text.String())
	p := start(t, dir, "LOG=off")
	if got := daemontest.Ask(t, "udp", p.Addr, "0.0.0.11.rbl.example.", typeA); got != "127.0.0.2" {
		t.Fatalf("before the cut: %s", got)
	}
	if err := os.Truncate(filepath.Join(dir, dataFile), 2048); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i := range 50 {
		if daemontest.Ask(t, "udp", p.Addr, fmt.Sprintf("%d.0.0.11.rbl.example.", i), typeA) == "SERVFAIL" {
			failed++
		}
	}
	if failed == 0 {
		t.Error("no question failed; the cut was not noticed")
	}
	publish(t, dir, sample)
	time.Sleep(lookEvery + lookEvery/4)
	if got := daemontest.Ask(t, "tcp", p.Addr, "2.0.0.127.rbl.example.", typeTXT); got != `"Listed 127.0.0.2"` {
		t.Errorf("with data mended: %s", got)
	}
}

// TestServers: NS.
func TestServers(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, sample)
	p := start(t, dir, "LOG=off", "NS=a.ns.example/b.ns.example")
	if got := daemontest.Ask(t, "udp", p.Addr, "rbl.example.", 2); got != "a.ns.example. b.ns.example." {
		t.Errorf("NS = %s", got)
	}
	if got := daemontest.Ask(t, "udp", p.Addr, "rbl.example.", 6); !strings.HasPrefix(got, "a.ns.example. hostmaster.rbl.example. ") {
		t.Errorf("SOA = %s", got)
	}
}

// TestRefusesToStart: 111 and what is wrong.
func TestRefusesToStart(t *testing.T) {
	dir := t.TempDir()
	good := func(more ...string) []string {
		return append([]string{"IP=127.0.0.1", "PORT=" + daemontest.FreePort(t), "ROOT=" + dir, "UID=61203", "GID=61203"}, more...)
	}
	for _, c := range []struct {
		want string
		env  []string
	}{
		{"$IP not set", []string{"BASE=x"}}, {"$ROOT not set", good("ROOT=", "BASE=x")}, {"unable to chdir to /no/such: ", good("ROOT=/no/such", "BASE=x")}, {"$BASE not set", good()},
		{"unable to parse $BASE", good("BASE=" + strings.Repeat("x", 64))}, {`$ANSWERS is "new": want djb`, good("BASE=x", "ANSWERS=new")},
		{"unable to parse $NS: " + strings.Repeat("x", 64), good("BASE=x", "NS="+strings.Repeat("x", 64))}, {"unable to parse $NS: 14 names; at most 13", good("BASE=x", "NS="+strings.Repeat("a/", 14))},
	} {
		if code, said := daemontest.Fails(t, c.env...); code != 111 || !strings.HasPrefix(said, "rbldns: fatal: "+c.want) {
			t.Errorf("with %q: %d %q; want 111 %q", c.env, code, said, c.want)
		}
	}
	if os.Geteuid() == 0 {
		if code, said := daemontest.Fails(t, good("BASE=x", "UID=")...); code != 111 || !strings.Contains(said, "UID and GID") {
			t.Errorf("root without UID: %d %q", code, said)
		}
	}
}
