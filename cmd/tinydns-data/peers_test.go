// SPDX-License-Identifier: ISC

//go:build peers

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// peer is Debian's program.
func peer(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"/usr/bin", "/usr/sbin"} {
		path := filepath.Join(dir, "tinydns-data")
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatal("no tinydns-data of djbdns: install Debian's package tinydns")
	return ""
}

// left is what a run leaves.
type left struct {
	code          int
	message       string
	cdb, tmp      string
	cdbMode, mode os.FileMode
}

// leaves runs a program in a new folder that prepare has made ready.
func leaves(t *testing.T, program, text string, prepare func(dir string) error) (l left) {
	t.Helper()
	dir := t.TempDir()
	writeData(t, dir, text)
	stamp := time.Unix(1e9, 0)
	if err := os.Chtimes(dir+"/data", stamp, stamp); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/data.cdb", []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		if err := prepare(dir); err != nil {
			t.Fatal(err)
		}
	}
	if program == "" {
		l.code, l.message = run(t, dir)
	} else {
		cmd := exec.Command(program)
		cmd.Dir = dir
		out, _ := cmd.CombinedOutput()
		l.code, l.message = cmd.ProcessState.ExitCode(), string(out)
	}
	l.cdb, l.cdbMode = file(dir + "/data.cdb")
	l.tmp, l.mode = file(dir + "/data.tmp")
	return l
}

func file(path string) (string, os.FileMode) {
	st, err := os.Lstat(path)
	if err != nil {
		return "none", 0
	}
	if !st.Mode().IsRegular() {
		return "special", st.Mode()
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error(), st.Mode()
	}
	return string(b), st.Mode()
}

// TestPeerProgram: exit code, message, data.cdb, data.tmp and their modes, for
// files that are there, broken, or no files at all.
func TestPeerProgram(t *testing.T) {
	program := peer(t)
	for name, c := range map[string]struct {
		text    string
		prepare func(dir string) error
	}{
		"good": {".a:1.2.3.4:b\n'a:text\n", nil}, "empty": {"", nil}, "letter": {"+a:1.2.3.4\nx\n", nil}, "type": {":a:6:x", nil}, "port": {"Sa::x", nil}, "name": {"+" + strings.Repeat("a", 64), nil},
		"late error": {strings.Repeat("+a:1.2.3.4\n", 30000) + "x", nil}, "late name": {strings.Repeat("'a:text of some length\n", 4000) + "+" + strings.Repeat("a.", 128), nil},
		"block and one":    {"'a:" + strings.Repeat("x", 8100) + "\nx", nil},
		"no data":          {"", func(dir string) error { return os.Remove(dir + "/data") }},
		"data a folder":    {"", func(dir string) error { os.Remove(dir + "/data"); return os.Mkdir(dir+"/data", 0o700) }},
		"data a fifo":      {"", func(dir string) error { os.Remove(dir + "/data"); return syscall.Mkfifo(dir+"/data", 0o700) }},
		"data a loop":      {"", func(dir string) error { os.Remove(dir + "/data"); return os.Symlink("data", dir+"/data") }},
		"tmp a folder":     {"+a:1.2.3.4", func(dir string) error { return os.Mkdir(dir+"/data.tmp", 0o700) }},
		"tmp a fifo":       {"+a:1.2.3.4", func(dir string) error { return syscall.Mkfifo(dir+"/data.tmp", 0o700) }},
		"tmp full":         {"+a:1.2.3.4", func(dir string) error { return os.Symlink("/dev/full", dir+"/data.tmp") }},
		"tmp there":        {"+a:1.2.3.4", func(dir string) error { return os.WriteFile(dir+"/data.tmp", []byte(strings.Repeat("x", 9999)), 0o640) }},
		"cdb a folder":     {"+a:1.2.3.4", func(dir string) error { os.Remove(dir + "/data.cdb"); return os.Mkdir(dir+"/data.cdb", 0o700) }},
		"old time of data": {"Za:b:c", func(dir string) error { return os.Chtimes(dir+"/data", time.Unix(0, 0), time.Unix(0, 0)) }},
		"new time of data": {"Za:b:c", func(dir string) error { return os.Chtimes(dir+"/data", time.Unix(1<<32+5, 0), time.Unix(1<<32+5, 0)) }},
	} {
		if got, want := leaves(t, "", c.text, c.prepare), leaves(t, program, c.text, c.prepare); got != want {
			t.Errorf("%s: %d %q, data.cdb %.30q %v, data.tmp of %d bytes %v; want %d %q, %.30q %v, %d %v", name, got.code, got.message, got.cdb, got.cdbMode, len(got.tmp), got.mode, want.code, want.message, want.cdb, want.cdbMode, len(want.tmp), want.mode)
		}
	}
}

// TestPeerGet: djb's own lookups answer from our lines: the sample's records are
// ordinary ones.
func TestPeerGet(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile("../../etc/dns/mail.data")
	if err != nil {
		t.Fatal(err)
	}
	writeData(t, dir, string(text)+"!*.w.example.org:AAAA::::2001:db8::7\n")
	if code, message := run(t, dir); code != 0 {
		t.Fatalf("tinydns-data = %d %q", code, message)
	}
	for _, c := range []struct {
		kind, name, want string
		answers          int
	}{
		{"28", "mail.example.org", `\040\001\015\270\000\000\000\000\000\000\000\000\000\000\000%`, 1}, {"52", "_25._tcp.mail.example.org", `\003\001\001`, 2}, {"257", "example.org", `\000\005issueca.example`, 3},
		{"33", "_submission._tcp.example.org", `\000\000\000\000\000\000\000`, 1}, {"16", "rsa2026._domainkey.example.org", `\377v=DKIM1;`, 1}, {"28", "x.w.example.org", `\040\001\015\270`, 1},
		{"ptr", "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "PTR mail.example.org", 1},
	} {
		cmd := exec.Command("tinydns-get", c.kind, c.name)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Count(string(out), "answer: ") != c.answers || !strings.Contains(string(out), c.want) {
			t.Errorf("tinydns-get %s %s: %v\n%s\nwant %d answers and %s", c.kind, c.name, err, out, c.answers, c.want)
		}
	}
}
