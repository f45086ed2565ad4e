// SPDX-License-Identifier: ISC

package imaplogin

import (
	"encoding/base64"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"quill/internal/imap"
	"quill/internal/login"
)

// privacy: RFC 5530 §3.
func (l *entry) privacy(c *imap.Command) bool {
	if l.Insecure != "" {
		l.no(c, "PRIVACYREQUIRED", l.Insecure)
	}
	return l.Insecure == ""
}

// login: RFC 9051 §6.2.3.
func (l *entry) login(c *imap.Command) {
	if l.privacy(c) {
		l.try(c, login.Credentials{User: c.User, Secret: c.Password})
	}
}

// mechanisms make credentials of a client's responses.
var mechanisms = map[string]func(l *entry, c *imap.Command) (login.Credentials, error){
	"PLAIN": (*entry).plain,
	"LOGIN": (*entry).loginMechanism,
}

// authenticate: RFC 9051 §6.2.2.
func (l *entry) authenticate(c *imap.Command) {
	mechanism := mechanisms[c.Mechanism]
	switch {
	case !l.privacy(c):
		return
	case mechanism == nil:
		l.no(c, "CANNOT", "unknown mechanism")
		return
	}
	cr, err := mechanism(l, c)
	if err != nil {
		l.failed(c.Tag, err)
		return
	}
	l.try(c, cr)
}

// response is what a client answers to a challenge: the command's initial
// response to the first one.
func (l *entry) response(c *imap.Command, challenge string) ([]byte, error) {
	if b := c.Initial; b != nil {
		c.Initial = nil
		return b, nil
	}
	l.w.Raw("+ ").Raw(base64.StdEncoding.EncodeToString([]byte(challenge))).End()
	line, err := l.r.Line()
	switch {
	case err != nil:
		return nil, err
	case string(line) == "*":
		return nil, &imap.Error{Status: "BAD", Text: "AUTHENTICATE given up"}
	}
	return imap.DecodeResponse(line)
}

// plain: RFC 4616. Nobody may act as somebody else.
func (l *entry) plain(c *imap.Command) (login.Credentials, error) {
	b, err := l.response(c, "")
	if err != nil {
		return login.Credentials{}, err
	}
	f := strings.Split(string(b), "\x00")
	switch {
	case len(f) != 3:
		return login.Credentials{}, &imap.Error{Status: "BAD", Text: "response is not PLAIN's"}
	case f[0] != "" && f[0] != f[1]:
		return login.Credentials{}, &imap.Error{Status: "NO", Code: "AUTHORIZATIONFAILED", Text: "nobody may log in as another"}
	}
	return login.Credentials{User: f[1], Secret: f[2]}, nil
}

// loginMechanism is LOGIN, which no RFC defines: the name, then the password.
// Clients know the challenges by these very words.
func (l *entry) loginMechanism(c *imap.Command) (cr login.Credentials, err error) {
	user, err := l.response(c, "Username:")
	if err != nil {
		return cr, err
	}
	secret, err := l.response(c, "Password:")
	return login.Credentials{User: string(user), Secret: string(secret)}, err
}

// sane says whether these can be credentials at all: the name
// UTF-8, no control characters in either (so no NUL), and both fit on descriptor
// 3. Passwords may be of older charsets.
func sane(c login.Credentials) bool {
	return c.User != "" && c.Secret != "" && utf8.ValidString(c.User) &&
		!strings.ContainsFunc(c.User+c.Secret, unicode.IsControl) && len(c.Bytes()) <= login.MaxBytes
}

// try asks, and slows down who is wrong.
func (l *entry) try(c *imap.Command, cr login.Credentials) {
	if !sane(cr) {
		l.no(c, "AUTHENTICATIONFAILED", "not a name and a password")
		return
	}
	if err := l.w.Flush(); err != nil {
		l.end, l.why = true, err
		return
	}
	l.conn.SetReadDeadline(time.Time{}) // the session has times of its own
	switch l.Try(c.Tag, cr, append(l.r.Ahead(), l.ahead...)) {
	case login.Taken:
		l.end, l.taken = true, true
	case login.Temporary:
		l.unavailable(c, errors.New("nobody can check passwords now"))
	case login.Crashed:
		l.unavailable(c, errors.New("who checks passwords crashed"))
	default:
		l.refused(c, cr)
	}
}

// unavailable ends the dialogue: who was asked may have had the session, and
// spoken with the client.
func (l *entry) unavailable(c *imap.Command, why error) {
	l.w.Status(c.Tag, "NO", "UNAVAILABLE", "unable to check passwords now, please try later")
	l.bye("please try later", why)
}

func (l *entry) refused(c *imap.Command, cr login.Credentials) {
	if l.Note != nil {
		l.Note("login refused for user " + cr.User)
	}
	l.tries++
	if l.Pause != nil {
		l.Pause(login.Pause(l.tries))
	}
	l.w.Status(c.Tag, "NO", "AUTHENTICATIONFAILED", "wrong user or password")
	if l.tries >= login.MaxTries {
		l.bye("too many wrong passwords", errors.New("too many wrong passwords"))
		return
	}
	l.conn.SetReadDeadline(l.until)
}
