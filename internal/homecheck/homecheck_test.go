// SPDX-License-Identifier: ISC

package homecheck

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDefects: each defect of a home is named, with what to do.
func TestDefects(t *testing.T) {
	home := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("control/me", "", 0o644)
	write("control/locals", "testingsmtp.org\n", 0o644)
	write("control/concurrencylocal", "99999999999999999999999\n", 0o644)
	write("users/passwd", "bad line\na@testingsmtp.org:{PLAIN}x:0:0::/none:\nb@else.example:{ROT13}x:7:7::/none:\n", 0o644)
	write("users/assign", "=x:x:1:1:/x:::\n", 0o644)
	write("dns/data", "+a:1.2.3.4\n", 0o644)
	var all strings.Builder
	for _, d := range Check(home) {
		if d.What == "" || d.Do == "" {
			t.Errorf("defect without words: %+v", d)
		}
		all.WriteString(d.What + " | " + d.Do + "\n")
	}
	for _, want := range []string{"control/me is empty", "control/rcpthosts is missing", "control/concurrencylocal: ", "users/passwd line 1: ", "users/passwd can be read by others",
		"users/assign does not end", "users/cdb: ", "mail is never delivered as root", "account b@else.example: its domain is not this host's", "account b@else.example: unknown or malformed secret",
		"account a@testingsmtp.org: stat /none/Maildir/new", "queue: ", "dns/data.cdb: "} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no defect says %q:\n%s", want, &all)
		}
	}
	if d := Check(filepath.Join(home, "none")); len(d) != 1 || !strings.Contains(d[0].What, "none") {
		t.Errorf("Check of no home = %+v; want one defect that names it", d)
	}
}
