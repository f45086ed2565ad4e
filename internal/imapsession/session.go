// SPDX-License-Identifier: ISC

// Package imapsession is an IMAP session after its login (RFC 9051, RFC 3501 and
// the extensions that Capabilities names): it reads commands, obeys them on a
// mailbox.Account, and tells what others have changed when the protocol lets it.
//
// Answers are gathered in one buffer, which goes out when it is full and when
// nothing more has come from the client. Nothing is written while a mailbox is
// locked: the calls of package mailbox return before a line is made of them.
package imapsession

import (
	"errors"
	"io"
	"time"

	"quill/internal/imap"
	"quill/internal/imapfetch"
	"quill/internal/mailbox"
)

// Limits of a session; imapd(8) lists them.
const (
	IdleTime   = 30 * time.Minute // for a command, and of one IDLE (RFC 9051 §5.4: at least 30)
	ReplyTime  = 5 * time.Minute  // for a client to take what is sent
	BodyTime   = 5 * time.Minute  // for the next bytes of a message
	MaxErrors  = 50               // BADs in a row, then the session ends
	aliveTime  = 2 * time.Minute  // between signs of life in IDLE, for whoever forgets quiet connections
	pollTime   = 5 * time.Second  // between looks where the kernel does not tell of changes
	quietTime  = 10 * time.Second // then a session that waits gives back what it can
	searchTime = time.Minute      // of work for one SEARCH
)

// Conn is a client's connection.
type Conn interface {
	io.ReadWriter
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// Options is what a session has from its login.
type Options struct {
	Tag     string // of the command that logged in, which is to be answered; empty: PREAUTH
	User    string // who it is, for the answer
	Account mailbox.Account
	Note    func(event string) // for the log; nil: nowhere
	Ending  *Ending            // of the process; nil: none is foreseen

	times *times // nil: as the constants say
}

// times is how long a session waits, for tests to shorten.
type times struct{ idle, reply, body, alive, poll, quiet time.Duration }

// Serve runs a session; ahead is what was read of it already. It is nil after
// LOGOUT and when the client just left, else why the session ended.
func Serve(conn Conn, ahead []byte, o Options) error {
	s := newSession(conn, ahead, o)
	defer s.leave()
	o.Ending.add(conn)
	defer o.Ending.remove(conn)
	s.greet()
	for !s.end {
		err := s.command()
		if err == nil {
			err = s.w.Err() // the client has left, and may have more commands here
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return errors.Join(err, s.flush())
		}
	}
	return s.flush()
}

// session is one client's.
type session struct {
	Options
	conn Conn
	in   *input
	r    *imap.Reader
	w    *imap.Writer
	errs int
	end  bool

	rev2, utf8, condstore, qresync bool

	box      mailbox.Mailbox // nil: none is selected
	name     string
	readOnly bool
	recent   []imap.Range // UIDs that this session has as \Recent
	saved    []imap.Range // UIDs of the last SEARCH RETURN (SAVE), RFC 5182
	keywords int          // keywords that the client has been told of
	behind   bool         // the client was told of a HIGHESTMODSEQ that is not the mailbox's
	cache    imapfetch.Cache
	uidForm  bool // the command that runs is one of UIDs
}

func newSession(conn Conn, ahead []byte, o Options) *session {
	if o.times == nil {
		o.times = &times{IdleTime, ReplyTime, BodyTime, aliveTime, pollTime, quietTime}
	}
	s := &session{Options: o, conn: conn}
	s.in = &input{s: s, ahead: ahead}
	s.w = imap.NewWriter(timed{conn, o.times.reply})
	s.r = imap.NewReader(s.in, func(text string) error {
		s.w.Continue(text)
		return s.flush()
	})
	s.r.LoggedIn, s.r.LiteralPlus = true, true
	return s
}

// timed writes with a deadline.
type timed struct {
	Conn
	wait time.Duration
}

func (t timed) Write(b []byte) (int, error) {
	t.SetWriteDeadline(time.Now().Add(t.wait))
	return t.Conn.Write(b)
}

// input is what the client sends. Before it waits, what there is for the client
// is sent.
type input struct {
	s     *session
	ahead []byte
	until time.Duration // for the next bytes; 0: as long as for a command
	fixed bool          // the deadline is somebody else's
}

func (in *input) Read(b []byte) (int, error) {
	if len(in.ahead) > 0 {
		n := copy(b, in.ahead)
		in.ahead = in.ahead[n:]
		return n, nil
	}
	if err := in.s.w.Release(); err != nil {
		return 0, err
	}
	if in.fixed {
		return in.s.conn.Read(b)
	}
	wait := in.until
	if wait == 0 {
		wait = in.s.times.idle
	}
	if quiet := in.s.times.quiet; quiet < wait {
		in.s.deadline(time.Now().Add(quiet))
		if n, err := in.s.conn.Read(b); n > 0 || !isTimeout(err) || in.s.Ending.begun() {
			return n, err
		}
		in.s.rest()
		wait -= quiet
	}
	in.s.deadline(time.Now().Add(wait))
	return in.s.conn.Read(b)
}

// rest gives back what a session that waits does not need.
func (s *session) rest() {
	if err := s.cache.Close(); err != nil {
		s.note(s.name + ": " + err.Error())
	}
	s.cache = imapfetch.Cache{}
}

func (s *session) flush() error { return s.w.Flush() }

// greet answers the login, or says that there was one before.
func (s *session) greet() {
	code := "CAPABILITY " + Capabilities
	if s.Tag == "" {
		s.w.Status("", "PREAUTH", code, "logged in")
		return
	}
	s.w.Status(s.Tag, "OK", code, "logged in")
}

// leave gives up the mailbox.
func (s *session) leave() {
	s.unselect()
	s.rest()
}

// command reads and obeys one command.
func (s *session) command() error {
	c, err := s.r.Next()
	var e *imap.Error
	switch {
	case errors.As(err, &e):
		return s.refused(e)
	case isTimeout(err):
		s.w.Status("", "BYE", "", s.byeText("no command for too long"))
		return err
	case err != nil:
		return err
	}
	do := commands[c.Name]
	if do == nil { // those of before the login never come this far
		return s.refused(&imap.Error{Tag: c.Tag, Status: "BAD", Text: "not now"})
	}
	if c.Flags&imap.NeedsMailbox != 0 && s.box == nil {
		return s.refused(&imap.Error{Tag: c.Tag, Status: "BAD", Text: "no mailbox is selected"})
	}
	s.uidForm = c.UID
	code, text, err := do(s, c)
	if err != nil {
		return s.failed(c, err)
	}
	s.errs = 0
	news := s.tell(c)
	if text == "" {
		text = "done"
	}
	s.w.Status(c.Tag, "OK", code, text) // it was done, whatever became of the news
	if news != nil {
		return s.untold(news)
	}
	return nil
}

// untold deals with news that could not be told.
func (s *session) untold(err error) error {
	if errors.As(err, new(*mailboxGone)) {
		s.w.Status("", "BYE", "", "the mailbox is not what it was, please connect again")
		return err
	}
	if refusalOf(err) == nil {
		return err // the connection's
	}
	s.note(s.name + ": " + err.Error())
	return nil
}

// refused answers a command that was not understood; a client that makes too
// many of these is sent away.
func (s *session) refused(e *imap.Error) error {
	if e.Status == "BAD" {
		s.errs++
	}
	if e.Close || s.errs >= MaxErrors {
		s.w.Refuse(e)
		s.w.Status("", "BYE", "", "too much that was not understood")
		return errors.New("session closed: too much that was not understood")
	}
	s.w.Refuse(e)
	return nil
}

// failed answers a command that could not be obeyed. What cannot be answered ends
// the session.
func (s *session) failed(c *imap.Command, err error) error {
	var e *imap.Error
	if errors.As(err, &e) {
		if e.Tag == "" {
			e.Tag = c.Tag
		}
		if !e.Close && e.Status != "BAD" && s.box != nil {
			s.tell(c) // what could be done is told too
		}
		return s.refused(e)
	}
	if errors.As(err, new(*mailboxGone)) {
		s.w.Status(c.Tag, "NO", "", "the mailbox is not what it was")
		return s.untold(err)
	}
	if r := refusalOf(err); r != nil {
		r.Tag = c.Tag
		if r.Code == "UNAVAILABLE" {
			s.note(c.Name + ": " + err.Error())
		}
		if s.box != nil {
			s.tell(c)
		}
		return s.refused(r)
	}
	return err
}

func (s *session) note(event string) {
	if s.Note != nil {
		s.Note(event)
	}
}

// no is a refusal that is the client's business.
func no(code, text string) error { return &imap.Error{Status: "NO", Code: code, Text: text} }

// wrong is a command that makes no sense here.
func wrong(text string) error { return &imap.Error{Status: "BAD", Text: text} }
