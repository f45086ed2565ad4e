// SPDX-License-Identifier: ISC

// Package smtp is the server's side of RFC 5321: it reads commands, keeps to
// their order, and answers. Where mail may go, and where it is put, is its
// Backend's business. It promises that a message is offered to the Backend
// whole and once, that 250 to its text is said only when the Backend has taken
// it, and that no client's bytes grow its memory beyond its limits.
package smtp

import (
	"errors"
	"io"
	"strings"
	"time"

	"quill/internal/addr"
	"quill/internal/dialog"
)

// Limits of a session; smtpd(8) lists them.
type Limits struct {
	Line       int           // bytes of a command, CRLF included
	Recipients int           // of one message
	Hops       int           // Received and Delivered-To lines
	Header     int           // bytes of a message's header
	Size       int64         // bytes of a message as stored; 0 is no limit
	SoftErrors int           // after so many each further one waits a second
	HardErrors int           // after so many the session ends
	Junk       int           // commands that send no mail
	Command    time.Duration // for a client to send a whole command
	Reply      time.Duration // for a client to take our replies
	DataRate   int64         // bytes a second that a message must bring, after Command
	Session    time.Duration
}

// Defaults are the limits where nothing else is configured.
func Defaults() Limits {
	return Limits{Line: 2048, Recipients: 1000, Hops: 50, Header: 100 << 10, Size: 50 << 20, SoftErrors: 10, HardErrors: 20, Junk: 100,
		Command: 5 * time.Minute, Reply: 5 * time.Minute, DataRate: 100, Session: time.Hour}
}

// Conn is a client's connection.
type Conn interface {
	io.ReadWriter
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// Sender is what MAIL says.
type Sender struct {
	Path addr.Path
	Body string // 7BIT, 8BITMIME or empty
	Size int64  // announced, 0 where it was not
}

// Backend decides and stores.
type Backend interface {
	// Sender hears of MAIL; a refusal is a Reply.
	Sender(s Sender) Reply
	// Recipient decides on an address and gives it as it is to be queued.
	// Path.Domain is empty only for postmaster.
	Recipient(p addr.Path) (queued string, refusal Reply)
	// Begin starts a message from the last accepted sender to these.
	Begin(helo string, extended bool, to []string) (Message, Reply)
	// Closing says that the service is shutting down.
	Closing() bool
	// Note hears of what is worth a log line: a refusal, a limit, an end.
	Note(event, detail string)
}

// Message is one on its way to the queue.
type Message interface {
	io.Writer
	// Commit gives the reply to the message's text when it is on disk, or why it
	// is not.
	Commit() Reply
	Abort()
}

// Reply is a line of an answer with its code. The empty one is no refusal.
type Reply string

// Server is what all sessions of a service share.
type Server struct {
	Name     string // our own, in replies
	Greeting string // what 220 says before ESMTP
	Limits   Limits
	Classic  bool // the qmail family's words
	Pause    func(time.Duration)
}

// session is one client.
type session struct {
	*Server
	conn    Conn
	b       Backend
	r       *dialog.Reader
	w       *dialog.Writer
	words   *words
	started time.Time
	timed   time.Time // the read deadline that is set
	writing time.Time // the write deadline that is set

	helo     string
	extended bool
	mail     bool
	to       []string
	errs     int
	junk     int
	end      bool
	why      error // the end is none by QUIT
}

// verb is a command: what it does with its argument, and whether it counts as
// junk that sends no mail.
type verb struct {
	do   func(s *session, arg string) Reply
	junk bool
}

var verbs = map[string]verb{
	"HELO": {(*session).doHelo, true},
	"EHLO": {(*session).doEhlo, true},
	"MAIL": {(*session).doMail, false},
	"RCPT": {(*session).doRcpt, false},
	"DATA": {(*session).doData, false},
	"RSET": {(*session).doRset, true},
	"NOOP": {(*session).doNoop, true},
	"VRFY": {(*session).doVrfy, true},
	"HELP": {(*session).doHelp, true},
	"QUIT": {(*session).doQuit, false},
}

// crossed are the first words of other protocols, spoken by a browser that
// somebody has turned on us.
var crossed = map[string]bool{"GET": true, "POST": true, "PUT": true, "HEAD": true, "OPTIONS": true, "CONNECT": true, "DELETE": true, "PROXY": true, "HTTP/1.1": true}

// Serve runs a session, after the bytes that were read ahead. It is nil after
// QUIT, else why the session ended.
func (srv *Server) Serve(conn Conn, ahead []byte, b Backend) error {
	s := &session{Server: srv, conn: conn, b: b, started: time.Now(), words: wordsOf(srv.Classic)}
	s.r = dialog.NewReader(conn, ahead, srv.Limits.Line)
	s.w = dialog.NewWriter(conn)
	s.reply(Reply("220 " + srv.Greeting + " ESMTP"))
	for !s.end {
		if err := s.command(); err != nil {
			s.flush()
			return err
		}
	}
	s.flush()
	return s.why
}

// stop ends the session before its QUIT.
func (s *session) stop(why error) { s.end, s.why = true, why }

func (s *session) reply(r Reply) { s.w.Line(string(r)) }

// flush sends what is gathered. Like patience it sets the time for that anew
// only when a tenth of it is gone.
func (s *session) flush() error {
	now := time.Now()
	if end := now.Add(s.Limits.Reply); end.Sub(s.writing) > s.Limits.Reply/10 {
		s.conn.SetWriteDeadline(end)
		s.writing = end
	}
	return s.w.Flush()
}

// patience sets the time for what is read next; it is set anew only when much
// of it is gone, for each setting costs.
func (s *session) patience(now time.Time) {
	end := now.Add(s.Limits.Command)
	if last := s.started.Add(s.Limits.Session); end.After(last) {
		end = last
	}
	if end.Sub(s.timed) > time.Second || s.timed.Sub(end) > time.Second {
		s.conn.SetReadDeadline(end)
		s.timed = end
	}
}

// command reads and obeys one command.
func (s *session) command() error {
	if s.r.Buffered() == 0 {
		if err := s.flush(); err != nil {
			return err
		}
		s.patience(time.Now())
	}
	line, err := s.r.Line()
	switch {
	case err == dialog.ErrTooLong:
		return s.failed(s.words.tooLong)
	case err == dialog.ErrBareLF && !s.Classic:
		return s.failed(s.words.bareLF)
	case err != nil && err != dialog.ErrBareLF:
		return s.lost(err)
	}
	if s.b.Closing() {
		s.reply("421 4.3.2 closing down, please come back")
		return errors.New("service is closing down")
	}
	return s.obey(string(line))
}

// obey runs a command line.
func (s *session) obey(line string) error {
	word, arg, _ := strings.Cut(line, " ")
	name := strings.ToUpper(word)
	v, ok := verbs[name]
	if !ok {
		if crossed[name] {
			s.reply("421 4.7.0 this is SMTP")
			return errors.New("client speaks " + name)
		}
		return s.failed(s.words.unknown)
	}
	if v.junk {
		if s.junk++; s.junk > s.Limits.Junk {
			s.reply("421 4.7.0 too many commands without mail")
			return errors.New("too many commands without mail")
		}
	}
	r := v.do(s, strings.Trim(arg, " \t"))
	if r == "" {
		return nil
	}
	if r[0] == '5' {
		return s.failed(r)
	}
	s.reply(r)
	return nil
}

// failed answers with an error; a client that makes many is slowed down, then
// sent away.
func (s *session) failed(r Reply) error {
	s.errs++
	if s.errs >= s.Limits.HardErrors {
		s.reply("421 4.7.0 too many errors")
		return errors.New("too many errors")
	}
	if s.errs > s.Limits.SoftErrors && s.Pause != nil {
		s.flush()
		s.Pause(time.Second)
	}
	s.reply(r)
	return nil
}

// lost is the end of a connection that did not say QUIT.
func (s *session) lost(err error) error {
	if dialog.TimedOut(err) {
		if s.b.Closing() {
			s.reply("421 4.3.2 closing down, please come back")
			return errors.New("service is closing down")
		}
		s.reply(s.words.timeout)
		return errors.New("timeout")
	}
	return err
}
