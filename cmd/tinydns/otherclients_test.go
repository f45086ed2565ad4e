// SPDX-License-Identifier: ISC

//go:build peers

package main

import (
	"net"
	"os/exec"
	"strings"
	"testing"
)

// TestOtherClients: dig, kdig, drill and delv read the same answers from us.
func TestOtherClients(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, ".a.org:192.0.2.1:ns1.a.org\n@a.org:192.0.2.2:mx1.a.org:10\n+www.a.org:192.0.2.3\n3www.a.org:20010db8000000000000000000000003\n"+
		"'a.org:v=spf1 mx -all\n!_443._tcp.www.a.org:TLSA:::: 3 1 1 "+strings.Repeat("ab", 32)+"\n!a.org:CAA:::: 0 issue \"ca.example\"\nCweb.a.org:www.a.org\n+*.w.a.org:192.0.2.4\n&sub.a.org:192.0.2.5:ns.sub.a.org\n")
	p := start(t, dir, "127.0.0.1", nil)
	host, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		t.Fatal(err)
	}
	at := "@" + host
	clients := map[string][]string{
		"dig":   {"dig", at, "-p", port, "+noall", "+answer", "+norec"},
		"kdig":  {"kdig", at, "-p", port, "+noall", "+answer", "+nord"},
		"drill": {"drill", "-p", port, "-o", "rd"},
		"delv":  {"delv", at, "-p", port, "-i", "+noall"},
	}
	for _, q := range []struct{ name, kind, want string }{
		{"www.a.org", "A", "192.0.2.3"}, {"www.a.org", "AAAA", "2001:db8::3"}, {"a.org", "MX", "10 mx1.a.org."}, {"a.org", "TXT", "v=spf1 mx -all"},
		{"a.org", "NS", "ns1.a.org."}, {"x.w.a.org", "A", "192.0.2.4"}, {"web.a.org", "A", "192.0.2.3"}, {"_443._tcp.www.a.org", "TLSA", "3 1 1 abababab"}, {"a.org", "CAA", "0 issue \"ca.example\""},
	} {
		for client, command := range clients {
			args := append(append([]string(nil), command[1:]...), q.name, q.kind)
			if client == "drill" {
				args = append(append([]string(nil), command[1:]...), q.name, at, q.kind)
			}
			out, err := exec.Command(command[0], args...).CombinedOutput()
			said := strings.ToLower(strings.Join(strings.Fields(string(out)), " "))
			if err != nil || !strings.Contains(said, strings.ToLower(q.want)) {
				t.Errorf("%s %s: %v\n%s\nwant %s", command[0], strings.Join(args, " "), err, out, q.want)
			}
		}
	}
}
