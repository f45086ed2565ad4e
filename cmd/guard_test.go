// SPDX-License-Identifier: ISC

package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

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
			cmd.Env = []string{"PATH=" + h.path, "QMAILHOME=" + h.l.dir, "UID=" + uid, "GID=0", "ROOT=" + h.l.dir + "/dns", "IP=127.0.0.1", "PORT=" + freePort(t)}
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
	port := freePort(t)
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
