// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// tree is a folder's names with their modes, owners and contents. The programs'
// folder is BIN, the service's DIR.
func tree(t *testing.T, dir, bin string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := os.Lstat(path)
		if err != nil {
			return err
		}
		own := st.Sys().(*syscall.Stat_t)
		text := []byte(nil)
		if d.Type().IsRegular() {
			if text, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		said := strings.NewReplacer(bin+"/", "BIN/", dir, "DIR").Replace(string(text))
		all[strings.TrimPrefix(path, dir)] = fmt.Sprintf("%v %d:%d %q", st.Mode(), own.Uid, own.Gid, said)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestPeerDNSConf: the folders are Debian's but for the two run scripts.
func TestPeerDNSConf(t *testing.T) {
	for _, c := range [][]string{{"tinydns-conf", "127.0.0.1"}, {"rbldns-conf", "127.0.0.1", "rbl.example"}, {"walldns-conf", "127.0.0.1"}, {"rbldns-conf", "any thing", ""}} {
		parent := t.TempDir()
		make := func(path, name, bin string) map[string]string {
			dir := filepath.Join(parent, name)
			if out, err := exec.Command(path, append([]string{"nobody", "daemon", dir}, c[1:]...)...).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v %s", path, err, out)
			}
			return tree(t, dir, bin)
		}
		want, got := make("/usr/sbin/"+c[0], "theirs", "/usr/sbin"), make(program(c[0]), "ours", bin)
		for name := range got {
			if _, known := want[name]; !known {
				t.Errorf("%s makes %s, which Debian's does not", c[0], name)
			}
		}
		for name, w := range want {
			g := got[name]
			if name == "/run" || name == "/log/run" {
				w, _, _ = strings.Cut(w, ` "`)
				g, _, _ = strings.Cut(g, ` "`)
			}
			if g != w {
				t.Errorf("%s: %s is\n  %s\nwant\n  %s", c[0], name, g, w)
			}
		}
	}
}

// TestPeerDNSConfRefuses: exit codes and words are Debian's.
func TestPeerDNSConfRefuses(t *testing.T) {
	parent := t.TempDir()
	taken, file := filepath.Join(parent, "taken"), filepath.Join(parent, "file")
	if err := errors.Join(os.Mkdir(taken, 0o700), os.WriteFile(file, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tinydns-conf", "rbldns-conf", "walldns-conf"} {
		for _, args := range [][]string{{}, {"nobody"}, {"nobody", "daemon"}, {"nobody", "daemon", "/x"}, {"nobody", "daemon", "relative", "127.0.0.1", "b"}, {"nobody", "daemon", "", "127.0.0.1", "b"},
			{"nobody", "no such", "/x", "127.0.0.1", "b"}, {"nobody", "", "/x", "127.0.0.1", "b"}, {"nobody", "daemon", taken, "127.0.0.1", "b"}, {"nobody", "daemon", parent + "/a/b", "127.0.0.1", "b"}, {"nobody", "daemon", file + "/b", "127.0.0.1", "b"}} {
			run := func(path string) string {
				cmd := exec.Command(path, args...)
				out, _ := cmd.CombinedOutput()
				return fmt.Sprintf("%d %s", cmd.ProcessState.ExitCode(), out)
			}
			if got, want := run(program(name)), run("/usr/sbin/"+name); got != want {
				t.Errorf("%s %q: %q; want %q", name, args, got, want)
			}
		}
	}
	if names, err := os.ReadDir(taken); len(names) > 0 || err != nil {
		t.Errorf("in a folder that was there: %v, %v", names, err)
	}
}

// TestPeerDNSDig: the services as they are made, on port 53, asked by dig.
func TestPeerDNSDig(t *testing.T) {
	for i, c := range []struct{ question, want string }{{"www.a.org A", "1.2.3.4\n"}, {"4.3.2.1.rbl.org TXT", "\"Listed 1.2.3.4\"\n"}, {"-x 1.2.3.4", "4.3.2.1.in-addr.arpa.\n"}} {
		s := dnsServices()[i]
		ip := fmt.Sprintf("127.%d.83.%d", 100+i, 1+os.Getpid()%250)
		parent := t.TempDir()
		open(t, parent)
		dir := filepath.Join(parent, s.name)
		s.makeService(t, program(s.name+"-conf"), dir, ip)
		s.run(t, dir)
		for _, how := range []string{"+notcp", "+tcp"} {
			if out, err := exec.Command("dig", append([]string{"@" + ip, "+short", "+time=5", how}, strings.Fields(c.question)...)...).CombinedOutput(); string(out) != c.want || err != nil {
				t.Errorf("dig %s %s: %q, %v; want %q", how, c.question, out, err, c.want)
			}
		}
	}
}

// TestPeerDNSAdders: the scripts and the Makefile of tinydns's root/ edit data and
// make data.cdb of them: with a tinydns-edit of ours where there is one, else with
// Debian's.
func TestPeerDNSAdders(t *testing.T) {
	own := t.TempDir()
	for _, name := range []string{"tinydns-conf", "tinydns-data", "tinydns-edit"} {
		text, err := os.ReadFile(program(name))
		if errors.Is(err, fs.ErrNotExist) {
			text, err = os.ReadFile("/usr/sbin/" + name)
		}
		if err := errors.Join(err, os.WriteFile(filepath.Join(own, name), text, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(t.TempDir(), "tiny dns")
	if out, err := exec.Command(filepath.Join(own, "tinydns-conf"), "nobody", "nobody", dir, "127.0.0.1").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for _, line := range []string{"ns a.org 1.2.3.4", "childns c.a.org 1.2.3.5", "host www.a.org 1.2.3.6", "alias ftp.a.org 1.2.3.6", "mx a.org 1.2.3.7"} {
		f := strings.Fields(line)
		cmd := exec.Command("./add-"+f[0], f[1:]...)
		cmd.Dir = dir + "/root"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("add-%s: %v %s", line, err, out)
		}
	}
	const want = ".a.org:1.2.3.4:a:259200\n&c.a.org:1.2.3.5:a:259200\n=www.a.org:1.2.3.6:86400\n+ftp.a.org:1.2.3.6:86400\n@a.org:1.2.3.7:a::86400\n"
	if b, err := os.ReadFile(dir + "/root/data"); string(b) != want || err != nil {
		t.Errorf("data = %q, %v; want %q", b, err, want)
	}
	if out, err := exec.Command("make", "-C", dir+"/root").CombinedOutput(); err != nil {
		t.Errorf("make: %v %s", err, out)
	}
	if st, err := os.Stat(dir + "/root/data.cdb"); err != nil || st.Size() < 2048 {
		t.Errorf("data.cdb: %v", err)
	}
}
