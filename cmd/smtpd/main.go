// SPDX-License-Identifier: ISC

// Program smtpd receives mail by SMTP on descriptors 0 and 1, or on the
// connections of a chain, and hands it to the queue; see smtpd(8).
package main

import (
	"os"
	"os/signal"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"quill/internal/chain"
	"quill/internal/control"
	"quill/internal/exit"
	"quill/internal/journal"
	"quill/internal/privilege"
	"quill/internal/smtp"
	"quill/internal/ucspi"
	"quill/queue/inject"
)

const prog = "smtpd"

// gcPercent trades a few megabytes for fewer collections: little lives here, and
// much comes and goes.
const gcPercent = 400

func main() {
	debug.SetGCPercent(gcPercent)
	signal.Ignore(syscall.SIGPIPE)
	if err := privilege.FromRoot(); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
	home := control.Home()
	resident := chain.Resident()
	program := os.Getenv("QMAILQUEUE")
	if err := confine(home, program, resident); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
	d := &daemon{settings: newSettings(home), queue: inject.New(home, program, !resident)}
	if resident {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		go func() {
			<-stop
			d.closing.Store(true)
		}()
	} else {
		lines = journal.New(os.Stderr, prog+": ", 0) // there is not much to gather
	}
	code := chain.Serve(os.Args, d.session)
	lines.Flush()
	os.Exit(code)
}

// daemon is what the sessions of a process share.
type daemon struct {
	settings *settings
	queue    *inject.Injector
	closing  atomic.Bool
}

// session is one client's.
func (d *daemon) session(s *chain.Session) int {
	c, err := d.settings.current()
	if err != nil {
		logf("alert: unable to read control files: %v", err)
		s.Stream.SetWriteDeadline(time.Now().Add(10 * time.Second))
		s.Stream.Write([]byte("421 4.3.0 unable to read controls\r\n"))
		return exit.Temporary
	}
	limits, err := c.limitsFor(s.Env)
	if err != nil {
		logf("alert: DATABYTES: %v", err)
	}
	b := newBackend(d, c, s.Env)
	srv := &smtp.Server{Name: c.me, Greeting: c.greeting, Limits: limits, Classic: c.classic, Pause: time.Sleep}
	if err := srv.Serve(stream{s.Stream}, s.Ahead, b); err != nil {
		b.Note("end", err.Error())
		return exit.Temporary
	}
	return exit.OK
}

// stream is the session's connection as the engine wants it.
type stream struct{ *ucspi.Stream }

// lines is the log. What went on is gathered; what somebody may have to act on
// is written at once.
var lines = journal.New(os.Stderr, prog+": ", 2*time.Millisecond)

func logf(format string, args ...any) { lines.Now(format, args...) }
