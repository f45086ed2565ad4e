// SPDX-License-Identifier: ISC

package imaplogin

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"quill/internal/login"
)

// fake is a connection with a script.
type fake struct {
	in        io.Reader
	out       bytes.Buffer
	deadlines []time.Time // in order
}

func (f *fake) Read(p []byte) (int, error)        { return f.in.Read(p) }
func (f *fake) Write(p []byte) (int, error)       { return f.out.Write(p) }
func (f *fake) SetReadDeadline(d time.Time) error { f.deadlines = append(f.deadlines, d); return nil }
func (f *fake) SetWriteDeadline(time.Time) error  { return nil }

// asked is what somebody was asked: tag, user, password, what was ahead.
type asked struct{ tag, user, secret, ahead string }

// play runs a script, in LF, against one who knows netwatcher's password, and
// gives what was said after the greeting, in LF, and who was asked.
func play(l *Login, script string) (out string, questions []asked, taken bool, err error) {
	l.Host = "imap.testingsmtp.org"
	l.Try = func(tag string, c login.Credentials, ahead []byte) login.Verdict {
		questions = append(questions, asked{tag, c.User, c.Secret, string(ahead)})
		switch {
		case c.User == "temp":
			return login.Temporary
		case c.User == "crash":
			return login.Crashed
		case c.User == netwatcher && c.Secret == "lab":
			return login.Taken
		}
		return login.Refused
	}
	f := &fake{in: strings.NewReader(strings.ReplaceAll(script, "\n", "\r\n"))}
	taken, err = l.Serve(f, nil, false)
	greeting, rest, _ := strings.Cut(strings.ReplaceAll(f.out.String(), "\r\n", "\n"), "\n")
	if want := "* OK [CAPABILITY " + offer(l) + "] imap.testingsmtp.org ready"; greeting != want {
		err = errors.Join(err, fmt.Errorf("greeting %q; want %q", greeting, want))
	}
	return rest, questions, taken, err
}

func offer(l *Login) string {
	if l.Insecure != "" {
		return "IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR ID ENABLE IDLE LOGINDISABLED"
	}
	return "IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR ID ENABLE IDLE AUTH=PLAIN AUTH=LOGIN"
}

const netwatcher = "netwatcher@testingsmtp.org"

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func plainText(authzid, user, secret string) string {
	return b64(authzid + "\x00" + user + "\x00" + secret)
}

const (
	wrong     = " NO [AUTHENTICATIONFAILED] wrong user or password\n"
	bye       = "* BYE logging out\n"
	insane    = " NO [AUTHENTICATIONFAILED] not a name and a password\n"
	username  = "+ VXNlcm5hbWU6\n"
	password  = "+ UGFzc3dvcmQ6\n"
	notBase64 = " BAD response is not base64\n"
	givenUp   = " BAD AUTHENTICATE given up\n"
	logInTo   = " BAD log in first\n"
)

// TestDialogue is commands that are no login.
func TestDialogue(t *testing.T) {
	for in, want := range map[string]string{
		"a CAPABILITY\nb NOOP\nc LOGOUT\n":             "* CAPABILITY " + offer(&Login{}) + "\na OK CAPABILITY completed\nb OK NOOP completed\n" + bye + "c OK LOGOUT completed\n",
		"a noop\nb Logout\nc NOOP\n":                   "a OK NOOP completed\n" + bye + "b OK LOGOUT completed\n",
		"a ID NIL\nb LOGOUT\n":                         "* ID (\"name\" \"quill\")\na OK ID completed\n" + bye + "b OK LOGOUT completed\n",
		"a ID (\"name\" \"x\" \"os\" NIL)\nb LOGOUT\n": "* ID (\"name\" \"quill\")\na OK ID completed\n" + bye + "b OK LOGOUT completed\n",
		"a STARTTLS\nb LOGOUT\n":                       "a BAD TLS cannot be begun here\n" + bye + "b OK LOGOUT completed\n",
		"a SELECT INBOX\nb UID FETCH 1 FLAGS\nc IDLE\nd ENABLE IMAP4rev2\ne LOGOUT\n": "a" + logInTo + "b" + logInTo + "c" + logInTo + "d" + logInTo + bye + "e OK LOGOUT completed\n",
		"a FOO\nLOGOUT\nb LOGOUT\n":           "a BAD unknown command\nLOGOUT BAD expected a space\n" + bye + "b OK LOGOUT completed\n",
		"a AUTHENTICATE CRAM-MD5\nb LOGOUT\n": "a NO [CANNOT] unknown mechanism\n" + bye + "b OK LOGOUT completed\n",
	} {
		if got, questions, taken, err := play(&Login{}, in); got != want || len(questions) > 0 || taken || err != nil {
			t.Errorf("%q: %q, asked %q, taken %v, %v; want %q", in, got, questions, taken, err, want)
		}
	}
}

// TestLogins is the ways to log in. Nothing is said to a login that is taken:
// who has the session answers it.
func TestLogins(t *testing.T) {
	mine := plainText("", netwatcher, "lab")
	for _, c := range []struct{ name, in, want, ahead string }{
		{"LOGIN", "a1 LOGIN netwatcher@testingsmtp.org lab\nb NOOP\n", "", "b NOOP\r\n"},
		{"LOGIN quoted", "a1 login \"netwatcher@testingsmtp.org\" \"lab\"\n", "", ""},
		// RFC 9051 §4.3
		{"LOGIN by literals", "a1 LOGIN {26}\nnetwatcher@testingsmtp.org {3}\nlab\n", "+ go on\n+ go on\n", ""},
		// RFC 7888 §3
		{"LOGIN by literals unasked", "a1 LOGIN {26+}\nnetwatcher@testingsmtp.org {3+}\nlab\nb CAPABILITY\n", "", "b CAPABILITY\r\n"},
		{"PLAIN", "a1 AUTHENTICATE PLAIN\n" + mine + "\nb NOOP\n", "+ \n", "b NOOP\r\n"},
		// RFC 4959 §3
		{"PLAIN at once", "a1 AUTHENTICATE PLAIN " + mine + "\nb NOOP\n", "", "b NOOP\r\n"},
		{"PLAIN as oneself", "a1 authenticate plain " + plainText(netwatcher, netwatcher, "lab") + "\n", "", ""},
		{"SASL LOGIN", "a1 AUTHENTICATE LOGIN\n" + b64(netwatcher) + "\n" + b64("lab") + "\nb NOOP\n", username + password, "b NOOP\r\n"},
		{"SASL LOGIN at once", "a1 AUTHENTICATE LOGIN " + b64(netwatcher) + "\n" + b64("lab") + "\n", password, ""},
		{"second try", "a0 LOGIN netwatcher@testingsmtp.org x\na1 LOGIN netwatcher@testingsmtp.org lab\n", "a0" + wrong, ""},
	} {
		got, questions, taken, err := play(&Login{}, c.in)
		last := asked{}
		if len(questions) > 0 {
			last = questions[len(questions)-1]
		}
		if want := (asked{"a1", netwatcher, "lab", c.ahead}); got != c.want || last != want || !taken || err != nil {
			t.Errorf("%s: %q, asked %q, taken %v, %v; want %q, %q", c.name, got, last, taken, err, c.want, want)
		}
	}
}

// TestRefusals: three wrong passwords are answered, each later than the last,
// and end the connection; so does whoever cannot tell.
func TestRefusals(t *testing.T) {
	var pauses []time.Duration
	var notes []string
	l := &Login{Pause: func(d time.Duration) { pauses = append(pauses, d) }, Note: func(s string) { notes = append(notes, s) }}
	got, _, taken, err := play(l, "a LOGIN x y\nb FOO\nc AUTHENTICATE PLAIN "+plainText("", "x", "y")+"\nd LOGIN x y\ne LOGIN netwatcher@testingsmtp.org lab\n")
	want := "a" + wrong + "b BAD unknown command\nc" + wrong + "d" + wrong + "* BYE too many wrong passwords\n"
	if got != want || taken || err == nil {
		t.Errorf("three tries: %q, taken %v, %v; want %q", got, taken, err, want)
	}
	if want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}; !slices.Equal(pauses, want) {
		t.Errorf("pauses %v; want %v", pauses, want)
	}
	if want := slices.Repeat([]string{"login refused for user x"}, 3); !slices.Equal(notes, want) {
		t.Errorf("notes %q; want %q", notes, want)
	}
	for _, user := range []string{"temp", "crash"} {
		got, _, taken, err := play(&Login{}, "a LOGIN "+user+" y\nb NOOP\n")
		if want := "a NO [UNAVAILABLE] unable to check passwords now, please try later\n* BYE please try later\n"; got != want || taken || err == nil {
			t.Errorf("%s: %q, taken %v, %v; want %q", user, got, taken, err, want)
		}
	}
}

// TestInsecure: where a password would pass a network in the clear, none is
// looked at (attack AU1).
func TestInsecure(t *testing.T) {
	l := &Login{Insecure: "login without TLS is not allowed from here"}
	got, questions, taken, err := play(l, "a CAPABILITY\nb LOGIN netwatcher@testingsmtp.org lab\nc AUTHENTICATE PLAIN\nd AUTHENTICATE LOGIN "+b64(netwatcher)+"\ne LOGOUT\n")
	const no = " NO [PRIVACYREQUIRED] login without TLS is not allowed from here\n"
	want := "* CAPABILITY " + offer(l) + "\na OK CAPABILITY completed\nb" + no + "c" + no + "d" + no + bye + "e OK LOGOUT completed\n"
	if got != want || len(questions) > 0 || taken || err != nil {
		t.Errorf("insecure: %q, asked %q, taken %v, %v; want %q", got, questions, taken, err, want)
	}
}

// TestSingle: in the spawned shape no byte beyond the login is read.
func TestSingle(t *testing.T) {
	for _, before := range []string{
		"a LOGIN netwatcher@testingsmtp.org lab\r\n",
		"a LOGIN {26+}\r\nnetwatcher@testingsmtp.org {3+}\r\nlab\r\n",
		"a AUTHENTICATE PLAIN\r\n" + plainText("", netwatcher, "lab") + "\r\n",
		"a AUTHENTICATE LOGIN\r\n" + b64(netwatcher) + "\r\n" + b64("lab") + "\r\n",
	} {
		in := strings.NewReader("x NOOP\r\n" + before + "b SELECT INBOX\r\n")
		ahead := "not asked"
		l := &Login{Try: func(_ string, _ login.Credentials, b []byte) login.Verdict { ahead = string(b); return login.Taken }}
		if taken, err := l.Serve(&fake{in: in}, nil, true); !taken || err != nil {
			t.Fatalf("%q: taken %v, %v", before, taken, err)
		}
		if rest, _ := io.ReadAll(in); string(rest) != "b SELECT INBOX\r\n" || ahead != "" {
			t.Errorf("%q: left for the session %q, given to it %q; want all of SELECT left", before, rest, ahead)
		}
	}
}

// TestAhead: bytes that came with the connection are the client's first, and
// those that are not used go on to the session, however many.
func TestAhead(t *testing.T) {
	rest := strings.Repeat("b SELECT INBOX\r\n", 1000)
	var got string
	l := &Login{Try: func(_ string, _ login.Credentials, b []byte) login.Verdict { got = string(b); return login.Taken }}
	taken, err := l.Serve(&fake{in: iotest.ErrReader(errors.New("read"))}, []byte("a LOGIN u p\r\n"+rest), false)
	if !taken || err != nil || got != rest {
		t.Errorf("taken %v, %v, %d bytes go on; want %d", taken, err, len(got), len(rest))
	}
}

// TestTime: all that comes before a login has one minute; a session has times
// of its own.
func TestTime(t *testing.T) {
	verdict := login.Refused
	l := &Login{Try: func(string, login.Credentials, []byte) login.Verdict {
		defer func() { verdict = login.Taken }()
		return verdict
	}}
	f := &fake{in: strings.NewReader("a LOGIN u p\r\nb LOGIN u p\r\n")}
	begun := time.Now()
	l.Serve(f, nil, false)
	until := f.deadlines[0]
	if want := []time.Time{until, {}, until, {}}; !slices.Equal(f.deadlines, want) || until.Before(begun.Add(login.Time)) || until.After(time.Now().Add(login.Time)) {
		t.Errorf("begun at %v: deadlines %v; want %v", begun, f.deadlines, want)
	}
	for _, said := range []string{"", "a LOG", "a LOGIN {4}\r\nab", "a AUTHENTICATE PLAIN\r\n"} {
		f := &fake{in: io.MultiReader(strings.NewReader(said), iotest.ErrReader(os.ErrDeadlineExceeded))}
		_, err := l.Serve(f, nil, false)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.HasSuffix(f.out.String(), "\r\n* BYE time is up\r\n") {
			t.Errorf("time is up after %q: %v, said %q; want BYE", said, err, f.out.String())
		}
	}
}

// FuzzServe: whatever a client says, a session before its login ends, nobody is
// asked about what cannot be credentials, and only whole lines are said.
func FuzzServe(f *testing.F) {
	f.Add("a LOGIN u p\r\nb NOOP\r\n", true)
	f.Add("a AUTHENTICATE PLAIN\r\nAHUAcA==\r\n", false)
	f.Add("a AUTHENTICATE LOGIN\r\n*\r\na LOGIN {1+}\r\nu {2+}\r\npp\r\n", false)
	f.Fuzz(func(t *testing.T, script string, single bool) {
		l := &Login{Host: "h", Try: func(tag string, c login.Credentials, ahead []byte) login.Verdict {
			if !sane(c) || tag == "" || strings.ContainsAny(tag, "\x00\r\n ") || single && len(ahead) > 0 {
				t.Errorf("asked %q, %+v, %d bytes ahead", tag, c, len(ahead))
			}
			return login.Refused
		}}
		c := &fake{in: strings.NewReader(script)}
		l.Serve(c, nil, single)
		if out := c.out.String(); !strings.HasSuffix(out, "\r\n") || strings.Count(out, "\n") != strings.Count(out, "\r\n") {
			t.Errorf("said %q", out)
		}
	})
}
