// SPDX-License-Identifier: ISC

package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

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
