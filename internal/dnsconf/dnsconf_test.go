// SPDX-License-Identifier: ISC

package dnsconf

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// TestFolder: folders, files, modes; the second time it is refused and nothing
// changes.
func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "service")
	f, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	f.Log("nobody", Account{os.Getuid(), os.Getgid()})
	f.Mkdir("env")
	f.Env("IP", "127.0.0.1")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{".": "dgtrwxr-xr-x", "log": "dgrwxr-xr-x", "log/main": "dgrwxr-xr-x", "log/status": "-rw-r--r--", "log/run": "-rwxr-xr-x", "env": "dgrwxr-xr-x", "env/IP": "-rw-r--r--"} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Mode().String() != want {
			t.Errorf("%s: %v, %v; want %s", name, st.Mode(), err, want)
		}
	}
	if b, err := os.ReadFile(dir + "/env/IP"); string(b) != "127.0.0.1\n" {
		t.Errorf("env/IP = %q, %v", b, err)
	}
	if _, err := New(dir); err == nil || err.Error() != "unable to create "+dir+": file already exists" {
		t.Errorf("New of a folder that is there = %v", err)
	}
}

// TestFails: the first error is the one that is told, and ends the making.
func TestFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "service")
	f, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	f.File("none/run", "", Script)
	f.File("run", "", Script)
	if err := f.Close(); err == nil || err.Error() != "unable to create "+dir+"/none/run: file does not exist" {
		t.Errorf("Close() = %v", err)
	}
	if _, err := os.Stat(dir + "/run"); err == nil {
		t.Error("run was made after an error")
	}
}

// TestLookup: an account of the system, and none.
func TestLookup(t *testing.T) {
	if me, err := user.LookupId("0"); err == nil {
		if got, err := Lookup(me.Username); got != (Account{0, 0}) || err != nil {
			t.Errorf("Lookup(%s) = %v, %v; want 0, 0", me.Username, got, err)
		}
	}
	if _, err := Lookup("no such"); err == nil || err.Error() != "unknown account no such" {
		t.Errorf("Lookup(no such) = %v", err)
	}
}

// TestQuote: a shell reads each word back as it was.
func TestQuote(t *testing.T) {
	for _, s := range []string{"", "a", "/usr/sbin/tinydns", "a b", "it's", `$HOME "x" \ ` + "`id`", "a\nb", "-n", "*"} {
		out, err := exec.Command("/bin/sh", "-c", "printf %s "+Quote(s)).Output()
		if string(out) != s || err != nil {
			t.Errorf("Quote(%q) = %s, read as %q, %v", s, Quote(s), out, err)
		}
	}
	if got := Quote("/usr/sbin/tinydns"); got != "/usr/sbin/tinydns" {
		t.Errorf("Quote of a plain path = %s", got)
	}
}

// TestRunScript: the variables of env/ are set, over UID and GID of the account;
// trailing blanks go, an empty file takes a variable away.
func TestRunScript(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/env", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"env/IP": "127.0.0.1\n", "env/BASE": `a\b $(id) ` + "\t\nrest\n", "env/GONE": "", "env/LAST": "no newline", "run": RunScript(me.Username, "/usr/bin/env")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("./run")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GONE=here")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := "\n" + string(out)
	for _, want := range []string{"IP=127.0.0.1", `BASE=a\b $(id)`, "LAST=no newline", "UID=" + me.Uid, "GID=" + me.Gid} {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("the environment lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(got, "\nGONE=") {
		t.Errorf("GONE is still set:\n%s", out)
	}
}

// TestRunScriptNobody: without its account nothing runs.
func TestRunScriptNobody(t *testing.T) {
	out, err := exec.Command("/bin/sh", "-c", RunScript("no such", "echo ran")).CombinedOutput()
	if code := fmt.Sprint(err); code != "exit status 111" || strings.Contains(string(out), "ran") {
		t.Errorf("%s, %q; want exit status 111", code, out)
	}
}

// TestLogScript: each of the three loggers is taken where it is there.
func TestLogScript(t *testing.T) {
	for _, c := range []struct {
		there []string
		want  string
	}{
		{[]string{"multilog", "setuidgid", "svlogd", "chpst"}, "multilog t ./main"}, {[]string{"s6-log", "s6-setuidgid"}, "s6-log t ./main"}, {[]string{"svlogd", "chpst", "multilog"}, "svlogd -tt ./main"},
	} {
		bin := t.TempDir()
		id, err := exec.LookPath("id")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(id, bin+"/id"); err != nil {
			t.Fatal(err)
		}
		for _, name := range c.there {
			text := "#!/bin/sh\necho ${0##*/} \"$@\"\n"
			if strings.HasSuffix(name, "setuidgid") {
				text = "#!/bin/sh\nshift\nexec \"$@\"\n"
			}
			if name == "chpst" {
				text = "#!/bin/sh\nshift 2\nexec \"$@\"\n"
			}
			if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command("/bin/sh", "-c", LogScript("log acct"))
		cmd.Env = []string{"PATH=" + bin}
		if out, err := cmd.CombinedOutput(); strings.TrimSpace(string(out)) != c.want || err != nil {
			t.Errorf("with %v: %q, %v; want %q", c.there, out, err, c.want)
		}
	}
}

// TestMakefile: a program's path with blanks and dollars is one word for make's
// shell.
func TestMakefile(t *testing.T) {
	if got, want := Makefile("/usr/sbin/tinydns-data"), "data.cdb: data\n\t/usr/sbin/tinydns-data\n"; got != want {
		t.Errorf("Makefile = %q; want %q", got, want)
	}
	if got, want := Makefile("/a $b/x"), "data.cdb: data\n\t'/a $$b/x'\n"; got != want {
		t.Errorf("Makefile = %q; want %q", got, want)
	}
}
