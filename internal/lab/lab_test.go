// SPDX-License-Identifier: ISC

package lab

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quill/internal/checkpw"
	"quill/internal/dnsdata"
	"quill/internal/homecheck"
	"quill/internal/users"
)

// tree is the names below a folder, folders with a slash.
func tree(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); err == nil && rel != "." {
			if d.IsDir() {
				rel += "/"
			}
			out = append(out, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestClaim: an empty or new folder becomes a lab's, one of others is not
// touched, a running lab is refused, a stopped one is taken again.
func TestClaim(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"new", "empty", "onlybin"} {
		d := filepath.Join(dir, name)
		if name != "new" {
			os.Mkdir(d, 0o755)
		}
		if name == "onlybin" {
			os.Mkdir(filepath.Join(d, "bin"), 0o755)
		}
		lock, err := claim(Options{Dir: d})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if st, _ := os.Stat(d); st.Mode().Perm() != 0o700 {
			t.Errorf("%s: mode %v; want 0700", name, st.Mode())
		}
		if _, err := claim(Options{Dir: d}); !errors.Is(err, ErrRunning) {
			t.Errorf("%s, while it runs: %v; want ErrRunning", name, err)
		}
		lock.Close()
		if lock, err = claim(Options{Dir: d}); err != nil {
			t.Errorf("%s, once more: %v", name, err)
			continue
		}
		lock.Close()
	}
	for _, name := range []string{"letters.txt", "bin"} {
		d := filepath.Join(dir, "foreign-"+name)
		os.Mkdir(d, 0o755)
		os.WriteFile(filepath.Join(d, name), []byte("mine"), 0o644)
		for _, reset := range []bool{false, true} {
			if _, err := claim(Options{Dir: d, Reset: reset}); !errors.Is(err, ErrForeign) {
				t.Errorf("a folder with a file %s, reset %v: %v; want ErrForeign", name, reset, err)
			}
		}
		if got := tree(t, d); !slices.Equal(got, []string{name}) {
			t.Errorf("a foreign folder has now %q", got)
		}
	}
}

// TestReset: everything goes but the lock and the programs.
func TestReset(t *testing.T) {
	dir := t.TempDir()
	if err := Prepare(dir); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"bin", "mail/x", "queue"} {
		os.MkdirAll(filepath.Join(dir, d), 0o755)
		os.WriteFile(filepath.Join(dir, d, "file"), nil, 0o644)
	}
	lock, err := claim(Options{Dir: dir, Reset: true})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if got := tree(t, dir); !slices.Equal(got, []string{marker, "bin/", "bin/file"}) {
		t.Errorf("after a reset: %q", got)
	}
}

// home makes a lab's home with two users more.
func home(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := makeHome(Options{Dir: dir, Users: 2}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestHome: a lab's home is in order but for what root may not own and
// tinydns-data still has to compile; made once more it stays as it was changed.
func TestHome(t *testing.T) {
	dir := home(t)
	for _, d := range homecheck.Check(dir) {
		if !strings.HasPrefix(d.What, "dns/data.cdb: ") && !(os.Getuid() == 0 && strings.Contains(d.What, "never delivered as root")) {
			t.Errorf("defect: %s (%s)", d.What, d.Do)
		}
	}
	list, bad, err := users.NewStore(dir).List()
	if err != nil || len(bad) != 0 {
		t.Fatalf("accounts: %v, bad %v", err, bad)
	}
	want := map[string]string{"sendmemail@testingsmtp.org": "lab", "netwatcher@testingsmtp.org": "lab", "u0@testingsmtp.org": "pass", "u1@testingsmtp.org": "pass"}
	for _, a := range list {
		if a.Secret != checkpw.Plain(want[a.Address]) || a.UID != os.Getuid() || a.Home != filepath.Join(dir, "mail", Domain, strings.Split(a.Address, "@")[0]) {
			t.Errorf("account %+v", a)
		}
		delete(want, a.Address)
	}
	if len(want) != 0 {
		t.Errorf("accounts that lack: %v", want)
	}
	for _, name := range []string{"postmaster", "mailer-daemon", "root", "sendmemail", "u1"} {
		if _, ok, err := users.Open(dir).Find(name); !ok || err != nil {
			t.Errorf("%s is not in users/cdb: %v", name, err)
		}
	}
	os.WriteFile(filepath.Join(dir, "control/smtpgreeting"), []byte("mine\n"), 0o644)
	os.WriteFile(filepath.Join(dir, "alias/.qmail-root"), []byte("&me@testingsmtp.org\n"), 0o644)
	users.NewStore(dir).SetSecret("sendmemail@testingsmtp.org", checkpw.Plain("mine"))
	if err := makeHome(Options{Dir: dir, Users: 2}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"control/smtpgreeting": "mine\n", "alias/.qmail-root": "&me@testingsmtp.org\n"} {
		if got, _ := os.ReadFile(filepath.Join(dir, name)); string(got) != want {
			t.Errorf("%s after a resume: %q; want %q", name, got, want)
		}
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "users/passwd")); !strings.Contains(string(text), "sendmemail@testingsmtp.org:{PLAIN}mine:") || strings.Count(string(text), "\n") != 4 {
		t.Errorf("users/passwd after a resume:\n%s", text)
	}
}

// TestScripts: a run script for each service, that can be run.
func TestScripts(t *testing.T) {
	dir := home(t)
	for _, s := range services {
		if st, err := os.Stat(filepath.Join(dir, "service", s.name, "run")); err != nil || st.Mode().Perm()&0o100 == 0 {
			t.Errorf("service %s: %v", s.name, err)
		}
	}
	if names, _ := os.ReadDir(filepath.Join(dir, "service")); len(names) != len(services) {
		t.Errorf("%d scripts for %d services", len(names), len(services))
	}
}

// TestZoneCompiles: tinydns-data takes the zone, with the lecture's addresses and with
// the lab's.
func TestZoneCompiles(t *testing.T) {
	for _, c := range []struct {
		server, laptop string
		delegations    int // lines that begin with a dot: the domain's and the reverse zones'
	}{{Loopback.Server, Loopback.Laptop, 2}, {"192.168.32.206", "192.168.32.208", 2}, {"127.0.0.206", "10.0.0.1", 3}} {
		zone := Zone(c.server, c.laptop)
		records := 0
		if err := dnsdata.Compile(strings.NewReader(zone), 1, func(_, _ []byte) error { records++; return nil }); err != nil || records < 12 {
			t.Errorf("zone of %s: %d records, %v\n%s", c.server, records, err, zone)
		}
		if n := strings.Count("\n"+zone, "\n."); n != c.delegations {
			t.Errorf("zone of %s and %s has %d lines of a zone's own; want %d\n%s", c.server, c.laptop, n, c.delegations, zone)
		}
	}
}

// TestAddUser: home and mailbox are there before anybody knows the account, and
// one that exists is refused.
func TestAddUser(t *testing.T) {
	dir := home(t)
	s := users.NewStore(dir)
	if err := AddUser(s, dir, "New@TestingSMTP.org", checkpw.Plain("x"), os.Getuid(), os.Getgid()); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"", "Maildir", "Maildir/new", "Maildir/cur", "Maildir/tmp"} {
		if st, err := os.Stat(filepath.Join(dir, "mail", Domain, "new", sub)); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("new/%s: %v, %v; want mode 0700", sub, st, err)
		}
	}
	if err := AddUser(s, dir, "new@testingsmtp.org", checkpw.Plain("y"), os.Getuid(), os.Getgid()); !errors.Is(err, users.ErrExists) {
		t.Errorf("AddUser twice: %v; want ErrExists", err)
	}
	for _, bad := range []string{"x", "x@", "@y", "../x@testingsmtp.org", "a/b@testingsmtp.org", "a@../..", "a:b@testingsmtp.org", "a\n@testingsmtp.org"} {
		before := tree(t, dir)
		if err := AddUser(s, dir, bad, checkpw.Plain("x"), os.Getuid(), os.Getgid()); err == nil || !slices.Equal(before, tree(t, dir)) {
			t.Errorf("AddUser(%q): %v; want an error, and nothing made", bad, err)
		}
	}
}

// TestPorts: free ones of the server are chosen once and kept; one that is taken
// meanwhile is named.
func TestPorts(t *testing.T) {
	dir := t.TempDir()
	l := &Lab{Dir: dir, Net: Loopback}
	if err := l.ports(); err != nil {
		t.Fatal(err)
	}
	first := l.env()
	if lines := strings.Split(first, "\n"); len(lines) != 5 || !strings.HasPrefix(lines[0], "DNS="+Loopback.Server+":") || !strings.HasPrefix(lines[1], "SMTP=") || !strings.HasPrefix(lines[2], "POP3=") || !strings.HasPrefix(lines[3], "IMAP=") {
		t.Errorf("lab.env would be %q", first)
	}
	again := &Lab{Dir: dir, Net: Loopback}
	if err := again.ports(); err != nil || again.env() != first {
		t.Errorf("resumed: %q, %v; want %q", again.env(), err, first)
	}
	before, _, _ := strings.Cut(first, "IMAP=") // a lab that was made when there was no IMAP
	if err := os.WriteFile(filepath.Join(dir, "ports"), []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := again.ports(); err != nil || !strings.HasPrefix(again.env(), before+"IMAP="+Loopback.Server+":") {
		t.Errorf("resumed without a port for IMAP: %q, %v; want %q and one for IMAP", again.env(), err, before)
	}
	taken, err := net.Listen("tcp", l.Addrs["SMTP"])
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if err := again.ports(); err == nil || !strings.Contains(err.Error(), "SMTP of this lab is "+l.Addrs["SMTP"]+", which is in use") {
		t.Errorf("with a port taken: %v", err)
	}
}

// TestChoose: no two services get one port, though nobody listens on it yet.
func TestChoose(t *testing.T) {
	var chosen []string
	for range 400 {
		at, err := choose(Loopback.Server, chosen)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(chosen, at) {
			t.Fatalf("%s was chosen twice", at)
		}
		chosen = append(chosen, at)
	}
}

// TestFailedStart: a lab whose programs are not there says so, and leaves no
// lab.env, no lock and no process.
func TestFailedStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lab")
	if _, err := Start(Options{Dir: dir, Bin: "/nonexistent"}); err == nil || !strings.Contains(err.Error(), "tinydns-data") {
		t.Errorf("Start without programs: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "lab.env")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("lab.env: %v; want none", err)
	}
	lock, err := claim(Options{Dir: dir})
	if err != nil {
		t.Fatalf("the lock is still held: %v", err)
	}
	lock.Close()
}

// TestShortened: the queue's socket can be reached however long the path is.
func TestShortened(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	if err := os.MkdirAll(filepath.Join(dir, "queue/lock"), 0o755); err != nil {
		t.Fatal(err)
	}
	at := shortened(dir)
	if len(at) > 100 {
		t.Fatalf("shortened = %s", at)
	}
	l, err := net.Listen("unix", at)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := os.Stat(filepath.Join(dir, "queue/lock/queued")); err != nil {
		t.Errorf("the socket by its long path: %v", err)
	}
}
