// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// door starts a server command on a free port of 127.0.0.1 with a lab's home,
// and gives its address. PORT in the words is replaced.
func (l *lab) door(t *testing.T, words ...string) (addr string, log *safeBuffer) {
	t.Helper()
	port := freePort(t)
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], "PORT", port)
	}
	cmd := exec.Command(words[0], words[1:]...)
	log = new(safeBuffer)
	cmd.Env = append(os.Environ(), "QMAILHOME="+l.dir, "QUILLDNS="+l.env["DNS"])
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if st, err := os.Stat(l.dir); err == nil && os.Getuid() == 0 {
		own := st.Sys().(*syscall.Stat_t)
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: own.Uid, Gid: own.Gid}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	})
	addr = "127.0.0.1:" + port
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return addr, log
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not listen: %v\n%s", words[0], err, log)
		}
	}
}

// TestDoors: the same smtpd and popup answer under Debian's tcpserver, ours in
// both shapes, and systemd's socket activation in inetd style.
func TestDoors(t *testing.T) {
	l := startLab(t)
	smtp := []string{program("smtpd")}
	pop := []string{program("popup"), "pop3.testingsmtp.org", program("checkpassword"), program("pop3d"), "Maildir"}
	doors := map[string][]string{
		"debian":   {"/usr/bin/tcpserver", "-H", "-R", "-l", "mail.testingsmtp.org", "127.0.0.1", "PORT"},
		"spawned":  {program("tcpserver"), "-H", "-R", "-l", "mail.testingsmtp.org", "127.0.0.1", "PORT"},
		"resident": {program("tcpserver"), "-k", "-H", "-R", "-l", "mail.testingsmtp.org", "127.0.0.1", "PORT"},
		"systemd":  {"systemd-socket-activate", "--inetd", "-a", "-E", "QMAILHOME=" + l.dir, "-l", "127.0.0.1:PORT"},
	}
	for name, door := range doors {
		t.Run(name, func(t *testing.T) {
			addr, _ := l.door(t, append(append([]string{}, door...), smtp...)...)
			before := len(l.mails("sendmemail"))
			one := &lab{t: t, dir: l.dir, env: map[string]string{"SMTP": addr}}
			one.send(t, netwatcher, "Subject: by "+name+"\n\nx", sendmemail)
			l.await("sendmemail", before+1)
			addr, _ = l.door(t, append(append([]string{}, door...), pop...)...)
			c := dial(t, addr)
			c.hear()
			c.want("USER "+sendmemail, "+OK")
			c.want("PASS lab", "+OK")
			c.want("STAT", fmt.Sprintf("+OK %d ", before+1))
			c.want("QUIT", "+OK")
		})
	}
}

// TestForeign: in a resident chain a program of others acts on every
// connection: Debian's rblsmtpd and recordio, a script that execs the next
// program, and a checkpassword that is a shell script. None is skipped.
func TestForeign(t *testing.T) {
	l := startLab(t)
	door := []string{program("tcpserver"), "-k", "-H", "-R", "-l", "mail.testingsmtp.org", "127.0.0.1", "PORT"}
	const sessions = 5
	t.Run("rblsmtpd", func(t *testing.T) {
		addr, _ := l.door(t, append(append([]string{"/usr/bin/env", "RBLSMTPD=-no mail from you"}, door...), "/usr/bin/rblsmtpd", program("smtpd"))...)
		for range sessions {
			c := dial(t, addr)
			c.hear()
			c.want("HELO laptop.testingsmtp.org", "250 rblsmtpd.local")
			c.want("MAIL FROM:<>", "250 rblsmtpd.local")
			c.want("RCPT TO:<"+sendmemail+">", "553 no mail from you")
		}
	})
	t.Run("recordio", func(t *testing.T) {
		addr, log := l.door(t, append(append([]string{}, door...), "/usr/bin/recordio", program("smtpd"))...)
		for i := range sessions {
			c := dial(t, addr)
			c.hear()
			c.want(fmt.Sprintf("HELO laptop%d.testingsmtp.org", i), "250")
			c.want("QUIT", "221")
			c.Close()
		}
		time.Sleep(200 * time.Millisecond)
		for i := range sessions {
			if want := fmt.Sprintf("< HELO laptop%d.testingsmtp.org", i); !strings.Contains(log.String(), want) {
				t.Errorf("recordio did not record %q:\n%s", want, log)
			}
		}
	})
	t.Run("script", func(t *testing.T) {
		dir := t.TempDir()
		open(t, dir)
		note := filepath.Join(dir, "note")
		script := writeScript(t, dir, "between", "echo seen >>"+note+"\nexec \"$@\"\n")
		addr, _ := l.door(t, append(append([]string{}, door...), script, program("smtpd"))...)
		time.Sleep(300 * time.Millisecond) // the script runs for the door's own start, too
		os.WriteFile(note, nil, 0o666)
		os.Chmod(note, 0o666)
		for range sessions {
			c := dial(t, addr)
			c.hear()
			c.want("QUIT", "221")
		}
		text, _ := os.ReadFile(note)
		if n := strings.Count(string(text), "seen"); n != sessions {
			t.Errorf("the script ran %d times for %d connections", n, sessions)
		}
	})
	t.Run("checkpassword", func(t *testing.T) {
		dir := t.TempDir()
		open(t, dir)
		note := filepath.Join(dir, "note")
		os.WriteFile(note, nil, 0o666)
		os.Chmod(note, 0o666)
		script := writeScript(t, dir, "checkpw", "tr '\\000' ' ' <&3 | { read -r u p rest; echo \"$u\" >>"+note+"; [ \"$p\" = sesame ]; } || exit 1\n"+
			"exec 3<&-; HOME="+l.dir+"/mail/testingsmtp.org/sendmemail; export HOME; cd \"$HOME\" || exit 111; exec \"$@\"\n")
		addr, _ := l.door(t, append(append([]string{}, door...), program("popup"), "pop3.testingsmtp.org", script, program("pop3d"), "Maildir")...)
		for range sessions {
			c := dial(t, addr)
			c.hear()
			c.want("USER someone", "+OK")
			c.want("PASS wrong", "-ERR")
			c.want("USER someone", "+OK")
			c.want("PASS sesame", "+OK")
			c.want("STAT", "+OK 0 0")
			c.want("QUIT", "+OK")
		}
		text, _ := os.ReadFile(note)
		if n := strings.Count(string(text), "someone"); n != 2*sessions {
			t.Errorf("the foreign checkpassword ran %d times for %d logins", n, 2*sessions)
		}
	})
}

// writeScript writes an executable shell script.
func writeScript(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
