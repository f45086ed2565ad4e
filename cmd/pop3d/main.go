// SPDX-License-Identifier: ISC

// Program pop3d lets a client read a Maildir by POP3 on descriptors 0 and 1, or
// on the connections of a chain, after somebody has checked who it is; see
// pop3d(8).
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"quill/internal/chain"
	"quill/internal/control"
	"quill/internal/exit"
	"quill/internal/mailhome"
	"quill/internal/pop3"
	"quill/maildir"
)

const prog = "pop3d"

func main() {
	signal.Ignore(syscall.SIGPIPE)
	if len(os.Args) != 2 {
		exit.Usage("pop3d Maildir")
	}
	classic, err := control.Open(control.Home()).Exists("popclassic")
	if err != nil {
		classic = false // the home may not be ours to read
	}
	if err := mailhome.Confine(prog); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
	os.Exit(chain.Serve(os.Args, func(s *chain.Session) int { return session(s, os.Args[1], classic) }))
}

// session is one client's. A client that was spoken to ends in 0, whatever came
// of it: 1 and 2 are checkpassword's.
func session(s *chain.Session, mailbox string, classic bool) int {
	if os.Getuid() == 0 {
		return refuse(s, classic, "will not run as root")
	}
	m, err := mailhome.Open(s, mailbox)
	if err != nil {
		logf("%s: %v", s.Env.Value("USER"), err)
		return refuse(s, classic, "[SYS/TEMP] this user has no $HOME/Maildir")
	}
	defer m.Close()
	if err := mailhome.ConfineTo(prog, s, m); err != nil {
		logf("%v", err)
		return refuse(s, classic, "[SYS/TEMP] unable to confine the session")
	}
	b, err := newBox(m)
	if errors.Is(err, maildir.ErrLocked) {
		return refuse(s, classic, "[IN-USE] this maildrop is open in another session")
	}
	if err != nil {
		logf("%s: %v", s.Env.Value("USER"), err)
		return refuse(s, classic, "[SYS/TEMP] unable to scan $HOME/Maildir")
	}
	defer b.close()
	if err := pop3.Serve(s.Stream, s.Ahead, b, classic); err != nil && s.Resident() {
		s.Note(err.Error())
	}
	return exit.OK
}

// refuse says why there is no session.
func refuse(s *chain.Session, classic bool, why string) int {
	s.Stream.SetWriteDeadline(time.Now().Add(10 * time.Second))
	s.Stream.Write([]byte("-ERR " + pop3.Words(why, classic) + "\r\n"))
	return exit.OK
}

// logf writes one line to descriptor 2.
func logf(format string, args ...any) {
	os.Stderr.WriteString(prog + ": " + fmt.Sprintf(format, args...) + "\n")
}
