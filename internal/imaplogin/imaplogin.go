// SPDX-License-Identifier: ISC

// Package imaplogin is the part of an IMAP session before its user is known
// (RFC 9051 §6.1, §6.2): it greets, takes a name and a password by LOGIN or
// AUTHENTICATE, and asks somebody about them. It knows nobody's password, and
// does not answer the command that logs in: who has the session next does, by
// its tag.
package imaplogin

import (
	"errors"
	"time"

	"quill/internal/dialog"
	"quill/internal/imap"
	"quill/internal/login"
)

// Capabilities is what a client is told before a login, without what says how
// to log in. A session may know more.
const Capabilities = "IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR ID ENABLE IDLE"

// Login is the part of a session before its user is known.
type Login struct {
	Host string
	// Insecure says why a login is not allowed on this connection; empty where
	// it is.
	Insecure string
	// Try asks somebody; tag is that of the command, which who has the session
	// answers, ahead what the client has sent after it already.
	Try   func(tag string, c login.Credentials, ahead []byte) login.Verdict
	Pause func(time.Duration) // waits before a wrong password is answered; may be nil
	Note  func(event string)  // may be nil
}

// entry is a Login in work.
type entry struct {
	*Login
	conn  login.Conn
	ahead []byte // not yet given to r
	one   bool
	until time.Time // all must be said
	r     *imap.Reader
	w     *imap.Writer
	tries int // wrong passwords
	errs  int
	end   bool
	taken bool
	why   error // the end is none by LOGOUT
}

var commands = map[string]func(*entry, *imap.Command){
	"CAPABILITY":   (*entry).capability,
	"NOOP":         func(l *entry, c *imap.Command) { l.ok(c, "NOOP completed") },
	"ID":           (*entry).id,
	"LOGOUT":       (*entry).logout,
	"STARTTLS":     (*entry).startTLS,
	"LOGIN":        (*entry).login,
	"AUTHENTICATE": (*entry).authenticate,
}

// Serve speaks with a client until a login is taken (true), or until it says
// LOGOUT; the error is why it ended before that. ahead is bytes of the client
// that were read already; single reads no byte beyond the command that logs in.
func (c *Login) Serve(conn login.Conn, ahead []byte, single bool) (taken bool, err error) {
	l := &entry{Login: c, conn: conn, ahead: ahead, one: single, until: time.Now().Add(login.Time)}
	l.w = imap.NewWriter(wire{l})
	l.r = imap.NewReader(wire{l}, func(text string) error { return l.w.Continue(text).Flush() })
	conn.SetReadDeadline(l.until)
	l.w.Status("*", "OK", "CAPABILITY "+l.capabilities(), c.Host+" ready")
	for !l.end {
		l.command()
	}
	if l.taken {
		return true, nil
	}
	return false, errors.Join(l.why, l.w.Flush())
}

// wire is the connection as the Reader and the Writer see it: answers go out
// before the client is waited for.
type wire struct{ *entry }

func (l wire) Read(p []byte) (int, error) {
	if len(l.ahead) > 0 {
		n := copy(p, l.ahead)
		l.entry.ahead = l.ahead[n:]
		return n, nil
	}
	if err := l.w.Flush(); err != nil {
		return 0, err
	}
	if l.one {
		return login.Single{Conn: l.conn}.Read(p)
	}
	return l.conn.Read(p)
}

func (l wire) Write(p []byte) (int, error) {
	l.conn.SetWriteDeadline(time.Now().Add(login.Time))
	return l.conn.Write(p)
}

// command reads and obeys one command.
func (l *entry) command() {
	c, err := l.r.Next()
	if err != nil {
		l.failed("", err)
		return
	}
	if f := commands[c.Name]; f != nil {
		f(l, c)
		return
	}
	l.failed(c.Tag, &imap.Error{Status: "BAD", Text: "log in first"})
}

// failed answers a command that cannot be obeyed, or ends a dialogue that cannot
// go on. A client that makes too many errors is sent away.
func (l *entry) failed(tag string, err error) {
	var e *imap.Error
	switch {
	case dialog.TimedOut(err):
		l.bye("time is up", err)
		return
	case !errors.As(err, &e):
		l.end, l.why = true, err
		return
	}
	told := *e
	if tag != "" {
		told.Tag = tag
	}
	l.w.Refuse(&told)
	l.errs++
	switch {
	case e.Close:
		l.bye("lost the place of the next command", err)
	case l.errs >= login.MaxErrors:
		l.bye("too many errors", errors.New("too many errors"))
	}
}

// no refuses a command that was understood.
func (l *entry) no(c *imap.Command, code, text string) {
	l.failed(c.Tag, &imap.Error{Status: "NO", Code: code, Text: text})
}

func (l *entry) bye(text string, why error) {
	l.w.Status("*", "BYE", "", text)
	l.end, l.why = true, why
}

func (l *entry) ok(c *imap.Command, text string) { l.w.Status(c.Tag, "OK", "", text) }

func (l *entry) capabilities() string {
	if l.Insecure != "" {
		return Capabilities + " LOGINDISABLED"
	}
	return Capabilities + " AUTH=PLAIN AUTH=LOGIN"
}

func (l *entry) capability(c *imap.Command) {
	l.w.Untagged("CAPABILITY " + l.capabilities()).End()
	l.ok(c, "CAPABILITY completed")
}

// id: RFC 2971. Which version we are is nobody's business before a login.
func (l *entry) id(c *imap.Command) {
	l.w.Untagged(`ID ("name" "quill")`).End()
	l.ok(c, "ID completed")
}

func (l *entry) logout(c *imap.Command) {
	l.bye("logging out", nil)
	l.ok(c, "LOGOUT completed")
}

func (l *entry) startTLS(c *imap.Command) {
	l.failed(c.Tag, &imap.Error{Status: "BAD", Text: "TLS cannot be begun here"})
}
