// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTransferDebian: Debian's axfr-get fetches from our axfrdns, under Debian's
// tcpserver with rules in tcp.cdb, in both modes, and from tinydns; all get the
// same lines, and ours the same. A client without a rule gets nothing.
func TestTransferDebian(t *testing.T) {
	p := newPrimary(t, strings.Replace(zoneOf(5), "S_imaps", "#", 1), map[string]string{"transfer": "ex.test:127.0.0.0/8\n"})
	rules := exec.Command(program("tcprules"), filepath.Join(p.dir, "tcp.cdb"), filepath.Join(p.dir, "tcp.tmp"))
	rules.Stdin = strings.NewReader("127.0.0.1:allow,AXFR=\"other.test/ex.test\"\n127.0.0.2:allow,AXFR=\"other.test\"\n:deny\n")
	if out, err := rules.CombinedOutput(); err != nil {
		t.Fatalf("tcprules: %v %s", err, out)
	}
	fetch := func(get, from, ip, port string) string {
		t.Helper()
		os.Remove(filepath.Join(p.dir, "zone"))
		os.Remove(filepath.Join(p.dir, "zone.tmp")) // of root, whom ours does not stay
		cmd := exec.Command("tcpclient", "-RHl0", "-i", from, ip, port, get, "ex.test", "zone", "zone.tmp")
		cmd.Dir = p.dir
		out, err := cmd.CombinedOutput()
		text, rerr := os.ReadFile(filepath.Join(p.dir, "zone"))
		if (err == nil) != (rerr == nil) {
			t.Errorf("%s: %v %s; %v", get, err, out, rerr)
		}
		return string(text)
	}
	want := fetch("/usr/sbin/axfr-get", "127.0.0.1", p.ip, p.port)
	if !strings.HasPrefix(want, "#5 auto axfr-get\nZex.test:") || strings.Count(want, "\n") < 10 {
		t.Fatalf("Debian's axfr-get has %q", want)
	}
	if got := fetch(program("axfr-get"), "127.0.0.1", p.ip, p.port); got != want {
		t.Errorf("ours has\n%s\nwant\n%s", got, want)
	}
	for _, mode := range []string{"rfc", "djb"} {
		port := onPort(t, primaryIP)
		daemon(t, []string{"ROOT=" + p.dir, "UID=65534", "GID=65534", "ANSWERS=" + mode}, "/usr/bin/tcpserver", "-RHl0", "-x", filepath.Join(p.dir, "tcp.cdb"), primaryIP, port, program("axfrdns"))
		until(t, " 5 ", "dig", "+short", "+tcp", "+tries=1", "+timeout=1", "-b", "127.0.0.1", "+noedns", "+norecurse", "@"+primaryIP, "-p", port, "ex.test", "soa")
		for _, get := range []string{"/usr/sbin/axfr-get", program("axfr-get")} {
			got := fetch(get, "127.0.0.1", primaryIP, port)
			if mode == "djb" { // which sends what belongs to the child zone too
				got = strings.Replace(got, "+www.c.ex.test:1.1.1.3:86400\n", "", 1)
			}
			if sorted(got) != sorted(want) {
				t.Errorf("%s from axfrdns (%s):\n%s\nwant\n%s", get, mode, got, want)
			}
			if got := fetch(get, "127.0.0.2", primaryIP, port); got != "" {
				t.Errorf("%s without a rule: %s", get, got)
			}
		}
	}
}

// sorted is text with its lines in order.
func sorted(text string) string {
	all := strings.Split(text, "\n")
	slices.Sort(all)
	return strings.Join(all, "\n")
}
