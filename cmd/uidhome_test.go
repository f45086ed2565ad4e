// SPDX-License-Identifier: ISC

package cmd

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
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
			port := freePort(t)
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
