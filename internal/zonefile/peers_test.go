// SPDX-License-Identifier: ISC

//go:build peers

package zonefile

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPeerReaders: named-checkzone and ldns-read-zone take an exported zone, and
// what BIND makes of it is what came in.
func TestPeerReaders(t *testing.T) {
	m := compile(t, sample+hidden)
	text, _ := export(t, m, "ex.org")
	file := filepath.Join(t.TempDir(), "zone")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"named-checkzone", "-k", "ignore", "-i", "local", "ex.org", file}, {"ldns-read-zone", "-c", file}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%q: %v\n%s\n%s", args, err, out, text)
		}
	}
	out, err := exec.Command("named-checkzone", "-q", "-k", "ignore", "-i", "none", "-D", "-o", "-", "ex.org", file).Output()
	if err != nil {
		t.Fatalf("named-checkzone -D: %v", err)
	}
	var theirs, ours bytes.Buffer
	_, err1 := Import(bytes.NewReader(out), "theirs", "", &theirs)
	_, err2 := Import(strings.NewReader(text), "ours", "", &ours)
	if err1 != nil || err2 != nil {
		t.Fatalf("Import: %v, %v\n%s", err1, err2, out)
	}
	got, want := set(t, compile(t, theirs.String())), set(t, compile(t, ours.String()))
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("BIND reads\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
