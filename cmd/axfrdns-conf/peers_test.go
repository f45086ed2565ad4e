// SPDX-License-Identifier: ISC

//go:build peers

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPeer: Debian's program makes the same folder, but for where axfrdns is and
// how much memory it may have.
func TestPeer(t *testing.T) {
	const path = "/usr/sbin/axfrdns-conf"
	if _, err := os.Stat(path); err != nil {
		t.Fatal("no axfrdns-conf of djbdns: install Debian's package djbdns-conf")
	}
	made := func(cmd func(args ...string) *exec.Cmd) string {
		dir := filepath.Join(t.TempDir(), "axfrdns")
		if out, err := cmd("dns", logger(t), dir, "/etc/tinydns", "127.0.0.1").CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		return tree(t, dir)
	}
	exe, _ := os.Executable()
	got := made(func(args ...string) *exec.Cmd { return ours(t, args...) })
	got = strings.NewReplacer("-d200000000", "-d400000", filepath.Dir(exe)+"/axfrdns", "/usr/sbin/axfrdns").Replace(got)
	if want := made(func(args ...string) *exec.Cmd { return exec.Command(path, args...) }); got != want {
		t.Errorf("made\n%s\nwant\n%s", got, want)
	}
}
