// SPDX-License-Identifier: ISC

//go:build peers

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// peer is Debian's program.
func peer(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"/usr/bin", "/usr/sbin"} {
		if path := filepath.Join(dir, "tinydns-edit"); exists(path) {
			return path
		}
	}
	t.Fatal("no tinydns-edit of djbdns: install Debian's package tinydns")
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// shared is a folder in memory, where this machine has such: the programs sync.
func shared(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "quill-edit")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestPeerCases: the cases of TestEdit, and modes of files.
func TestPeerCases(t *testing.T) {
	program, dir := peer(t), t.TempDir()
	for _, c := range cases {
		for _, mode := range []os.FileMode{0o664, 0o600, 0o755} {
			args := append([]string{"data", "data.new"}, strings.Fields(c.args)...)
			if got, want := run(t, "", dir, c.text, mode, args...), run(t, program, dir, c.text, mode, args...); got != want {
				t.Errorf("%s on %.60q = %+v; want %+v", c.args, c.text, got, want)
			}
		}
	}
}

// TestPeerGenerated: additions to files put together at random.
func TestPeerGenerated(t *testing.T) {
	program, dir := peer(t), shared(t)
	g := rand.New(rand.NewPCG(53, 1991))
	pick := func(of ...string) string { return of[g.IntN(len(of))] }
	seen := map[int]int{}
	for range 1500 {
		var b strings.Builder
		for range g.IntN(12) {
			fmt.Fprintf(&b, "%s%s:%s:%s:%s:%s", pick(".", "&", "=", "+", "@", "#", "-", "'", "C", "x"), pick("ex.org", "EX.org", "a.ex.org", "ex..org.", "*.ex.org", `e\170.org`, "", strings.Repeat("l", 63)),
				pick("1.2.3.4", "192.0.2.1", "1.2.3", "257.2.3.4", "", "1.2.3.4\x00"), pick("a", "b", "c", "", "a.ns.ex.org", "B.mx.ex.org", "z", "x.y", ".", `\141`), pick("", "60", "60x", "0", "18446744073709551616", " "), pick("", "70", "x", "99999999999"))
			b.WriteString(pick("\n", "\n", "\n", " \n", "\t \n", "\n\n", "\r\n", ":::::::::::\n", ""))
		}
		if g.IntN(4) == 0 {
			b.WriteString(strings.Repeat(pick("# comment\n", "+x:1.2.3.4\n", "y"), g.IntN(3000)))
		}
		args := []string{"data", "data.new", "add", pick("ns", "childns", "host", "alias", "mx"), pick("ex.org", "Ex.Org.", "a.ex.org", `ex\056org`, ".", "*.ex.org", "l.ex.org"), pick("1.2.3.4", "192.0.2.9", "1.2.3.260", "1.2.3.4x")}
		got, want := run(t, "", dir, b.String(), 0o644, args...), run(t, program, dir, b.String(), 0o644, args...)
		if got != want {
			t.Fatalf("%q on %q = %+v; want %+v", args, b.String(), got, want)
		}
		seen[got.code]++
	}
	if seen[0] < 50 || seen[100] < 50 {
		t.Errorf("exit codes %v; want many of 0 and 100", seen)
	}
	t.Logf("exit codes %v", seen)
}
