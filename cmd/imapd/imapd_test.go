// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"quill/internal/chain"
	"quill/internal/privilege/privilegetest"
	"quill/maildir/folders"
)

// playVariable tells the test's binary to be the program itself; the value blind
// that it has no inotify.
const playVariable = "TEST_AS_IMAPD"

func TestMain(m *testing.M) {
	switch os.Getenv(playVariable) {
	case "blind":
		fmt.Fprintln(os.Stderr, blind())
		os.Exit(99)
	case "":
		os.Exit(m.Run())
	}
	main()
}

// blind starts this program once more, with a kernel that gives out no inotify:
// the filter of the thread that calls exec stays.
func blind() error {
	runtime.LockOSThread()
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_INOTIFY_INIT1, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EMFILE)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0); err != nil {
		return err
	}
	os.Setenv(playVariable, "1")
	return unix.Exec("/proc/self/exe", os.Args, os.Environ())
}

// folder is where sessions run: Maildirs M, user/Mail and other/Mail, a link
// user/Link, and the home's control files, as name=text.
func folder(t *testing.T, control ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, d := range []string{"M", "user/Mail", "other/Mail"} {
		for _, sub := range []string{"new", "cur", "tmp"} {
			if err := os.MkdirAll(filepath.Join(dir, d, sub), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "control"), 0o755), os.Symlink("../other/Mail", filepath.Join(dir, "user/Link"))); err != nil {
		t.Fatal(err)
	}
	for _, c := range control {
		name, text, _ := strings.Cut(c, "=")
		write(t, filepath.Join(dir, "control", name), text+"\n")
	}
	write(t, filepath.Join(dir, "user/Mail/new/1.x.h"), "Subject: x\n\nx\n")
	return privilegetest.Reachable(t, dir)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// deliver puts a mail into a Maildir, as who reads it.
func deliver(t *testing.T, box, name, text string) {
	t.Helper()
	tmp := filepath.Join(box, "tmp", name)
	write(t, tmp, text)
	st, err := os.Stat(box)
	if err != nil {
		t.Fatal(err)
	}
	own := st.Sys().(*syscall.Stat_t)
	if err := errors.Join(os.Chown(tmp, int(own.Uid), int(own.Gid)), os.Rename(tmp, filepath.Join(box, "new", name))); err != nil {
		t.Fatal(err)
	}
}

// talk runs imapd over pipes and gives what it said, with LF and without the
// capabilities, and its exit code.
func talk(t *testing.T, dir string, env []string, in string, args ...string) (out string, code int) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Dir = dir
	cmd.Env = append([]string{playVariable + "=1", "GORACE=atexit_sleep_ms=0", "QMAILHOME=" + dir}, env...)
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(in, "\n", "\r\n"))
	if len(env) == 0 || env[0] != "AS=self" {
		privilegetest.Plain(cmd)
	}
	var said, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &log
	var ended *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	t.Log(log.String())
	var b strings.Builder
	for line := range strings.Lines(strings.ReplaceAll(said.String(), "\r\n", "\n")) {
		if before, rest, ok := strings.Cut(line, "[CAPABILITY "); ok {
			_, after, _ := strings.Cut(rest, "]")
			line = before + "[CAPABILITY]" + after
		}
		b.WriteString(line)
	}
	return b.String(), cmd.ProcessState.ExitCode()
}

const (
	bye  = "* BYE good bye\nz OK done\n"
	none = "* BYE this user has no $HOME/Maildir\n"
	pre  = "* PREAUTH [CAPABILITY] logged in\n"
)

// TestWhichMailbox: MAILBOX before the argument, both below HOME and never
// outside of it; without HOME, where we are.
func TestWhichMailbox(t *testing.T) {
	dir := folder(t)
	user := "HOME=" + filepath.Join(dir, "user")
	const in = "a STATUS INBOX (MESSAGES)\nz LOGOUT\n"
	status := func(n int) string {
		return pre + fmt.Sprintf("* STATUS INBOX (MESSAGES %d)\na OK done\n", n) + bye
	}
	for _, c := range []struct {
		env  []string
		arg  string
		want string
	}{
		{[]string{user}, "Mail", status(1)},
		{[]string{user}, "./Mail/", status(1)},
		{[]string{user, "MAILBOX=Mail"}, "Maildir", status(1)},
		{nil, "M", status(0)},
		{[]string{user}, "M", none},
		{[]string{user}, "../other/Mail", none},
		{[]string{user, "MAILBOX=../other/Mail"}, "Mail", none},
		{[]string{user}, filepath.Join(dir, "other/Mail"), none},
		{[]string{user}, "Link", none},
	} {
		if got, code := talk(t, dir, c.env, in, c.arg); got != c.want || code != 0 {
			t.Errorf("%q imapd %s: exit %d, said %q; want %q", c.env, c.arg, code, got, c.want)
		}
	}
}

// TestGreeting: the login's tag is answered; without one the session begins by
// PREAUTH.
func TestGreeting(t *testing.T) {
	dir := folder(t)
	for tag, want := range map[string]string{"": pre, "a]1": "a]1 OK [CAPABILITY] logged in\n"} {
		if got, code := talk(t, dir, []string{"IMAPTAG=" + tag}, "z LOGOUT\n", "M"); got != want+bye || code != 0 {
			t.Errorf("IMAPTAG=%s: exit %d, said %q; want %q", tag, code, got, want+bye)
		}
	}
}

// TestNoMailbox: what is told where there is no mailbox to read.
func TestNoMailbox(t *testing.T) {
	for _, gone := range []string{"M", "M/new", "M/cur", "M/tmp"} {
		dir := folder(t)
		if err := os.RemoveAll(filepath.Join(dir, gone)); err != nil {
			t.Fatal(err)
		}
		for tag, want := range map[string]string{"": none, "a1": "a1 NO [UNAVAILABLE] this user has no $HOME/Maildir\n" + none} {
			if got, code := talk(t, dir, []string{"IMAPTAG=" + tag}, "b NOOP\n", "M"); got != want || code != 0 {
				t.Errorf("without %s: exit %d, said %q; want %q", gone, code, got, want)
			}
		}
	}
}

// TestWhyNot: what passes is not told as a mailbox that is not there.
func TestWhyNot(t *testing.T) {
	for err, passes := range map[error]bool{
		unix.EMFILE: true, unix.EIO: true, folders.ErrBusy: true, unix.ENOENT: false, unix.ELOOP: false, unix.EACCES: false,
	} {
		got := whyNot(fmt.Errorf("open maildir M: %w", err))
		if (got != "this user has no $HOME/Maildir") != passes {
			t.Errorf("%v: %q", err, got)
		}
	}
}

// TestRoot: nobody's mail is read as root; who is not root is served.
func TestRoot(t *testing.T) {
	dir := folder(t)
	want := map[bool]string{true: "a NO [UNAVAILABLE] will not run as root\n* BYE will not run as root\n", false: "a OK [CAPABILITY] logged in\n" + bye}[os.Getuid() == 0]
	if got, code := talk(t, dir, []string{"AS=self", "IMAPTAG=a"}, "z LOGOUT\n", "M"); got != want || code != 0 {
		t.Errorf("as uid %d: exit %d, said %q; want %q", os.Getuid(), code, got, want)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"M", "N"}} {
		if got, code := talk(t, ".", nil, "z LOGOUT\n", args...); got != "" || code != 100 {
			t.Errorf("imapd %q: exit %d, said %q; want 100", args, code, got)
		}
	}
}

// TestAppendLimit: control/databytes is the limit of an APPEND, told by STATUS
// (RFC 7889) and held.
func TestAppendLimit(t *testing.T) {
	dir := folder(t, "databytes=100")
	mail := "Subject: x\n\n" + strings.Repeat("x", 84) + "\n" // 100 bytes with CRLF
	in := "a STATUS INBOX (APPENDLIMIT)\nb APPEND INBOX {101}\nc APPEND INBOX {100}\n" + mail + "\nd STATUS INBOX (MESSAGES)\nz LOGOUT\n"
	got, code := talk(t, dir, nil, in, "M")
	for _, want := range []string{"* STATUS INBOX (APPENDLIMIT 100)\na OK", "\nb NO [TOOBIG]", "\n+ ", "\nc OK [APPENDUID ", "* STATUS INBOX (MESSAGES 1)\nd OK"} {
		if !strings.Contains(got, want) {
			t.Errorf("said %q; want %q", got, want)
		}
	}
	if code != 0 {
		t.Errorf("exit %d; want 0", code)
	}
}

// client is one of a session, over a socket.
type client struct {
	t *testing.T
	f *os.File
	r *bufio.Reader
	n int
}

// pair is a client and the other end of its connection.
func pair(t *testing.T) (c *client, theirs *os.File) {
	t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(ends[0]), "client")
	t.Cleanup(func() { f.Close() })
	return &client{t: t, f: f, r: bufio.NewReader(f)}, os.NewFile(uintptr(ends[1]), "session")
}

// await hears until a line begins so, and gives all that was said.
func (c *client) await(prefix string) string {
	c.t.Helper()
	c.f.SetReadDeadline(time.Now().Add(30 * time.Second))
	said := ""
	for {
		line, err := c.r.ReadString('\n')
		if said += strings.TrimSuffix(line, "\r\n") + "\n"; err != nil {
			c.t.Fatalf("waiting for %q: %v after %q", prefix, err, said)
		}
		if strings.HasPrefix(line, prefix) {
			return said
		}
	}
}

func (c *client) say(line string) {
	c.t.Helper()
	if _, err := c.f.WriteString(line + "\r\n"); err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
}

// want says a command, and wants this among what is said up to its end.
func (c *client) want(command, want string) {
	c.t.Helper()
	c.n++
	tag := fmt.Sprint("t", c.n)
	c.say(tag + " " + command)
	if said := c.await(tag + " "); !strings.Contains(strings.ReplaceAll(said, tag+" ", "TAG "), want) {
		c.t.Errorf("%s -> %q; want %q", command, said, want)
	}
}

// idle begins IDLE.
func (c *client) idle() {
	c.t.Helper()
	c.say("i IDLE")
	c.await("+")
}

// done ends it.
func (c *client) done() {
	c.t.Helper()
	c.say("DONE")
	c.await("i OK")
}

// resident starts an imapd that keeps running.
func resident(t *testing.T, dir string, mode string) (connect func() *client) {
	t.Helper()
	opt := chain.NextOptions{Env: []string{playVariable + "=" + mode, "GORACE=atexit_sleep_ms=0", "QMAILHOME=" + dir}}
	if os.Getuid() == 0 {
		cmd := new(exec.Cmd)
		privilegetest.Plain(cmd)
		opt.Cred = cmd.SysProcAttr.Credential
	}
	n := chain.NewNext([]string{"/proc/self/exe", "Mail"}, opt)
	t.Cleanup(func() { n.Close() })
	return func() *client {
		c, theirs := pair(t)
		n.Pass(&chain.Packet{Env: []string{"HOME=" + filepath.Join(dir, "user"), "USER=user", "IMAPTAG=l"}, Conn: int(theirs.Fd()), Control: -1, Data: -1}, func(chain.Report) {})
		theirs.Close()
		c.await("l OK ")
		return c
	}
}

// spawned starts an imapd for one connection.
func spawned(t *testing.T, dir string, mode string) (connect func() *client) {
	return func() *client {
		t.Helper()
		c, theirs := pair(t)
		defer theirs.Close()
		cmd := exec.Command("/proc/self/exe", "Mail")
		cmd.Env = []string{playVariable + "=" + mode, "GORACE=atexit_sleep_ms=0", "QMAILHOME=" + dir, "HOME=" + filepath.Join(dir, "user"), "USER=user", "IMAPTAG=l"}
		cmd.Stdin, cmd.Stdout = theirs, theirs
		privilegetest.Plain(cmd)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.f.Close(); cmd.Wait() })
		c.await("l OK ")
		return c
	}
}

// shapes runs a test with sessions in one process and with a process for each.
func shapes(t *testing.T, mode string, test func(t *testing.T, dir string, connect func() *client)) {
	for name, start := range map[string]func(*testing.T, string, string) func() *client{"resident": resident, "spawned": spawned} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			test(t, dir, start(t, dir, mode))
		})
	}
}

// polling is imapsession's time between looks where nobody tells of changes.
const polling = 5 * time.Second

// TestTold: a client in IDLE is told of what another session does, and of what
// programs of others do in the Maildir, long before it would look by itself.
func TestTold(t *testing.T) {
	shapes(t, "1", func(t *testing.T, dir string, connect func() *client) {
		a, b := connect(), connect()
		for _, c := range []*client{a, b} {
			c.want("SELECT INBOX", "* 1 EXISTS\n")
		}
		a.idle()
		began := time.Now()
		b.want("STORE 1 +FLAGS (\\Flagged $Work)", "* 1 FETCH (FLAGS (\\Flagged ")
		if said := a.await("* 1 FETCH (FLAGS (\\Flagged "); !strings.Contains(said, " $Work") {
			t.Errorf("told of a flag and a keyword: %q", said)
		}
		deliver(t, filepath.Join(dir, "user/Mail"), "2.y.h", "Subject: y\n\ny\n")
		a.await("* 2 EXISTS")
		b.want("STORE 1 +FLAGS.SILENT (\\Deleted)", "TAG OK")
		b.want("EXPUNGE", "* 1 EXPUNGE\n")
		a.await("* 1 EXPUNGE")
		if took := time.Since(began); took > polling {
			t.Errorf("four changes were told after %v; want less than a look's %v", took, polling)
		}
		a.done()
		a.want("FETCH 1 (UID BODY.PEEK[TEXT])", " {3}\ny\n)")
		b.want("FETCH 1 UID", "UID 2")
	})
}

// TestPoint: what HIGHESTMODSEQ says is no more than what was told, while an
// expunge is held back, and all of it after an EXPUNGE (RFC 7162 §3.2, §3.2.7).
func TestPoint(t *testing.T) {
	shapes(t, "1", func(t *testing.T, dir string, connect func() *client) {
		deliver(t, filepath.Join(dir, "user/Mail"), "2.y.h", "Subject: y\n\ny\n")
		a, b := connect(), connect()
		a.want("ENABLE QRESYNC", "ENABLED QRESYNC")
		a.want("SELECT INBOX", "* OK [HIGHESTMODSEQ 3]")
		b.want("SELECT INBOX", "* OK [HIGHESTMODSEQ 3]")
		b.want("STORE 1 +FLAGS.SILENT (\\Deleted)", "TAG OK")
		a.want("NOOP", "MODSEQ (4)")
		b.want("EXPUNGE", "* 1 EXPUNGE\n")
		b.want("STORE 1 +FLAGS (\\Flagged)", "TAG OK")
		a.want("FETCH 2 UID", "MODSEQ (6))\n* OK [HIGHESTMODSEQ 4] that all was told of\nTAG OK")
		a.want("NOOP", "* VANISHED 1\n* OK [HIGHESTMODSEQ 6] that all was told of\nTAG OK")
		a.want("STORE 1 +FLAGS.SILENT (\\Deleted)", "MODSEQ (7)")
		a.want("EXPUNGE", "* VANISHED 2\nTAG OK [HIGHESTMODSEQ 8]")
	})
}

// TestConditional: a STORE that others have come before is refused where they have
// changed the same flag, and only there (RFC 7162 §3.1.3, §3.1.12).
func TestConditional(t *testing.T) {
	shapes(t, "1", func(t *testing.T, dir string, connect func() *client) {
		a, b := connect(), connect()
		a.want("SELECT INBOX (CONDSTORE)", "* OK [HIGHESTMODSEQ 2]")
		b.want("SELECT INBOX", "* 1 EXISTS")
		b.want("STORE 1 +FLAGS (\\Flagged)", "TAG OK")
		a.want("STORE 1 (UNCHANGEDSINCE 2) +FLAGS.SILENT ($Work)", " $Work) MODSEQ (4))\nTAG OK done")
		b.want("STORE 1 -FLAGS (\\Flagged)", "TAG OK")
		a.want("STORE 1 (UNCHANGEDSINCE 4) -FLAGS.SILENT (\\Flagged)", "MODSEQ (5))\nTAG OK [MODIFIED 1]")
		a.want("STORE 1 (UNCHANGEDSINCE 5) +FLAGS.SILENT ($Work)", "* 1 FETCH (UID 1 MODSEQ (5))\nTAG OK done")
	})
}

// TestLooks: where the kernel has no inotify to give, a client in IDLE is told
// all the same.
func TestLooks(t *testing.T) {
	shapes(t, "blind", func(t *testing.T, dir string, connect func() *client) {
		a, b := connect(), connect()
		for _, c := range []*client{a, b} {
			c.want("SELECT INBOX", "* 1 EXISTS\n")
		}
		a.idle()
		began := time.Now()
		deliver(t, filepath.Join(dir, "user/Mail"), "2.y.h", "Subject: y\n\ny\n")
		b.want("STORE 1 +FLAGS (\\Flagged)", "TAG OK")
		if said := a.await("* 2 EXISTS"); !strings.Contains(said, "\\Flagged") {
			a.await("* 1 FETCH (FLAGS (\\Flagged")
		}
		if took := time.Since(began); took < polling/5 {
			t.Errorf("told after %v: the kernel has told, not a look every %v", took, polling)
		}
		a.done()
	})
}

// TestDeletedFolder: who has a folder selected that is deleted, or deleted and
// made anew, is sent away, from IDLE too, and the others go on. Who has one that
// is renamed goes on.
func TestDeletedFolder(t *testing.T) {
	shapes(t, "1", func(t *testing.T, _ string, connect func() *client) {
		a, b, c := connect(), connect(), connect()
		for _, anew := range []bool{false, true} {
			c.want("CREATE Work", "TAG OK")
			c.want("APPEND Work {1+}\r\nx", "TAG OK [APPENDUID ")
			for _, who := range []*client{a, b} {
				who.want("SELECT Work", "* 1 EXISTS\n")
			}
			c.want("RENAME Work Play", "TAG OK")
			a.want("STORE 1 +FLAGS (\\Flagged)", "* 1 FETCH (FLAGS (\\Flagged")
			c.want("RENAME Play Work", "TAG OK")
			b.idle()
			c.want("DELETE Work", "TAG OK")
			if anew {
				c.want("CREATE Work", "TAG OK")
			}
			b.await("* BYE the mailbox is not what it was")
			a.say("x NOOP")
			a.await("* BYE the mailbox is not what it was")
			c.want("SELECT INBOX", "* 1 EXISTS\n")
			a, b = connect(), connect()
		}
	})
}

// TestLeaves: a client that is gone, in IDLE too, is no trouble to tell of.
func TestLeaves(t *testing.T) {
	dir := folder(t)
	for _, in := range []string{"", "a SELECT INBOX\n", "a IDLE\n", "a SELECT INBOX\nb IDLE\n"} {
		c, theirs := pair(t)
		cmd := exec.Command("/proc/self/exe", "M")
		cmd.Dir = dir
		cmd.Env = []string{playVariable + "=1", "GORACE=atexit_sleep_ms=0", "QMAILHOME=" + dir, "USER=user"}
		var log bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, &log
		privilegetest.Plain(cmd)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		theirs.Close()
		c.await("* PREAUTH")
		c.f.WriteString(strings.ReplaceAll(in, "\n", "\r\n"))
		if strings.HasSuffix(in, "IDLE\n") {
			c.await("+")
		}
		c.f.Close()
		if err := cmd.Wait(); err != nil || strings.Contains(log.String(), " user: ") {
			t.Errorf("after %q: %v, log %q; want exit 0 and nothing of the user", in, err, &log)
		}
	}
}
