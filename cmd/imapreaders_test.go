// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a program at a pseudo-terminal.
type terminal struct {
	t      *testing.T
	master *os.File
	screen safeBuffer
	seen   int // bytes of the screen that are behind us
	ended  chan error
}

// terminal starts the client at a terminal of 100 columns and 40 lines; it is
// killed after two minutes.
func (u *mailUser) terminal(t *testing.T, name string, args ...string) *terminal {
	t.Helper()
	master, slave := openTerminal(t)
	defer slave.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	cmd := u.client(ctx, name, args...)
	cmd.Env = append(cmd.Env, "TERM=vt220", "LINES=40", "COLUMNS=100")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	x := &terminal{t: t, master: master, ended: make(chan error, 1)}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go x.read()
	go func() { x.ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cancel()
		err := <-x.ended
		master.Close()
		if text := x.screen.String(); t.Failed() {
			t.Logf("%s: %v; the screen's end:\n%q", name, err, text[max(0, len(text)-4000):])
		}
	})
	return x
}

func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100})
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// read keeps what the program shows, until it ends.
func (x *terminal) read() {
	b := make([]byte, 4096)
	for {
		n, err := x.master.Read(b)
		x.screen.Write(b[:n])
		if err != nil {
			return
		}
	}
}

// sees waits until the program has shown a text since the last one was seen.
func (x *terminal) sees(text string) {
	x.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		all := x.screen.String()
		if i := strings.Index(all[x.seen:], text); i >= 0 {
			x.seen += i + len(text)
			return
		}
		if time.Now().After(end) {
			x.t.Fatalf("the screen does not show %q", text)
		}
	}
}

// types types keys.
func (x *terminal) types(keys string) {
	x.t.Helper()
	if _, err := x.master.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// ends waits for the program's end.
func (x *terminal) ends() {
	x.t.Helper()
	select {
	case err := <-x.ended:
		x.ended <- err
		if err != nil {
			x.t.Errorf("the program ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		x.t.Fatal("the program does not end")
	}
}

// neomuttIMAP reads one mail, flags one and deletes one, with CONDSTORE, QRESYNC
// and a header cache; opened again it shows the same.
func neomuttIMAP(t *testing.T, u *mailUser) {
	u.deliver(t, u.n, 1, 9)
	rc := u.file(t, "neomuttrc", `set imap_user="@USER@" imap_pass="@PASS@" imap_authenticators="plain:login"
set ssl_starttls=no ssl_force_tls=no imap_condstore=yes imap_qresync=yes imap_idle=yes
set folder="imap://@HOST@:@PORT@/" spoolfile="imap://@HOST@:@PORT@/INBOX"
set header_cache="@HOME@/cache" message_cachedir="@HOME@/bodies" sort=subject
set delete=yes quit=yes confirmappend=no wait_key=no pager=builtin mark_old=no use_threads=no
set index_format="%s <%Z>" status_format="inbox %m mails" pager_index_lines=0 help=no
`)
	if err := os.Mkdir(filepath.Join(u.home, "bodies"), 0o700); err != nil {
		t.Fatal(err)
	}
	x := u.terminal(t, "neomutt", "-n", "-F", rc)
	x.sees("inbox 9 mails")
	x.types("/mail 3\r\r")
	x.sees("The text of mail 3.")
	x.types("i/mail 4\rF/mail 5\rd")
	x.sees("mail 5 <ND")
	x.types("q")
	x.ends()
	want := numbered(1, 9, "")
	want["mail 3"], want["mail 4"] = `\Seen`, `\Flagged`
	delete(want, "mail 5")
	u.wantMails(t, u.n, "INBOX", want)
	u.deliver(t, u.n, 10, 10)
	before := len(u.said.String())
	x = u.terminal(t, "neomutt", "-n", "-F", rc)
	x.sees("inbox 9 mails")
	x.types("/mail 10\r\r")
	x.sees("The text of mail 10.")
	x.types("iq")
	x.ends()
	want["mail 10"] = `\Seen`
	u.wantMails(t, u.n, "INBOX", want)
	if said := u.said.String()[before:]; !strings.Contains(said, "VANISHED)") {
		t.Errorf("the second opening did not resynchronise:\n%s", said)
	}
	u.used(t, "ENABLE UTF8=ACCEPT", "ENABLE QRESYNC", "(CONDSTORE)", "BODY.PEEK[HEADER.FIELDS (", "IDLE", "UID STORE", "CLOSE")
}

// alpineIMAP opens INBOX, reads a mail and quits.
func alpineIMAP(t *testing.T, u *mailUser) {
	u.deliver(t, u.n, 1, 5)
	rc := u.file(t, "pinerc", `personal-name=U
user-domain=testingsmtp.org
inbox-path={@HOST@:@PORT@/novalidate-cert/notls/user=@USER@}INBOX
feature-list=quit-without-confirm,expunge-without-confirm,enable-incoming-folders
last-version-used=6.26
index-format=SUBJECT
sort-key=Arrival
`)
	x := u.terminal(t, "alpine", "-p", rc, "-i", "-passfile", u.home+"/none")
	x.sees("PASSWORD")
	x.types(imapPassword + "\r")
	x.sees("Preserve password")
	x.types("n")
	x.sees("mail 5")
	x.types("\r")
	x.sees("The text of mail ")
	x.types("q")
	x.ends()
	seen := 0
	for _, flags := range u.mails(t, u.n, "INBOX") {
		if flags == `\Seen` {
			seen++
		}
	}
	if seen != 1 {
		t.Errorf("after alpine read one mail, %d are seen", seen)
	}
	u.used(t, "AUTHENTICATE PLAIN", "SELECT INBOX", "ENVELOPE", "BODYSTRUCTURE", "BODY[1]")
}

// aercIMAP opens INBOX, reads a mail and quits.
func aercIMAP(t *testing.T, u *mailUser) {
	u.deliver(t, u.n, 1, 5)
	u.file(t, ".config/aerc/accounts.conf", "[a]\nsource = imap+insecure://"+strings.ReplaceAll(u.name, "@", "%40")+":@PASS@@@HOST@:@PORT@\ndefault = INBOX\nfrom = U <@USER@>\ncheck-mail = 0\n")
	u.file(t, ".config/aerc/aerc.conf", "[general]\nunsafe-accounts-conf = true\n[ui]\nindex-format = %s\n[filters]\ntext/plain = cat\n")
	u.file(t, ".config/aerc/binds.conf", "[messages]\nq = :quit<Enter>\n<Enter> = :view<Enter>\n[view]\nq = :close<Enter>\n")
	x := u.terminal(t, "aerc")
	x.sees("mail 5")
	x.types("\r")
	x.sees("line.") // it draws words one by one
	x.types("q")
	x.sees("mail 4")
	x.types("q")
	x.ends()
	u.used(t, "SELECT", "CHARSET UTF-8", "BODYSTRUCTURE ENVELOPE INTERNALDATE", "BODY.PEEK[TEXT]", "IDLE")
}
