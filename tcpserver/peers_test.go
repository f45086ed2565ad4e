// SPDX-License-Identifier: ISC

//go:build peers

package tcpserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"quill/internal/cdb"
)

// peerRules is what both understand the same way.
var peerRules = []string{
	"1.2.3.4:deny\n", ":deny\n", "# :deny\n\n", "no colon\n", "1.2.3.4:allow \t\n:deny\n", "1.2.3.:deny\n1.2.3.4:allow\n", "1.:deny\n1.2.:allow\n",
	"1.2.3.1-5:deny\n", "1.1-9.:deny\n", "1.2.3.5-1:deny\n", "1-2.:deny\n", "1.2.3.4-400:deny\n", "joe@1.2.3.4:deny\n", "joe@=a.example:deny\n", "=a.example:deny\n", "=.example:deny\n", "=:deny\n",
	"1.2.3.4:allow,A=\"x\",B=/y:deny/,C=zz\n", "1.2.3.4:allow,A=\"x:deny\"\n", "1.2.3.4:deny,A=\"\"\n", "1.2.3.4:allow\n1.2.3.4:deny\n",
	"1.2.3.4:maybe\n", "1.2.3.4:allowed\n", "1.2.3.4:allow,A\n", "1.2.3.4:allow,A=\"x\n", "1.2.3.4:allow,\n", "1.2.3.4:allow,A=\n", "1.2.3.4:\n", "1.2.3.x-5:deny\n", "a-b:deny\n", "1.2.3.4-5-6:deny\n", "joe-1@1.2.3.4:deny\n", "=a-b.example:deny\n", "1.2-3.4-5:deny\n",
	"=h:x:deny\n", "1.2.3.4:deny", ":allow\n1.2.3.4:deny,X=.a.\n",
}

var peerClients = [][3]string{{"1.2.3.4", "", ""}, {"1.2.3.5", "a.example", ""}, {"1.2.3.4", "a.example", "joe"}, {"1.20.3.4", "b.example", "jim"}, {"2.2.3.4", "", "joe"}, {"9.9.9.9", "", ""}}

// TestPeerRules: Debian's tcprules takes and refuses the same rules, and both
// read each other's databases alike, as tcprulescheck tells.
func TestPeerRules(t *testing.T) {
	if _, err := exec.LookPath("/usr/bin/tcprules"); err != nil {
		t.Fatalf("%v; .ci/run names the packages", err)
	}
	for _, text := range peerRules {
		dir := t.TempDir()
		ours, theirs := filepath.Join(dir, "ours"), filepath.Join(dir, "theirs")
		cmd := exec.Command("/usr/bin/tcprules", theirs, theirs+".tmp")
		cmd.Stdin = strings.NewReader(text)
		out, _ := cmd.CombinedOutput()
		err := rules(t, ours, text)
		if (err == nil) != cmd.ProcessState.Success() {
			t.Errorf("rules %q: %v; Debian's: %v %s", text, err, cmd.ProcessState, out)
		}
		if err != nil || !cmd.ProcessState.Success() {
			continue
		}
		for _, c := range peerClients {
			want := check(t, theirs, c)
			for _, file := range []string{ours, theirs} {
				if got := check(t, file, c); got != want {
					t.Errorf("rules %q, client %q: Debian's tcprulescheck says %q of %s; want %q", text, c, got, filepath.Base(file), want)
				}
				m, err := cdb.Open(file)
				if err != nil {
					t.Fatal(err)
				}
				v, err := Search(m, c[0], c[1], c[2])
				if deny := strings.Contains(want, "deny connection"); err != nil || v.Deny != deny || v.Found != !strings.HasPrefix(want, "default:") || !deny && len(v.Env) != strings.Count(want, "set environment") {
					t.Errorf("rules %q, client %q: %+v, %v in %s; want %q", text, c, v, err, filepath.Base(file), want)
				}
			}
		}
	}
}

// check is what Debian's tcprulescheck says.
func check(t *testing.T, file string, client [3]string) string {
	t.Helper()
	cmd := exec.Command("/usr/bin/tcprulescheck", file)
	cmd.Env = append(os.Environ(), "TCPREMOTEIP="+client[0])
	if client[1] != "" {
		cmd.Env = append(cmd.Env, "TCPREMOTEHOST="+client[1])
	}
	if client[2] != "" {
		cmd.Env = append(cmd.Env, "TCPREMOTEINFO="+client[2])
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
