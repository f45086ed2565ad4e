// SPDX-License-Identifier: ISC

// Program imapd lets a client read and change a Maildir and its folders by IMAP
// on descriptors 0 and 1, or on the connections of a chain, after somebody has
// checked who it is; see imapd(8).
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"quill/internal/chain"
	"quill/internal/control"
	"quill/internal/exit"
	"quill/internal/imapsession"
	"quill/internal/inotify"
	"quill/internal/mailhome"
	"quill/maildir/folders"
)

const prog = "imapd"

// Mailboxes that stay open after their last session, and how long.
const (
	keepOpen = 64
	keepFor  = 20 * time.Second
)

func main() {
	signal.Ignore(syscall.SIGPIPE)
	if len(os.Args) != 2 {
		exit.Usage("imapd Maildir")
	}
	limit, err := messageLimit(control.Open(control.Home()))
	if err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
	if err := mailhome.Confine(prog); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
	p := &post{mailbox: os.Args[1], limit: limit, watcher: inotify.New(), pool: folders.NewPool("")}
	p.pool.KeepIdle(keepOpen, keepFor, debug.FreeOSMemory)
	code := chain.Hooks{Ending: p.ending.Begin}.Serve(os.Args, p.session)
	p.pool.Close()
	os.Exit(code)
}

// session is one client's. A client that was spoken to ends in 0, whatever came
// of it: 1 and 2 are checkpassword's.
func (p *post) session(s *chain.Session) int {
	tag, user := s.Env.Value("IMAPTAG"), s.Env.Value("USER")
	if os.Getuid() == 0 {
		return refuse(s, tag, "will not run as root")
	}
	a, err := p.open(s)
	if err != nil {
		logf("%s: %v", user, err)
		return refuse(s, tag, whyNot(err))
	}
	defer a.close()
	o := imapsession.Options{Tag: tag, User: user, Account: a, Ending: &p.ending, Note: func(event string) { logf("%s: %s", user, event) }}
	if err := imapsession.Serve(s.Stream, s.Ahead, o); err != nil && s.Resident() {
		s.Note(err.Error())
	}
	return exit.OK
}

// whyNot is what a client hears of a mailbox that could not be opened.
func whyNot(err error) string {
	for _, passing := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO, syscall.ENOSPC, folders.ErrBusy} {
		if errors.Is(err, passing) {
			return "the mailbox cannot be opened now, please try later"
		}
	}
	return "this user has no $HOME/Maildir"
}

// refuse says why there is no session.
func refuse(s *chain.Session, tag, why string) int {
	s.Stream.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if tag != "" {
		fmt.Fprintf(s.Stream, "%s NO [UNAVAILABLE] %s\r\n", tag, why)
	}
	fmt.Fprintf(s.Stream, "* BYE %s\r\n", why)
	return exit.OK
}

// logf writes one line to descriptor 2.
func logf(format string, args ...any) {
	os.Stderr.WriteString(prog + ": " + escaped(fmt.Sprintf(format, args...)) + "\n")
}
