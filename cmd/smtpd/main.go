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
	"quill/internal/sandbox"
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
	home := control.Home()
	resident := chain.Resident()
	program := os.Getenv("QMAILQUEUE")
	if err := confine(home, program, resident); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
	d := &daemon{settings: newSettings(home), queue: inject.New(home, program, !resident)}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		d.closing.Store(true)
		if !resident {
			lines.Flush()
			os.Exit(exit.OK)
		}
	}()
	code := chain.Serve(os.Args, d.session)
	lines.Flush()
	os.Exit(code)
}

// confine takes from a resident smtpd what it does not need: it reads control
// and users, and connects to the queue. A spawned one starts qmail-queue, which
// may need more. Another's queue program is often setuid, and would be disarmed.
func confine(home, program string, resident bool) error {
	r := sandbox.Rules{Deny: sandbox.NoBackdoor, Hidden: true}
	switch {
	case program != "", !resident && setuid(inject.DefaultProgram):
		return nil
	case resident:
		r.Deny |= sandbox.NoExec | sandbox.NoNet
		r.Files = &sandbox.Files{Read: []string{home + "/control", home + "/users", "/proc/self"}, Write: []string{home + "/queue/lock"}}
	}
	return sandbox.Confine(prog, r)
}

// setuid says whether the program of this name gains rights by exec.
func setuid(name string) bool {
	path, err := chain.Find([]string{name})
	if err != nil {
		return false
	}
	st, err := os.Stat(path)
	return err == nil && st.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0
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
