// SPDX-License-Identifier: ISC

// Program queued holds the queue: it takes messages from a socket, writes them
// to the log, and answers when they are on disk; see queued(8).
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"

	"quill/internal/control"
	"quill/internal/exit"
	"quill/internal/privilege"
	"quill/internal/sandbox"
	"quill/queue"
)

const prog = "queued"

// gcPercent trades a few megabytes for fewer collections: little lives here, and
// much comes and goes.
const gcPercent = 400

func main() {
	runtime.GOMAXPROCS(1) // there is one writer: handing goroutines from core to core costs more than it gains (docs/performance.md)
	debug.SetGCPercent(gcPercent)
	if len(os.Args) != 1 {
		exit.Usage(prog)
	}
	if err := run(); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

func run() error {
	// Everything is opened relative to the home: a socket's path ends at 108
	// bytes.
	if err := os.Chdir(control.Home()); err != nil {
		return err
	}
	syscall.Umask(0o027)
	if err := lower(); err != nil {
		return err
	}
	trusted, err := trustedUids()
	if err != nil {
		return err
	}
	if err := queue.Make("queue"); err != nil {
		return fmt.Errorf("%w; the queue belongs to the uid that queued runs as", err)
	}
	if err := sandbox.Confine(prog, sandbox.Rules{
		Deny:  sandbox.NoBackdoor | sandbox.NoExec | sandbox.NoNet,
		Files: &sandbox.Files{Write: []string{"queue"}, Read: []string{"control", "/proc/self"}},
	}); err != nil {
		return err
	}
	log, err := queue.Open("queue", logf)
	if err != nil {
		return err
	}
	s := &server{log: log, trusted: trusted}
	log.Answered = s.flush
	if err := s.listen(filepath.Join("queue", "lock", "queued")); err != nil {
		return errors.Join(err, log.Close())
	}
	logf("status: ready")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	failed := make(chan error, 1)
	go func() { failed <- s.serve() }()
	select {
	case <-stop:
		s.close()
		logf("status: exiting")
		return nil
	case err := <-failed:
		return err
	}
}

// lower gives up root for the owner of the queue.
func lower() error {
	if !privilege.Root() {
		return nil
	}
	id, err := privilege.OwnerOf("queue")
	if err != nil {
		return err
	}
	return id.Drop()
}

// logf writes one line to descriptor 2.
func logf(format string, args ...any) {
	os.Stderr.WriteString(prog + ": " + fmt.Sprintf(format, args...) + "\n")
}
