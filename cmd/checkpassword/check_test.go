// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"quill/internal/chain"
	"quill/internal/checkpw"
	"quill/internal/users"
)

// nobody is whose accounts are tried where the tests run as root.
const nobody = 65534

func uid() int {
	if os.Getuid() == 0 {
		return nobody
	}
	return os.Getuid()
}

// TestMain also plays the program itself, so that tests run it as a process.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_SESSION") != "" && slices.Equal(os.Args[1:], []string{"session"}) {
		os.Exit(chain.Serve(os.Args, session))
	}
	if os.Getenv("TEST_AS_CHECKPASSWORD") != "" {
		os.Unsetenv("TEST_AS_CHECKPASSWORD")
		main()
	}
	os.Exit(m.Run())
}

// newHome is a home with accounts: joe (plain), ann (hash), root (uid 0), other
// (a uid that only root may become), odd (a secret that cannot be read).
func newHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	for d := home; len(d) > len(os.TempDir()); d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	os.MkdirAll(filepath.Join(home, "users"), 0o755)
	os.MkdirAll(filepath.Join(home, "control"), 0o755)
	if err := os.WriteFile(filepath.Join(home, "control/me"), []byte("h.example\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := users.NewStore(home)
	for _, a := range []users.Account{
		{Address: "joe@h.example", Secret: checkpw.Plain("sesame"), UID: uid()},
		{Address: "ann@h.example", Secret: hashed, UID: uid()},
		{Address: "root@h.example", Secret: checkpw.Plain("sesame"), UID: 0},
		{Address: "other@h.example", Secret: checkpw.Plain("sesame"), UID: uid() + 1},
		{Address: "odd@h.example", Secret: "{NOSUCH}x", UID: uid()},
	} {
		a.GID, a.Home = uid(), filepath.Join(home, "mail")
		if err := s.Add(a); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(home, "mail"), 0o755); err != nil {
		t.Fatal(err)
	}
	return home
}

var hashed = checkpw.Hash("open")

// TestParse: name, NUL, password, NUL, timestamp, NUL in at most 512 bytes.
func TestParse(t *testing.T) {
	for in, want := range map[string]credentials{
		"u\x00p\x00t\x00":     {"u", "p", "t"},
		"u\x00p\x00":          {"u", "p", ""},
		"u\x00p\x00t":         {"u", "p", "t"},
		"u\x00p q \x00\x00":   {"u", "p q ", ""},
		"u\x00p\x00t\x00more": {"u", "p", "t"},
		"\x00\x00\x00":        {},
		"u\x00" + strings.Repeat("p", 508) + "\x00\x00": {"u", strings.Repeat("p", 508), ""},
	} {
		if got, err := parseCredentials([]byte(in)); got != want || err != nil {
			t.Errorf("parseCredentials(%.20q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "u", "u\x00", "u\x00p", "u\x00" + strings.Repeat("p", 509) + "\x00\x00"} {
		if got, err := parseCredentials([]byte(in)); err == nil {
			t.Errorf("parseCredentials(%.20q) = %+v; want an error", in, got)
		}
	}
}

// TestCheck: who is let in, who is refused (1), and where nobody can tell (111).
func TestCheck(t *testing.T) {
	c := newChecker(newHome(t))
	const stamp = "<1.2@h>"
	other := 111
	if os.Getuid() == 0 {
		other = 0
	}
	for _, l := range []struct {
		user, secret, stamp string
		want                int
	}{
		{"joe@h.example", "sesame", "", 0},
		{"JOE@H.example", "sesame", "", 0},
		{"joe", "sesame", "", 0},
		{"joe@h.example", "sesame", stamp, 0},
		{"joe@h.example", "Sesame", "", 1},
		{"joe@h.example", "sesame ", "", 1},
		{"joe@h.example", "", "", 1},
		{"joe@h.example", "cd2a4c6b5d57b3cf2ef7ff1ec2d7d4a5", stamp, 1},
		{"ann@h.example", "open", "", 0},
		{"ann@h.example", "sesame", "", 1},
		{"ann@h.example", hashed, "", 1},
		{"nobody@h.example", "sesame", "", 1},
		{"joe@elsewhere.example", "sesame", "", 1},
		{"joe@", "sesame", "", 1},
		{"", "sesame", "", 1},
		{"root@h.example", "sesame", "", 111},
		{"root@h.example", "wrong", "", 1},
		{"other@h.example", "sesame", "", other},
		{"odd@h.example", "x", "", 111},
	} {
		a, code := c.check(credentials{l.user, l.secret, l.stamp})
		if code != l.want || (code == 0) != (a.Address != "") {
			t.Errorf("check(%q, %.10q, %q) = %+v, %d; want %d", l.user, l.secret, l.stamp, a, code, l.want)
		}
	}
}

// TestAPOP: a digest of timestamp and password opens an account whose password
// is stored itself, and none whose hash is.
func TestAPOP(t *testing.T) {
	c := newChecker(newHome(t))
	const stamp, digest = "<1896.697170952@dbc.mtview.ca.us>", "b912d6ef61a8eea1e9f3f7e1b32a6b05"
	right := md5hex(stamp + "sesame")
	for _, l := range []struct {
		user, secret, stamp string
		want                int
	}{
		{"joe", right, stamp, 0},
		{"joe", strings.ToUpper(right), stamp, 0}, // the case of hex is nobody's secret
		{"joe", right, "<other@h>", 1},
		{"joe", right, "", 1},
		{"joe", digest, stamp, 1},
		{"ann", md5hex(stamp + "open"), stamp, 1},
	} {
		if _, code := c.check(credentials{l.user, l.secret, l.stamp}); code != l.want {
			t.Errorf("APOP %q with %s for %q = %d; want %d", l.user, l.secret, l.stamp, code, l.want)
		}
	}
}

func md5hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// TestChanges: an account that was changed holds at the next login.
func TestChanges(t *testing.T) {
	home := newHome(t)
	c, s := newChecker(home), users.NewStore(home)
	login := credentials{"joe", "sesame", ""}
	if _, code := c.check(login); code != 0 {
		t.Fatalf("check = %d", code)
	}
	if err := s.SetSecret("joe@h.example", checkpw.Plain("new")); err != nil {
		t.Fatal(err)
	}
	if _, code := c.check(login); code != 1 {
		t.Errorf("the old password after the change: %d; want 1", code)
	}
	if _, code := c.check(credentials{"joe", "new", ""}); code != 0 {
		t.Errorf("the new password: %d; want 0", code)
	}
	if err := s.Remove("joe@h.example"); err != nil {
		t.Fatal(err)
	}
	if _, code := c.check(credentials{"joe", "new", ""}); code != 1 {
		t.Errorf("an account that was removed: %d; want 1", code)
	}
	os.Remove(filepath.Join(home, "users/passwd"))
	if _, code := c.check(login); code != 111 {
		t.Errorf("no accounts: %d; want 111", code)
	}
}

// TestManyAtOnce: hashes are computed a few at once, and each login has its own
// answer.
func TestManyAtOnce(t *testing.T) {
	c := newChecker(newHome(t))
	var all sync.WaitGroup
	for i := range 3 * maxHashes {
		all.Go(func() {
			secret, want := "open", 0
			if i%2 == 1 {
				secret, want = fmt.Sprint("wrong", i), 1
			}
			if _, code := c.check(credentials{"ann", secret, ""}); code != want {
				t.Errorf("login %d with %s = %d; want %d", i, secret, code, want)
			}
			if n := len(c.slots); n > maxHashes {
				t.Errorf("%d hashes at once", n)
			}
		})
	}
	all.Wait()
}

// TestSameWork: a user who does not exist costs a hash, as a wrong password
// does: it shows in the memory that is taken.
func TestSameWork(t *testing.T) {
	c := newChecker(newHome(t))
	c.check(credentials{"joe", "wrong", ""}) // reads the accounts
	taken := func(user string) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c.check(credentials{user, "wrong", ""})
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	known, unknown := taken("ann"), taken("nobody")
	if known < 10<<20 || unknown < known-known/10 || unknown > known+known/10 {
		t.Errorf("a wrong password takes %d bytes, an unknown user %d", known, unknown)
	}
}

// TestResident: as a worker of a chain it answers verdicts alone: 0, 1 or 111,
// without a connection.
func TestResident(t *testing.T) {
	home := newHome(t)
	argv := []string{os.Args[0], "/bin/true"}
	n := chain.NewNext(argv, chain.NextOptions{Env: []string{"TEST_AS_CHECKPASSWORD=1", "QMAILHOME=" + home, "PATH=/usr/bin:/bin", "GORACE=atexit_sleep_ms=0"}})
	defer n.Close()
	for _, l := range []struct {
		user, secret string
		want         int
	}{{"joe", "sesame", 0}, {"joe", "wrong", 1}, {"nobody", "sesame", 1}, {"odd", "x", 111}, {"ann", "open", 0}} {
		got := make(chan chain.Report, 1)
		n.Pass(&chain.Packet{Env: []string{"CHECKUSER=" + l.user, "CHECKPASS=" + l.secret}, Conn: -1, Control: -1, Data: -1}, func(r chain.Report) { got <- r })
		if r := <-got; !r.Final() || r.ExitCode() != l.want {
			t.Errorf("verdict of %s with %s: %+v; want exit %d", l.user, l.secret, r, l.want)
		}
	}
}

// TestPassed: a login is passed on with what came with it, IMAPTAG and bytes that
// were read ahead, and without its credentials, to a next program of ours and to
// one of others.
func TestPassed(t *testing.T) {
	home := newHome(t)
	for name, argv := range map[string][]string{
		"ours":   {"/proc/self/exe", "session"},
		"theirs": {"sh", "-c", `read -r line; echo "$IMAPTAG $USER $CHECKUSER$CHECKPASS$TIMESTAMP $line"; exit 100`},
	} {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		client := os.NewFile(uintptr(pair[0]), "client")
		n := chain.NewNext(append([]string{os.Args[0]}, argv...), chain.NextOptions{Env: []string{"TEST_AS_CHECKPASSWORD=1", "TEST_SESSION=1", "QMAILHOME=" + home, "PATH=/usr/bin:/bin", "GORACE=atexit_sleep_ms=0"}})
		end := make(chan chain.Report, 1)
		env := []string{"IMAPTAG=a1", "CHECKUSER=joe", "CHECKPASS=sesame", "TIMESTAMP="}
		n.Pass(&chain.Packet{Env: env, Ahead: []byte("b NOOP\n"), Conn: pair[1], Control: -1, Data: -1}, func(r chain.Report) {
			if r.Final() {
				end <- r
			}
		})
		unix.Close(pair[1])
		said, err := io.ReadAll(client)
		r := <-end
		if want := "a1 joe@h.example  b NOOP\n"; string(said) != want || err != nil || r.ExitCode() != 100 {
			t.Errorf("%s: %q, %v, %+v; want %q and exit code 100", name, said, err, r, want)
		}
		client.Close()
		n.Close()
	}
}

// session is a next program of ours: it tells what it was given.
func session(s *chain.Session) int {
	e := s.Env
	fmt.Fprintf(s.Stream, "%s %s %s %s", e.Value("IMAPTAG"), e.Value("USER"), e.Value("CHECKUSER")+e.Value("CHECKPASS")+e.Value("TIMESTAMP"), s.Ahead)
	return 100
}

// TestBecome: started by root the next program runs as the account, with its
// group alone; otherwise as who we are. Variables of others, such as IMAPTAG, go
// on to it.
func TestBecome(t *testing.T) {
	home := newHome(t)
	login := filepath.Join(home, "login")
	if err := os.WriteFile(login, []byte("joe\x00sesame\x00\x00"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(login)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command(os.Args[0], "sh", "-c", "id -u; id -g; id -G; pwd; echo $USER; echo $IMAPTAG; ls -l /proc/$$/fd | grep -e login -e passwd || echo clean")
	cmd.Env = []string{"TEST_AS_CHECKPASSWORD=1", "QMAILHOME=" + home, "PATH=/usr/bin:/bin", "USER=old", "HOME=/old", "IMAPTAG=a1"}
	cmd.ExtraFiles = []*os.File{f}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("checkpassword: %v, %s", err, &said)
	}
	group, groups := fmt.Sprint(nobody), fmt.Sprint(nobody)
	if os.Getuid() != 0 {
		group, groups = fmt.Sprint(os.Getgid()), currentGroups(t)
	}
	if want := fmt.Sprintf("%d\n%s\n%s\n%s/mail\njoe@h.example\na1\nclean\n", uid(), group, groups, home); said.String() != want {
		t.Errorf("the next program: %q; want %q", said.String(), want)
	}
}

// currentGroups is what id -G says of this process.
func currentGroups(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("id", "-G").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestVariables(t *testing.T) {
	got := without([]string{"A=1", "USER=x", "USERS=y", "HOME", "B=2"}, "USER", "HOME")
	if strings.Join(got, " ") != "A=1 USERS=y B=2" {
		t.Errorf("without = %q", got)
	}
	if got := homeOf([]string{"HOME=/a", "X=1", "HOME=/b"}); got != "/b" {
		t.Errorf("homeOf = %q; want /b", got)
	}
	if got := homeOf(nil); got != "/" {
		t.Errorf("homeOf(nil) = %q; want /", got)
	}
}
