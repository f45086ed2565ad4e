// SPDX-License-Identifier: ISC

// Program qmail-send schedules the deliveries of the queue's messages, hands
// them to the spawners, and records what came of them; see qmail-send(8).
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"quill/internal/control"
	"quill/internal/exit"
	"quill/internal/getopt"
	"quill/internal/journal"
	"quill/internal/privilege"
	"quill/internal/safefile"
	"quill/internal/sandbox"
)

const prog = "qmail-send"

func main() {
	runtime.GOMAXPROCS(1) // one goroutine decides, the others wait for descriptors
	signal.Ignore(syscall.SIGPIPE)
	local := "qmail-lspawn ./Maildir/"
	p := getopt.New(os.Args[1:], "l:")
	for p.Next() {
		local = p.Arg()
	}
	if p.Err() != nil || len(p.Rest()) > 0 {
		exit.Usage("qmail-send [ -l 'local spawner' ]")
	}
	if err := run(local); err != nil {
		lines.Flush()
		exit.Die(prog, exit.Temporary, err)
	}
}

func run(local string) error {
	home := control.Home()
	if err := os.Chdir(home); err != nil {
		return err
	}
	s, err := newSender(home, local)
	if err != nil {
		return err
	}
	if err := s.lower(); err != nil {
		return err
	}
	lock, err := safefile.TryLock("queue/lock/sendmutex")
	if errors.Is(err, safefile.ErrLocked) {
		return errors.New("another qmail-send works on this queue (queue/lock/sendmutex)")
	}
	if err != nil {
		return fmt.Errorf("%w; is queued running?", err)
	}
	defer lock.Close()
	// Users' programs start below us: so no more than this.
	if err := sandbox.Confine(prog, sandbox.Rules{Deny: sandbox.NoAdmin, BecomesUsers: true}); err != nil {
		return err
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGALRM, syscall.SIGHUP)
	return s.run(signals)
}

// lower gives up root for the owner of the queue. The spawner is started before,
// for it has to stay root, and once only.
func (s *sender) lower() error {
	if !privilege.Root() {
		return nil
	}
	id, err := privilege.OwnerOf("queue")
	if err != nil {
		return err
	}
	s.local.once = true
	s.local.start()
	return id.Drop()
}

// lines is the log: gathered while there is work, written before the sender
// waits.
var lines = journal.New(os.Stderr, "", 5*time.Millisecond)

// logf writes one line of qmail-log's grammar.
func logf(format string, args ...any) { lines.Soon(format, args...) }
