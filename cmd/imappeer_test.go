// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"quill/internal/dovecottest"
)

// imapServer is a server that clients are tried against. It has the accounts
// u0@testingsmtp.org, u1… with the password pass, each for one client alone.
type imapServer struct {
	addr     string
	pop      string // its POP3 server; "" where it is a Dovecot
	homes    string // user N's Maildir is homes/uN/Maildir
	uid, gid int    // whose the Maildirs are
}

const (
	imapUsers    = 14
	imapPassword = dovecottest.Password
)

// startIMAP starts our lab in one of its shapes; or, with IMAP_PEER=dovecot,
// Debian's Dovecot, which shows that it is the client's driver that is right.
func startIMAP(t *testing.T, spawned bool) *imapServer {
	t.Helper()
	switch peer := os.Getenv("IMAP_PEER"); peer {
	case "":
	case "dovecot":
		return startDovecot(t)
	default:
		t.Fatalf("IMAP_PEER is %q; want dovecot or nothing", peer)
	}
	args, door := []string{"--users", strconv.Itoa(imapUsers)}, []string{program("tcpserver"), "-k"}
	if spawned {
		args, door = append(args, "--spawned"), door[:1]
	}
	l := startLab(t, args...)
	st, err := os.Stat(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	if l.env["IMAP"] == "" {
		l.env["IMAP"], _ = l.door(t, append(door, "-H", "-R", "-l", "mail.testingsmtp.org", "127.0.0.1", "PORT",
			program("imapup"), "imap.testingsmtp.org", program("checkpassword"), program("imapd"), "Maildir")...)
	}
	own := st.Sys().(*syscall.Stat_t)
	return &imapServer{l.env["IMAP"], l.env["POP3"], filepath.Join(l.dir, "mail/testingsmtp.org"), int(own.Uid), int(own.Gid)}
}

// startDovecot runs a Dovecot of this test's alone. It wants root.
func startDovecot(t *testing.T) *imapServer {
	t.Helper()
	dir := t.TempDir()
	open(t, dir)
	s := &imapServer{"", "", filepath.Join(dir, "mail"), dovecottest.UID, dovecottest.UID}
	for i := range imapUsers {
		for _, sub := range []string{"cur", "new", "tmp"} {
			if err := os.MkdirAll(filepath.Join(s.box(i), sub), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.addr = dovecottest.Start(t, dir).Addr
	return s
}

func imapUser(i int) string { return fmt.Sprintf("u%d@testingsmtp.org", i) }

// box is a user's Maildir.
func (s *imapServer) box(i int) string {
	return filepath.Join(s.homes, fmt.Sprintf("u%d", i), "Maildir")
}

// letter is a small mail as delivered.
func letter(subject string) string {
	return "Return-Path: <" + netwatcher + ">\nDelivered-To: " + sendmemail + "\n" +
		"Received: from laptop.testingsmtp.org (127.0.0.1) by mail.testingsmtp.org with SMTP; 27 Nov 2026 10:00:00 -0000\n" +
		"Date: Fri, 27 Nov 2026 10:00:00 +0000\nFrom: Net Watcher <" + netwatcher + ">\nTo: " + sendmemail + "\n" +
		"Subject: " + subject + "\nMessage-ID: <" + strings.ReplaceAll(subject, " ", ".") + "@testingsmtp.org>\n" +
		"MIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n\nThe text of " + subject + ".\nIts last line.\n"
}

// deliver puts mails with subjects "mail FROM" to "mail TO" into a user's new/,
// as a delivery does.
func (s *imapServer) deliver(t *testing.T, user, from, to int) {
	t.Helper()
	now := time.Now().Unix()
	for i := from; i <= to; i++ {
		name := filepath.Join(s.box(user), "new", fmt.Sprintf("%d.M%06dP%d.mail.testingsmtp.org", now, i, os.Getpid()))
		if err := os.WriteFile(name, []byte(letter(fmt.Sprintf("mail %d", i))), 0o600); err != nil {
			t.Fatal(err)
		}
		if os.Getuid() == 0 {
			if err := os.Chown(name, s.uid, s.gid); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// tap stands between a client and a server and keeps what they say.
type tap struct {
	host, port string
	said       safeBuffer // by the client
	all        safeBuffer
}

// tap opens one. Its text is shown where the test fails.
func (s *imapServer) tap(t *testing.T) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := new(tap)
	p.host, p.port, _ = net.SplitHostPort(l.Addr().String())
	t.Cleanup(func() {
		l.Close()
		p.show(t)
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.join(c, s.addr)
		}
	}()
	return p
}

// join copies both ways until one side ends.
func (p *tap) join(c net.Conn, addr string) {
	defer c.Close()
	up, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return
	}
	defer up.Close()
	go func() {
		io.Copy(io.MultiWriter(up, &p.said, &p.all), c)
		up.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(io.MultiWriter(c, &p.all), up)
}

// show prints the end of the talk where the test failed, and writes all of it
// into the folder IMAP_TAP where that is set.
func (p *tap) show(t *testing.T) {
	text := p.all.String()
	if dir := os.Getenv("IMAP_TAP"); dir != "" {
		name := strings.ReplaceAll(t.Name(), "/", "-")
		os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)
		os.WriteFile(filepath.Join(dir, name+".said"), []byte(p.said.String()), 0o644)
	}
	if t.Failed() {
		t.Logf("the talk's end:\n%s", text[max(0, len(text)-6000):])
	}
}

// used wants the client to have said each of these.
func (p *tap) used(t *testing.T, words ...string) {
	t.Helper()
	said := strings.ToUpper(p.said.String())
	for _, w := range words {
		if !strings.Contains(said, strings.ToUpper(w)) {
			t.Errorf("the client never said %q", w)
		}
	}
}
