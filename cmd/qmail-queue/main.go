// SPDX-License-Identifier: ISC

// Program qmail-queue reads a message from descriptor 0 and its envelope from
// descriptor 1, and queues it; see qmail-queue(8).
package main

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/control"
	"quill/internal/mailid"
	"quill/queue"
)

// suicide is when a message that is still being handed over is given up, well
// before anything could clean up behind it.
const suicide = 24 * time.Hour

// Exit codes of the family's table that are ours to give; qmail-queue(8).
const (
	exitTimeout  = 52
	exitWrite    = 53
	exitRead     = 54
	exitHome     = 61
	exitQueue    = 62
	exitTold     = 82 // the reason is on descriptor 6
	exitEnvelope = 91
)

// failure is an exit code, and for exitTold its text.
type failure struct {
	code int
	text string
}

func (f *failure) Error() string { return "exit " + strconv.Itoa(f.code) + " " + f.text }

func main() {
	signal.Ignore(syscall.SIGPIPE)
	time.AfterFunc(suicide, func() { os.Exit(exitTimeout) })
	err := run()
	var f *failure
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &f):
		if f.text != "" {
			tell(f.text)
		}
		os.Exit(f.code)
	}
	code, _ := queue.Explain(err)
	os.Exit(code)
}

// tell writes the reason to descriptor 6, where the caller has opened one.
func tell(text string) {
	if _, err := unix.FcntlInt(6, unix.F_GETFD, 0); err == nil {
		unix.Write(6, []byte(text))
	}
}

func run() error {
	home := control.Home()
	if err := os.Chdir(home); err != nil {
		return &failure{code: exitHome}
	}
	facts, err := queue.ParseParams(os.Getenv("QUILLPARAMS"))
	if err != nil {
		facts = nil // a foreign program's variable must not stop mail
	}
	facts = facts.With("id", mailid.FromEnv(os.Getenv("QUILLID")).String())
	ours := func(w io.Writer) (*queue.Envelope, error) { return receive(w, facts) }
	conn, err := queue.Connect(home)
	if err == nil {
		return connected(conn, facts, ours)
	}
	if !queue.Absent(err) {
		return &failure{exitTold, "Zqueue may not be used by this user (#4.3.0)"}
	}
	if unix.Access("queue/log", unix.W_OK) == nil && unix.Access("queue/lock", unix.W_OK) == nil {
		return alone(home, facts)
	}
	if conn, err = waitFor(home); err != nil {
		return err
	}
	return connected(conn, facts, ours)
}

// waitFor waits for a queued that is being restarted.
func waitFor(home string) (*os.File, error) {
	conn, err := queue.ConnectWait(home, 10*time.Second)
	if err != nil {
		return nil, &failure{exitTold, "Zqueue is not running (#4.3.0)"}
	}
	return conn, nil
}
