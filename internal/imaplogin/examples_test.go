// SPDX-License-Identifier: ISC

package imaplogin

import (
	"strings"
	"testing"

	"quill/internal/login"
)

// known answers who is asked: fred's password is not foo, dow is where nobody can
// tell, and all others come in.
func known(_ string, c login.Credentials, _ []byte) login.Verdict {
	switch c.User {
	case "fred":
		return login.Refused
	case "dow":
		return login.Temporary
	}
	return login.Taken
}

// TestExamples is the RFCs' examples of what comes before and with a login. What
// stands after one that is taken is the session's: its OK too.
func TestExamples(t *testing.T) {
	caps := "* CAPABILITY " + offer(&Login{}) + "\n"
	for _, c := range []struct{ where, in, want, user, secret string }{
		// TLS is not begun here yet, so STARTTLS is BAD and not offered.
		{"RFC 9051 §6.1.1", "abcd CAPABILITY\nefgh STARTTLS\nijkl CAPABILITY\n",
			caps + "abcd OK CAPABILITY completed\nefgh BAD TLS cannot be begun here\n" + caps + "ijkl OK CAPABILITY completed\n", "", ""},
		{"RFC 9051 §6.2.1", "a001 CAPABILITY\na002 STARTTLS\na003 CAPABILITY\na004 AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=\n",
			caps + "a001 OK CAPABILITY completed\na002 BAD TLS cannot be begun here\n" + caps + "a003 OK CAPABILITY completed\n", "test", "test"},
		{"RFC 9051 §6.2.2, example 1", "A001 AUTHENTICATE GSSAPI\n", "A001 NO [CANNOT] unknown mechanism\n", "", ""},
		{"RFC 9051 §6.2.2, example 2", "A02 CAPABILITY\nA03 AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=\n", caps + "A02 OK CAPABILITY completed\n", "test", "test"},
		{"RFC 9051 §6.2.2, example 3; RFC 4959 §4, example 2", "C01 CAPABILITY\nA01 AUTHENTICATE PLAIN\ndGVzdAB0ZXN0AHRlc3Q=\n", caps + "C01 OK CAPABILITY completed\n+ \n", "test", "test"},
		{"RFC 9051 §6.2.2, example 4; RFC 4959 §4, example 3", "C01 CAPABILITY\nA01 AUTHENTICATE EXTERNAL =\n", caps + "C01 OK CAPABILITY completed\nA01 NO [CANNOT] unknown mechanism\n", "", ""},
		{"RFC 4959 §4, example 1", "C01 CAPABILITY\nA01 AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=\n", caps + "C01 OK CAPABILITY completed\n", "test", "test"},
		{"RFC 4959 §4, example 4", "A01 AUTHENTICATE EXTERNAL\n", "A01 NO [CANNOT] unknown mechanism\n", "", ""},
		{"RFC 4959 §3, RFC 9051 §6.2.2: = elsewhere than at the end", "a AUTHENTICATE PLAIN =AAA\nb AUTHENTICATE PLAIN AAA=BBB\nc AUTHENTICATE PLAIN\nAAA=BBB\n", "a" + notBase64 + "b" + notBase64 + "+ \nc" + notBase64, "", ""},
		{"RFC 9051 §6.2.3", "a001 LOGIN SMITH SESAME\n", "", "SMITH", "SESAME"},
		{"RFC 9051 §7.6", "A001 LOGIN {11}\nFRED FOOBAR {7}\nfat man\n", "+ go on\n+ go on\n", "FRED FOOBAR", "fat man"},
		{"RFC 9051 §7.6", "A044 BLURDYBLOOP {102856}\n", "A044 BAD unknown command\n", "", ""},
		{"RFC 7888 §3", "A001 LOGIN {11+}\nFRED FOOBAR {7+}\nfat man\n", "", "FRED FOOBAR", "fat man"},
		{"RFC 7888 §3", "A001 LOGIN \"FRED FOOBAR\" \"fat man\"\n", "", "FRED FOOBAR", "fat man"},
		{"RFC 9051 §7.1, AUTHENTICATIONFAILED", "b LOGIN \"fred\" \"foo\"\n", "b" + wrong, "fred", "foo"},
		{"RFC 9051 §7.1, AUTHORIZATIONFAILED", "c1 AUTHENTICATE PLAIN\n" + plainText("boss", "fred", "foo") + "\n", "+ \nc1 NO [AUTHORIZATIONFAILED] nobody may log in as another\n", "", ""},
		{"RFC 9051 §7.1, UNAVAILABLE", "a LOGIN \"dow\" \"foo\"\n", "a NO [UNAVAILABLE] unable to check passwords now, please try later\n* BYE please try later\n", "dow", "foo"},
		{"RFC 9051 §7.1.3", strings.Repeat("x", 9000) + "\n\n", "* BAD [TOOBIG] command too long\n* BAD expected a tag\n", "", ""},
	} {
		var asked login.Credentials
		l := &Login{Host: "h", Try: func(tag string, cr login.Credentials, ahead []byte) login.Verdict {
			asked = cr
			return known(tag, cr, ahead)
		}}
		f := &fake{in: strings.NewReader(strings.ReplaceAll(c.in, "\n", "\r\n"))}
		l.Serve(f, nil, false)
		_, got, _ := strings.Cut(strings.ReplaceAll(f.out.String(), "\r\n", "\n"), "\n")
		if want := (login.Credentials{User: c.user, Secret: c.secret}); got != c.want || asked != want {
			t.Errorf("%s: %q: %q, asked %+v; want %q, %+v", c.where, c.in, got, asked, c.want, want)
		}
	}
}
