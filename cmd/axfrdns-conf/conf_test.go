// SPDX-License-Identifier: ISC

package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMain re-runs this test binary as the program.
func TestMain(m *testing.M) {
	if os.Getenv("CONF_TEST") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// logger is an account that a folder can be given to: ours, where we are not
// root.
func logger(t testing.TB) string {
	t.Helper()
	if os.Getuid() == 0 {
		return "nobody"
	}
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

// ours is this program.
func ours(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), "CONF_TEST=1")
	return cmd
}

// tree is all that a folder holds: modes, owners, texts.
func tree(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		sys := st.Sys().(*syscall.Stat_t)
		fmt.Fprintf(&b, "%s %o %d %d\n", strings.TrimPrefix(path, dir), sys.Mode, sys.Uid, sys.Gid)
		if st.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			b.Write(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestConf: the folder is made with all its files, once.
func TestConf(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "axfrdns")
	args := []string{logger(t), logger(t), dir, "/service/tinydns", "192.0.2.1"}
	if out, err := ours(t, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	exe, _ := os.Executable()
	for name, want := range map[string]string{
		"env/ROOT": "/service/tinydns/root\n", "env/IP": "192.0.2.1\n", "log/status": "",
		"Makefile": "tcp.cdb: tcp\n\ttcprules tcp.cdb tcp.tmp < tcp\n", "tcp": "# sample line:  1.2.3.4:allow,AXFR=\"heaven.af.mil/3.2.1.in-addr.arpa\"\n:deny\n",
	} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	fake := t.TempDir()
	if err := os.WriteFile(filepath.Join(fake, "tcpserver"), []byte("#!/bin/sh\necho \"$UID $GID $ROOT $*\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	run := exec.Command("./run")
	run.Dir = dir
	run.Env = append(os.Environ(), "PATH="+fake+":/usr/bin:/bin")
	u, err := user.Lookup(logger(t))
	if err != nil {
		t.Fatal(err)
	}
	want := u.Uid + " " + u.Gid + " /service/tinydns/root -vDRHl0 -x tcp.cdb -- 192.0.2.1 53 " + filepath.Dir(exe) + "/axfrdns\n"
	if out, err := run.CombinedOutput(); err != nil || string(out) != want {
		t.Errorf("run starts %q, %v; want %q", out, err, want)
	}
	if got := tree(t, dir); !strings.HasPrefix(got, " 43755 ") || !strings.Contains(got, "/run 100755 ") || !strings.Contains(got, "/log/main 42755 ") {
		t.Errorf("modes:\n%s", got)
	}
	for _, c := range []struct {
		args []string
		code int
		log  string
	}{
		{args, 111, "axfrdns-conf: fatal: unable to create " + dir + ": file already exists\n"},
		{[]string{"dns", "no such account", dir, "/t", "1.2.3.4"}, 111, "axfrdns-conf: fatal: unknown account no such account\n"},
		{args[:4], 100, "usage"}, {[]string{"a", "b", "relative", "/t", "1.2.3.4"}, 100, "usage"}, {[]string{"a", "b", "/c", "relative", "1.2.3.4"}, 100, "usage"}, {nil, 100, "usage"},
	} {
		cmd := ours(t, c.args...)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.log) {
			t.Errorf("%q: %d %s; want %d %s", c.args, cmd.ProcessState.ExitCode(), out, c.code, c.log)
		}
	}
}
