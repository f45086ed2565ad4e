// SPDX-License-Identifier: ISC

package pop3

import (
	"errors"
	"strings"
	"time"

	"quill/internal/dialog"
	"quill/internal/login"
)

// LoginLine is the bytes of a command before the login: names and passwords may
// be long.
const LoginLine = 512

// Login is the part of a session before its user is known.
type Login struct {
	Host      string
	Timestamp string // <…@host> to be shown in the greeting; empty for none
	Classic   bool
	// Insecure says why a login is not allowed on this connection; empty where
	// it is.
	Insecure string
	// Try asks somebody; ahead is what the client has sent already.
	Try   func(c login.Credentials, ahead []byte) login.Verdict
	Pause func(time.Duration)
	Note  func(event string)
}

// entry is a Login in work.
type entry struct {
	*Login
	conn  Conn
	r     *dialog.Reader
	w     *dialog.Writer
	user  string
	named bool
	tries int // wrong passwords
	errs  int
	end   bool
	taken bool
	why   error // the end is none by QUIT
}

var loginCommands = map[string]func(l *entry, arg string) string{
	"USER": (*entry).doUser, "PASS": (*entry).doPass, "APOP": (*entry).doApop, "QUIT": (*entry).doQuit, "NOOP": (*entry).doNoop, "CAPA": (*entry).doCapa,
}

// Serve speaks with a client until a login is taken (true), or until it says
// QUIT; the error is why it ended before that. single reads no byte beyond the command that logs in.
func (c *Login) Serve(conn Conn, ahead []byte, single bool) (taken bool, err error) {
	l := &entry{Login: c, conn: conn, w: dialog.NewWriter(conn)}
	l.r = dialog.NewReader(conn, ahead, LoginLine)
	if single {
		l.r = dialog.NewReader(login.Single{Conn: conn}, ahead, LoginLine)
	}
	l.w.Line(strings.TrimRight("+OK "+c.Timestamp, " "))
	conn.SetReadDeadline(time.Now().Add(login.Time))
	for !l.end {
		if err := l.command(); err != nil {
			l.flush()
			return l.taken, err
		}
	}
	if l.taken {
		return true, nil
	}
	return false, errors.Join(l.why, l.flush())
}

// stop ends the dialogue before its QUIT.
func (l *entry) stop(why error) { l.end, l.why = true, why }

func (l *entry) flush() error {
	l.conn.SetWriteDeadline(time.Now().Add(login.Time))
	return l.w.Flush()
}

func (l *entry) command() error {
	if l.r.Buffered() == 0 {
		if err := l.flush(); err != nil {
			return err
		}
	}
	line, err := l.r.Line()
	switch {
	case dialog.TimedOut(err):
		l.w.Line("-ERR timeout")
		return err
	case err == dialog.ErrTooLong:
		l.w.Line("-ERR line too long")
		return err
	case err != nil && err != dialog.ErrBareLF:
		return err
	}
	verb, arg, _ := strings.Cut(string(line), " ")
	f, ok := loginCommands[strings.ToUpper(verb)]
	reply := "-ERR authorization first"
	switch {
	case strings.IndexByte(string(line), 0) >= 0:
		reply = "-ERR syntax error"
	case ok && !(l.Classic && strings.EqualFold(verb, "CAPA")):
		reply = f(l, arg)
	default:
		if l.errs++; l.errs > login.MaxErrors {
			l.w.Line("-ERR too many errors")
			return errors.New("too many errors")
		}
	}
	if reply != "" {
		l.w.Line(reply)
	}
	return nil
}

// allowed says why nobody may log in here, before a password is looked at.
func (l *entry) allowed() string {
	if l.Insecure == "" {
		return ""
	}
	return l.refusal("[AUTH] " + l.Insecure)
}

func (l *entry) refusal(text string) string { return "-ERR " + Words(text, l.Classic) }

func (l *entry) doUser(arg string) string {
	switch {
	case l.allowed() != "":
		return l.allowed()
	case arg == "":
		return "-ERR syntax error"
	}
	l.user, l.named = arg, true
	return "+OK "
}

func (l *entry) doPass(arg string) string {
	switch {
	case l.allowed() != "":
		return l.allowed()
	case !l.named:
		return "-ERR USER first"
	case arg == "":
		return "-ERR syntax error"
	}
	l.named = false
	return l.try(login.Credentials{User: l.user, Secret: arg, Timestamp: l.Timestamp})
}

func (l *entry) doApop(arg string) string {
	user, digest, ok := cutLast(arg)
	switch {
	case l.allowed() != "":
		return l.allowed()
	case !ok || user == "" || digest == "":
		return "-ERR syntax error"
	case l.Timestamp == "":
		return "-ERR APOP is not offered here"
	}
	return l.try(login.Credentials{User: user, Secret: digest, Timestamp: l.Timestamp})
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// try asks, and slows down who is wrong.
func (l *entry) try(c login.Credentials) string {
	if err := l.flush(); err != nil {
		l.stop(err)
		return ""
	}
	l.conn.SetReadDeadline(time.Time{}) // the session has times of its own
	switch l.Try(c, l.r.Ahead()) {
	case login.Taken:
		l.end, l.taken = true, true
		return ""
	case login.Temporary:
		l.stop(errors.New("nobody can check passwords now"))
		if l.Classic {
			return "-ERR authorization failed" // all that qmail-popup says
		}
		return "-ERR [SYS/TEMP] unable to check passwords now, please try later"
	case login.Crashed:
		l.stop(errors.New("who checks passwords crashed"))
		return "-ERR aack, child crashed"
	}
	if l.Note != nil {
		l.Note("login refused for user " + c.User)
	}
	l.tries++
	if l.Pause != nil {
		l.Pause(login.Pause(l.tries))
	}
	if l.tries >= login.MaxTries {
		l.stop(errors.New("too many wrong passwords"))
	}
	l.conn.SetReadDeadline(time.Now().Add(login.Time))
	return l.refusal("[AUTH] authorization failed")
}

func (l *entry) doQuit(string) string {
	l.end = true
	return "+OK "
}

func (l *entry) doNoop(string) string { return "+OK " }

func (l *entry) doCapa(string) string {
	l.w.Line("+OK ")
	for _, c := range append([]string{"USER", "AUTH-RESP-CODE"}, capabilities...) {
		l.w.Line(c)
	}
	return "."
}
