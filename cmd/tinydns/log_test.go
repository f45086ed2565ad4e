// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/dnswire"
)

func TestLine(t *testing.T) {
	for _, c := range []struct {
		from string
		q    dnswire.Query
		want string
	}{
		{"127.0.0.1:53", dnswire.Query{ID: 0xabcd, Type: 1, Name: []byte("\x03wWw\x01a\x00")}, "7f000001:0035:abcd + 0001 www.a\n"},
		{"[2001:db8::1]:65535", dnswire.Query{Type: 0xffff, Name: []byte("\x00")}, "20010db8000000000000000000000001:ffff:0000 + ffff .\n"},
		{"1.2.3.4:1", dnswire.Query{}, "01020304:0001:0000 + 0000 .\n"},
		{"1.2.3.4:1", dnswire.Query{Type: 1, Name: []byte("\x08a.b\n\xff -_\x00")}, `01020304:0001:0000 + 0001 a\056b\012\377\040-_` + "\n"},
	} {
		if got := string(line(nil, netip.MustParseAddrPort(c.from), &c.q, '+')); got != c.want {
			t.Errorf("line(%s, %q) = %q; want %q", c.from, c.q.Name, got, c.want)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		line(make([]byte, 0, 128), netip.MustParseAddrPort("127.0.0.1:53"), &dnswire.Query{Name: []byte("\x01a\x00")}, '+')
	}); n > 1 {
		t.Errorf("line allocates %v times; want none but the test's own", n)
	}
}

// TestLastLines: all lines of questions that were answered are written before
// the end, and every one is there.
func TestLastLines(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil)
	all := make(chan string)
	go func() {
		b, _ := io.ReadAll(p.log)
		all <- string(b)
	}()
	if n, _ := volley(t, dial(t, "127.0.0.1", p.addr), 5000, 100, question(t, "www.a.org.", dns.TypeA)); n != 5000 {
		t.Errorf("%d of 5000 answered", n)
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	if n := strings.Count(<-all, " + 0001 www.a.org\n"); n != 5000 {
		t.Errorf("%d lines; want 5000", n)
	}
	p.stop(t, syscall.SIGTERM)
}

// TestSampled: one in so many.
func TestSampled(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil, "LOG=sampled:10")
	volley(t, dial(t, "127.0.0.1", p.addr), 1000, 50, question(t, "www.a.org.", dns.TypeA))
	p.cmd.Process.Signal(syscall.SIGTERM)
	b, _ := io.ReadAll(p.log)
	if n := bytes.Count(b, []byte("\n")); n != 100 {
		t.Errorf("%d lines of 1000 questions; want 100", n)
	}
}

// TestStalledLog: answers go on where nobody reads the log; the lines that were
// lost are counted, and it is said how many when somebody does.
func TestStalledLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	publish(t, dir, zoneText)
	at := "127.0.0.1:" + freePort(t)
	p := start(t, dir, "127.0.0.1", nil, "METRICS="+at)
	const n = 60000
	if got, _ := volley(t, dial(t, "127.0.0.1", p.addr), n, 100, question(t, "www.a.org.", dns.TypeA)); got != n {
		t.Errorf("%d of %d answered", got, n)
	}
	lost := sample(t, at, "tinydns_log_dropped_total")
	if lost < 1000 || lost > n {
		t.Errorf("%d lines lost; want some", lost)
	}
	said, kept := 0, 0
	for said == 0 {
		l, err := p.log.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if _, count, ok := strings.Cut(l, "nobody read it: "); ok {
			said, _ = strconv.Atoi(strings.TrimSpace(count))
		} else {
			kept++
		}
	}
	if said != lost || kept+lost > n {
		t.Errorf("says that %d are lost, after %d; want %d of %d", said, kept, lost, n)
	}
	if got := ask(t, "udp", p.addr, "a.org."); got != "NOERROR" {
		t.Errorf("afterwards: %s", got)
	}
}

// TestLogBreaks: a log whose reader has gone stops nothing; its lines are counted
// as lost.
func TestLogBreaks(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	at := "127.0.0.1:" + freePort(t)
	p := start(t, dir, "127.0.0.1", nil, "METRICS="+at)
	p.logEnd.Close()
	for range 3 {
		if got := ask(t, "udp", p.addr, "www.a.org."); got != "1.2.3.4" {
			t.Errorf("without a reader of the log: %s; want 1.2.3.4", got)
		}
		time.Sleep(2 * logEvery)
	}
	for end := time.Now().Add(5 * time.Second); sample(t, at, "tinydns_log_dropped_total") < 3; {
		if time.Now().After(end) {
			t.Fatal("lines that nobody can read are not counted")
		}
	}
	p.stop(t, syscall.SIGTERM)
}

// TestStalledLogLoads: a new data.cdb, and what is wrong with one, wait for no
// reader of the log.
func TestStalledLogLoads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil)
	volley(t, dial(t, "127.0.0.1", p.addr), 3000, 50, question(t, "www.a.org.", dns.TypeA)) // a pipe is full
	if err := errors.Join(os.WriteFile(dir+"/bad", []byte("bad"), 0o644), os.Rename(dir+"/bad", filepath.Join(dir, dataFile))); err != nil {
		t.Fatal(err)
	}
	time.Sleep(lookEvery + lookEvery/4)
	c := connect(t, p.addr)
	c.Write([]byte{0xff, 0xff, 0}) // too long, which is said, too
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("too long a question: %d, %v; want the end", n, err)
	}
	publish(t, dir, ".a.org:127.0.0.1:ns.a.org\n+www.a.org:4.3.2.1\n")
	await(t, "tcp", p.addr, "www.a.org.", "4.3.2.1")
}
