// SPDX-License-Identifier: ISC

package cmd

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"quill/internal/supervise"
)

// names are the users of home(7) and of the accounts, with numbers that nobody
// has. Where the tests are not run by root everything is our own uid.
var names = map[string]int{"quilld": 61201, "quillq": 61202, "quilldns": 61203, "sendmemail": 61204, "netwatcher": 61205}

// uidOf is the number of a user in these tests.
func uidOf(name string) int {
	if os.Getuid() == 0 {
		return names[name]
	}
	return os.Getuid()
}

// TestUids: the run scripts of etc/service, started by root, run each program
// as the uid of home(7) and nothing else: a mail goes in by SMTP, into a
// Maildir of the account's uid, and out by IMAP and POP3. Not started by root,
// everything is one uid.
func TestUids(t *testing.T) {
	for _, shape := range []string{"-k", ""} {
		t.Run("shape "+shape, func(t *testing.T) {
			h := newUidHome(t, shape)
			h.start(t)
			c := h.l.dial(t, "SMTP")
			c.hear()
			c.want("EHLO laptop.testingsmtp.org", "250")
			p := h.l.dial(t, "POP3")
			p.hear()
			p.want("USER "+netwatcher, "+OK")
			i := h.l.dial(t, "IMAP")
			i.hear()
			i.want("a NOOP", "a OK")
			h.check(t, "with an open dialogue each")
			for _, to := range []string{"sendmemail", "netwatcher"} {
				h.l.send(t, netwatcher, "Subject: uids\nFrom: netwatcher@testingsmtp.org\n\n.dot\nline", to+"@testingsmtp.org")
				if mail := h.l.await(to, 1)[0]; !strings.Contains(mail, " invoked from network); ") {
					t.Errorf("mail of %s did not come from the network:\n%s", to, mail)
				}
				h.owned(t, to)
			}
			p.want("PASS wrong", "-ERR")
			p.want("USER "+netwatcher, "+OK")
			p.want("PASS lab", "+OK")
			other := h.l.dial(t, "POP3")
			other.hear()
			other.want("USER "+sendmemail, "+OK")
			other.want("PASS lab", "+OK")
			for _, session := range []*talk{p, other} {
				session.want("STAT", "+OK 1 ")
				session.want("RETR 1", "+OK")
				session.body()
			}
			i.want("b LOGIN "+netwatcher+" wrong", "b NO")
			i.want("c LOGIN "+netwatcher+" lab", "c OK")
			if got := i.tagged("d SELECT INBOX"); !strings.Contains(got, "* 1 EXISTS") || !strings.Contains(got, "d OK [READ-WRITE]") {
				t.Errorf("SELECT INBOX: %q", got)
			}
			h.check(t, "with two users' sessions")
			for _, session := range []*talk{p, other} {
				session.want("DELE 1", "+OK")
				session.want("QUIT", "+OK")
			}
			if n := len(h.l.mails("sendmemail")) + len(h.l.mails("netwatcher")); n != 0 {
				t.Errorf("%d mails after DELE and QUIT; want 0", n)
			}
		})
	}
}

// TestUidsDeath: of a chain that root has started, nothing that dies is started
// again as somebody else: all of it ends and is started by root anew. Not
// started by root, the chain goes on.
func TestUidsDeath(t *testing.T) {
	h := newUidHome(t, "-k")
	h.start(t)
	for name, n := range map[string]int{"checkpassword": 2, "qmail-lspawn": 1} { // of POP3 and of IMAP
		found := h.named(name)
		if len(found) != n {
			t.Fatalf("%d processes %s; want %d", len(found), name, n)
		}
		for _, pid := range found {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if again := h.named(name); len(again) == n && !slices.ContainsFunc(again, func(pid int) bool { return slices.Contains(found, pid) }) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s is not there again after 20 s\n%s", name, h.l.logs())
			}
		}
	}
	h.l.send(t, netwatcher, "Subject: after\n\n.dot\nline", sendmemail)
	h.l.await("sendmemail", 1)
	h.owned(t, "sendmemail")
	h.greeted(t, "POP3")
	p := h.l.dial(t, "POP3")
	p.hear()
	p.want("USER "+sendmemail, "+OK")
	p.want("PASS lab", "+OK")
	p.want("STAT", "+OK 1 ")
	h.check(t, "after two deaths")
}

// TestRootRefused: a program that reads what strangers send refuses to be root,
// says what to do, and reads nothing. Not started by root, UID and GID are
// nothing to it.
func TestRootRefused(t *testing.T) {
	h := newUidHome(t, "-k")
	for _, c := range []struct {
		words []string
		fix   string
	}{
		{[]string{"smtpd"}, "UID and GID"},
		{[]string{"popup", "host", "checkpassword", "pop3d", "Maildir"}, "UID and GID"},
		{[]string{"imapup", "host", "checkpassword", "imapd", "Maildir"}, "UID and GID"},
		{[]string{"recordio", "smtpd"}, "UID and GID"},
		{[]string{"tcpserver", "-k", "-HR", "127.0.0.1", "0", "smtpd"}, "-u and -g"},
		{[]string{"tcpserver", "-kU", "-HR", "127.0.0.1", "0", "smtpd"}, "-u and -g"},
		{[]string{"tinydns"}, "UID and GID"},
	} {
		for _, uid := range []string{"0", "x"} {
			if uid == "x" && c.words[1%len(c.words)] == "-kU" {
				continue // usage
			}
			cmd := exec.Command(program(c.words[0]), c.words[1:]...)
			cmd.Env = []string{"PATH=" + h.path, "QMAILHOME=" + h.l.dir, "UID=" + uid, "GID=0", "ROOT=" + h.l.dir + "/dns", "IP=127.0.0.1", "PORT=" + uidPort(t)}
			cmd.Stdin = strings.NewReader(map[string]string{"imapup": "a LOGOUT\r\n"}[c.words[0]] + "QUIT\r\n")
			if os.Getuid() != 0 {
				if c.words[0] == "tcpserver" || c.words[0] == "tinydns" {
					continue // they would stay
				}
				if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "221") && !strings.Contains(string(out), "+OK") && !strings.Contains(string(out), "* BYE") {
					t.Errorf("%v not started by root: %v, %q", c.words, err, out)
				}
				continue
			}
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != 111 || !strings.Contains(string(out), c.fix) || strings.Contains(string(out), "220 ") || strings.Contains(string(out), "+OK") || strings.Contains(string(out), "* OK") {
				t.Errorf("%v started by root, UID=%s: exit %d, %q; want 111 and %q", c.words, uid, code, out, c.fix)
			}
		}
	}
	if os.Getuid() != 0 {
		return
	}
	if err := os.Chown(filepath.Join(h.l.dir, "queue"), 0, 0); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"queued", "qmail-send"} {
		if out := fails(t, 111, "", program(name)); !strings.Contains(out, "queue belongs to root") {
			t.Errorf("%s with a queue of root's: %q", name, out)
		}
	}
}

// TestGuard: in the spawned shape a checkpassword of others gets what the
// family's popup gives it, descriptor 3 and its own uid, while who speaks with
// the client is somebody else; wrong passwords are as many as without root.
func TestGuard(t *testing.T) {
	h := newUidHome(t, "")
	note := filepath.Join(h.l.dir, "note")
	h.program(t, "checkpw", "#!/bin/sh\ntr '\\000' ' ' <&3 | { read -r u p rest; echo \"$u $p $(/usr/bin/id -u)\" >>"+note+"; [ \"$p\" = sesame ]; } || exit 1\n"+
		"exec 3<&-; exec \"$@\"\n")
	h.program(t, "session", "#!/bin/sh\nprintf '+OK in\\r\\n'; read -r line; printf '+OK bye\\r\\n'; exit 7\n")
	log := h.door(t, "POP3", "popup")
	c := h.l.dial(t, "POP3")
	c.hear()
	c.want("USER someone", "+OK")
	c.want("PASS wrong", "-ERR")
	c.want("USER someone", "+OK")
	c.want("PASS sesame", "+OK in")
	c.want("QUIT", "+OK bye")
	c = h.l.dial(t, "POP3")
	c.hear()
	for range 3 {
		c.want("USER someone", "+OK")
		c.want("PASS wrong", "-ERR")
	}
	if _, err := c.r.ReadByte(); err == nil {
		t.Error("the connection lives on after three wrong passwords")
	}
	text, err := os.ReadFile(note)
	wrong, right := fmt.Sprintf("someone wrong %d\n", os.Getuid()), fmt.Sprintf("someone sesame %d\n", os.Getuid())
	if want := wrong + right + strings.Repeat(wrong, 3); err != nil || string(text) != want {
		t.Errorf("checkpassword saw %q, %v; want %q", text, err, want)
	}
	if os.Getuid() == 0 && strings.Contains(log.String(), "fatal") {
		t.Errorf("log: %s", log)
	}
}

// TestGuardTag: imapup's guard tells the rest of the chain the tag of the login,
// and nothing else of what the client says.
func TestGuardTag(t *testing.T) {
	h := newUidHome(t, "")
	h.program(t, "checkpw", "#!/bin/sh\n[ \"$(tr '\\000' ' ' <&3)\" = 'someone sesame  ' ] || exit 1\nexec 3<&-; exec \"$@\"\n")
	h.program(t, "session", "#!/bin/sh\nprintf '%s OK uid %s\\r\\n' \"$IMAPTAG\" \"$(/usr/bin/id -u)\"; read -r line; printf '%s\\r\\n' \"$line\"; exit 0\n")
	log := h.door(t, "IMAP", "imapup")
	c := h.l.dial(t, "IMAP")
	c.hear()
	c.want("a1 LOGIN someone wrong", "a1 NO [AUTHENTICATIONFAILED]")
	c.want("a;2 LOGIN someone sesame", fmt.Sprintf("a;2 OK uid %d", os.Getuid()))
	c.want("b NOOP", "b NOOP")
	if os.Getuid() == 0 && strings.Contains(log.String(), "fatal") {
		t.Errorf("log: %s", log)
	}
}

// door starts a spawned chain of tcpserver, a program that takes logins, and the
// home's own checkpw and session; it gives the chain's log.
func (h *uidHome) door(t *testing.T, service, name string) *safeBuffer {
	t.Helper()
	port := uidPort(t)
	log := new(safeBuffer)
	cmd := exec.Command(program("tcpserver"), "-vHR", "-l", "0", "127.0.0.1", port, name, "host", "checkpw", "session")
	cmd.Env = []string{"PATH=" + h.path, "QMAILHOME=" + h.l.dir, fmt.Sprint("UID=", uidOf("quilld")), fmt.Sprint("GID=", uidOf("quilld"))}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	h.l.env[service] = "127.0.0.1:" + port
	h.greeted(t, service)
	return log
}

// program writes a program of others.
func (h *uidHome) program(t *testing.T, name, text string) {
	t.Helper()
	h.write(t, "fake/"+name, text)
	if err := os.Chmod(filepath.Join(h.l.dir, "fake", name), 0o755); err != nil {
		t.Fatal(err)
	}
}

// uidHome is a home with several uids, and its services.
type uidHome struct {
	l     *lab // what the helpers for labs need
	shape string
	path  string
	group supervise.Group
}

// newUidHome makes a home as home(7) says.
func newUidHome(t *testing.T, shape string) *uidHome {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	h := &uidHome{shape: shape, l: &lab{t: t, dir: dir, env: map[string]string{}}}
	for _, d := range []string{"control", "users", "alias", "dns", "tcp", "log", "mail", "queue", "fake"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir)
	h.write(t, "control/me", "mail.testingsmtp.org")
	for _, f := range []string{"locals", "rcpthosts", "defaultdomain"} {
		h.write(t, "control/"+f, "testingsmtp.org")
	}
	h.write(t, "control/queuetrust", fmt.Sprint(uidOf("quilld")))
	for _, s := range []string{"smtp", "pop3", "imap"} {
		run(t, ":allow\n", program("tcprules"), filepath.Join(dir, "tcp", s+".cdb"), filepath.Join(dir, "tcp", s+".tmp"))
	}
	h.write(t, "dns/data", "=mail.testingsmtp.org:127.0.0.1:3600")
	for _, a := range []string{"sendmemail", "netwatcher"} {
		h.addUser(t, a)
	}
	h.own(t, "quillq", "queue")
	h.own(t, "quilldns", "dns")
	h.fakeID(t)
	return h
}

func (h *uidHome) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.l.dir, name), []byte(text+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (h *uidHome) own(t *testing.T, name, folder string) {
	t.Helper()
	if os.Getuid() == 0 {
		if err := os.Chown(filepath.Join(h.l.dir, folder), uidOf(name), uidOf(name)); err != nil {
			t.Fatal(err)
		}
	}
}

// addUser adds an account as root does.
func (h *uidHome) addUser(t *testing.T, name string) {
	t.Helper()
	uid, gid := uidOf(name), os.Getgid()
	if os.Getuid() == 0 {
		gid = uid
	}
	t.Setenv("QMAILHOME", h.l.dir)
	run(t, "lab\n", program("quill"), "user", "add", "--password-stdin", "--uid", fmt.Sprint(uid), "--gid", fmt.Sprint(gid), name+"@testingsmtp.org")
}

// fakeID stands in for id(1), so that the run scripts find users that this
// machine has not.
func (h *uidHome) fakeID(t *testing.T) {
	t.Helper()
	text := "#!/bin/sh\ncase $2 in\n"
	for name := range names {
		text += fmt.Sprintf("%s) echo %d;;\n", name, uidOf(name))
	}
	text += fmt.Sprintf("*) echo %d;;\nesac\n", os.Getuid())
	if err := os.WriteFile(filepath.Join(h.l.dir, "fake/id"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	h.path = filepath.Join(h.l.dir, "fake") + ":" + bin + ":/usr/bin:/bin"
}

// start starts the services by their run scripts, and waits for them.
func (h *uidHome) start(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		h.group.Stop()
		if t.Failed() {
			t.Log(h.l.logs())
		}
	})
	for _, s := range []struct{ name, addr string }{{"dns", "DNS"}, {"queued", ""}, {"send", ""}, {"smtpd", "SMTP"}, {"pop3d", "POP3"}, {"imapd", "IMAP"}} {
		env := []string{"PATH=" + h.path, "QMAILHOME=" + h.l.dir, "SHAPE=" + h.shape, "POPHOST=pop3.testingsmtp.org", "IMAPHOST=imap.testingsmtp.org"}
		if s.addr != "" {
			port := uidPort(t)
			h.l.env[s.addr] = "127.0.0.1:" + port
			env = append(env, "IP=127.0.0.1", "PORT="+port, "QUILLDNS="+h.l.env["DNS"])
		}
		script, err := filepath.Abs("../etc/service/" + s.name + "/run")
		if err != nil {
			t.Fatal(err)
		}
		if err := h.group.Start(supervise.Service{Name: s.name, Script: script, Dir: h.l.dir, Env: env, Log: filepath.Join(h.l.dir, "log", s.name)}); err != nil {
			t.Fatal(err)
		}
	}
	h.greeted(t, "SMTP")
	h.greeted(t, "POP3")
	h.greeted(t, "IMAP")
	// qmail-send is started again and again until queued has made its folders.
	for end := time.Now().Add(20 * time.Second); len(h.named("qmail-lspawn")) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no qmail-lspawn after 20 s\n%s", h.l.logs())
		}
	}
}

// greeted waits until a service greets, so that its chain runs.
func (h *uidHome) greeted(t *testing.T, service string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", h.l.env[service])
		if err == nil {
			c.SetDeadline(time.Now().Add(10 * time.Second))
			_, err = c.Read(make([]byte, 1))
			c.Close()
		}
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not greet: %v\n%s", service, err, h.l.logs())
		}
	}
}

func uidPort(t *testing.T) string {
	t.Helper()
	n, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	_, port, _ := net.SplitHostPort(n.Addr().String())
	return port
}

// owned: what was delivered belongs to the account's uid.
func (h *uidHome) owned(t *testing.T, user string) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(h.l.dir, "mail/testingsmtp.org", user, "Maildir/new/*"))
	for _, f := range files {
		st, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if uid := int(st.Sys().(*syscall.Stat_t).Uid); uid != uidOf(user) {
			t.Errorf("%s belongs to uid %d; want %d", f, uid, uidOf(user))
		}
	}
}

// services are the processes of the home: those below us that have it in their
// environment.
func (h *uidHome) services() []process {
	return slices.DeleteFunc(descendants(os.Getpid()), func(p process) bool {
		env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.pid))
		return os.Getuid() == 0 && !strings.Contains(string(env), "QMAILHOME="+h.l.dir+"\x00") || p.name == "sh"
	})
}

func (h *uidHome) named(name string) (pids []int) {
	for _, p := range h.services() {
		if words := argv(p.pid); filepath.Base(words[0]) == name {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// check looks at every process: its ids, in every thread, its groups, its
// capabilities, and what sockets root has.
func (h *uidHome) check(t *testing.T, when string) {
	t.Helper()
	tcp := tcpSockets()
	seen := map[string]bool{}
	users := map[int]bool{}
	for _, p := range h.services() {
		name := filepath.Base(argv(p.pid)[0])
		seen[name] = true
		uids := h.expected(name)
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.pid))
		for _, task := range tasks {
			uid, ok := checkStatus(t, when+": "+name, task, uids, h.confined(name))
			seen[fmt.Sprint(name, " as ", uid)] = true
			if ok && (name == "pop3d" || name == "imapd" || name == "local-delivery") {
				users[uid] = true
			}
			if ok && uid == 0 && !h.mayHaveSocket(name) {
				rootWithoutTCP(t, when, name, p.pid, tcp)
			}
		}
	}
	want := []string{"tcpserver", "popup", "imapup", "smtpd", "queued", "qmail-send", "qmail-lspawn", "tinydns", fmt.Sprint("popup as ", uidOf("quilld")), fmt.Sprint("imapup as ", uidOf("quilld")), fmt.Sprint("tcpserver as ", uidOf("quilld"))}
	if h.shape != "" {
		want = append(want, "checkpassword")
	}
	for _, name := range want {
		if !seen[name] {
			t.Errorf("%s: no process %s was looked at", when, name)
		}
	}
	if when == "with two users' sessions" && os.Getuid() == 0 && len(users) != 2 {
		t.Errorf("%s: pop3d and local-delivery run as %v; want both users", when, users)
	}
}

// guarded is who is root as well in the spawned shape.
var guarded = []string{"tcpserver", "popup", "imapup"}

// expected is the uids that a program may have.
func (h *uidHome) expected(name string) []int {
	accounts := []int{uidOf("sendmemail"), uidOf("netwatcher")}
	all := map[string][]int{
		"tcpserver": {uidOf("quilld")}, "popup": {uidOf("quilld")}, "imapup": {uidOf("quilld")}, "smtpd": {uidOf("quilld")}, "checkpassword": {0}, "qmail-lspawn": {0},
		"queued": {uidOf("quillq")}, "qmail-send": {uidOf("quillq")}, "tinydns": {uidOf("quilldns")}, "pop3d": accounts, "imapd": accounts, "local-delivery": accounts,
	}
	switch {
	case os.Getuid() != 0:
		return []int{os.Getuid()}
	case h.shape == "" && slices.Contains(guarded, name):
		return append(all[name], 0) // the doors and guards of logins, chain(7)
	}
	return all[name]
}

// mayHaveSocket names who as root holds connections, which it does not read:
// only in the spawned shape.
func (h *uidHome) mayHaveSocket(name string) bool {
	return h.shape == "" && slices.Contains(guarded, name)
}

// confined says who has no_new_privs: not a door, nor an smtpd that may have a
// setuid qmail-queue behind it, in the spawned shape, nor a door that is not
// root's.
func (h *uidHome) confined(name string) bool {
	switch name {
	case "tcpserver":
		return h.shape != "" && os.Getuid() == 0
	case "smtpd":
		return h.shape != ""
	}
	return !slices.Contains([]string{"checkpassword", "qmail-lspawn"}, name)
}

// checkStatus reads /proc/PID/task/TID/status; ok is false where the thread is
// gone.
func checkStatus(t *testing.T, who, file string, want []int, confined bool) (uid int, ok bool) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	f := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		k, v, _ := strings.Cut(line, ":")
		f[k] = strings.Fields(v)
	}
	uid = -1
	fmt.Sscan(f["Uid"][0], &uid)
	same := func(ids []string) bool { return len(ids) == 4 && len(slices.Compact(slices.Clone(ids))) == 1 }
	if !slices.Contains(want, uid) || !same(f["Uid"]) || !same(f["Gid"]) {
		t.Errorf("%s: Uid %v, Gid %v; want %v four times", who, f["Uid"], f["Gid"], want)
	}
	if uid != 0 && strings.Trim(strings.Join(append(append(f["CapEff"], f["CapPrm"]...), f["CapInh"]...), ""), "0") != "" {
		t.Errorf("%s: capabilities %v %v %v; want none", who, f["CapEff"], f["CapPrm"], f["CapInh"])
	}
	if os.Getuid() == 0 && uid != 0 && (len(f["Groups"]) != 0 || f["Gid"][0] == "0") {
		t.Errorf("%s: gid %v, groups %v; want none of root's", who, f["Gid"], f["Groups"])
	}
	if uid != 0 && confined && f["NoNewPrivs"][0] != "1" {
		t.Errorf("%s: no_new_privs is not set", who)
	}
	return uid, true
}

// tcpSockets is the inodes of all TCP sockets.
func tcpSockets() map[string]bool {
	inodes := map[string]bool{}
	for _, f := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, _ := os.ReadFile(f)
		for line := range strings.Lines(string(b)) {
			if w := strings.Fields(line); len(w) > 9 {
				inodes["socket:["+w[9]+"]"] = true
			}
		}
	}
	return inodes
}

func rootWithoutTCP(t *testing.T, when, name string, pid int, tcp map[string]bool) {
	t.Helper()
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, fd := range fds {
		if to, _ := os.Readlink(fd); tcp[to] {
			t.Errorf("%s: %s is root and has a TCP socket open: %s", when, name, fd)
		}
	}
}
