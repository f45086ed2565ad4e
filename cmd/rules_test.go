// SPDX-License-Identifier: ISC

package cmd

import (
	"path/filepath"
	"testing"
)

// TestRules: tcprules and tcprulescheck agree about clients of both families, a
// bad line leaves the old rules, and a denied client gets no variables.
func TestRules(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.cdb")
	run(t, "2001:db8::/32:allow,A=\"x\"\n2001:db8:0:0::1:deny,A=\"x\"\n10.0.0.0/8:deny\n", program("tcprules"), path, path+".tmp")
	fails(t, 100, "10.0.0.0/40:deny\n", program("tcprules"), path, path+".tmp")
	for _, c := range []struct{ ip, want string }{
		{"2001:DB8::1", "rule 2001:db8::1:\ndeny connection\n"},
		{"2001:db8::2", "rule 2001:db8::/32:\nset environment variable A=x\nallow connection\n"},
		{"::ffff:10.1.2.3", "rule 10.0.0.0/8:\ndeny connection\n"},
		{"11.1.2.3", "default:\nallow connection\n"},
	} {
		t.Setenv("TCPREMOTEIP", c.ip)
		if got := run(t, "", program("tcprulescheck"), path); got != c.want {
			t.Errorf("tcprulescheck with TCPREMOTEIP=%s: %q; want %q", c.ip, got, c.want)
		}
	}
}
