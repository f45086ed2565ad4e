// SPDX-License-Identifier: ISC

//go:build peers

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestPeer: Debian's program makes the same folder, but for what the two run
// scripts say.
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
		for _, script := range []string{"run", "log/run"} {
			if err := os.Truncate(filepath.Join(dir, script), 0); err != nil {
				t.Fatal(err)
			}
		}
		return tree(t, dir)
	}
	got := made(func(args ...string) *exec.Cmd { return ours(t, args...) })
	if want := made(func(args ...string) *exec.Cmd { return exec.Command(path, args...) }); got != want {
		t.Errorf("made\n%s\nwant\n%s", got, want)
	}
}
