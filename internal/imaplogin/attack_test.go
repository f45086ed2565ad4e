// SPDX-License-Identifier: ISC

package imaplogin

import (
	"errors"
	"io"
	"strings"
	"testing"

	"quill/internal/login"
)

// quit ends a script, and closing what is said then.
const (
	quit    = "z LOGOUT\n"
	closing = bye + "z OK LOGOUT completed\n"
)

// endures plays a script; nobody may be asked.
func endures(t *testing.T, in, want string) {
	t.Helper()
	if got, questions, taken, _ := play(&Login{}, in); got != want || len(questions) > 0 || taken {
		t.Errorf("%.60q: %q, asked %q, taken %v; want %q", in, got, questions, taken, want)
	}
}

// TestIM1 announces literals too large.
func TestIM1(t *testing.T) {
	const tooBig = "a BAD [TOOBIG] literal too large\n"
	const lost = "* BYE lost the place of the next command\n"
	for in, want := range map[string]string{
		"a LOGIN {4294967295}\n" + quit:                                 tooBig + closing,
		"a LOGIN {99999999999999999999}\n" + quit:                       tooBig + closing,
		"a LOGIN {1025}\n" + quit:                                       tooBig + closing,
		"a LOGIN {1025+}\n" + strings.Repeat("u", 1025):                 tooBig + lost,
		"a LOGIN {1000000+}\n" + strings.Repeat("slow", 10):             "a BAD [TOOBIG] non-synchronizing literal too large\n" + lost,
		"a LOGIN u {600}\n" + strings.Repeat("p", 600) + "\n" + quit:    "+ go on\na" + insane + closing,
		"a LOGIN {1024+}\n" + strings.Repeat("u", 1024) + " p\n" + quit: "a" + insane + closing,
		"a APPEND INBOX {4294967295}\n" + quit:                          "a" + logInTo + closing,
	} {
		endures(t, in, want)
	}
}

// TestIM3 nests deeply.
func TestIM3(t *testing.T) {
	deep := strings.Repeat("(", 1e6)
	for in, want := range map[string]string{
		"a " + deep + "\n" + quit:               "a BAD [TOOBIG] line far too long\n* BYE lost the place of the next command\n",
		"a SEARCH " + deep[:8000] + "\n" + quit: "a" + logInTo + closing,
		"a ID " + deep[:8000] + "\n" + quit:     "a BAD expected a string\n" + closing,
		"a LOGIN " + deep[:8000] + "\n" + quit:  "a BAD expected an atom or a string\n" + closing,
		"a LOGIN " + deep[:8192] + "\n" + quit:  "a BAD [TOOBIG] command too long\n" + closing,
	} {
		endures(t, in, want)
	}
}

// TestIM6 names mailboxes that are none, and users by 8-bit bytes. A name in
// UTF-8 is somebody's to judge.
func TestIM6(t *testing.T) {
	for in, want := range map[string]string{
		"a SELECT ../x\nb CREATE a\\..\nc DELETE &AC4ALg-\n" + quit: "a" + logInTo + "b" + logInTo + "c" + logInTo + closing,
		"a LOGIN \xe9 p\n" + quit:                                   "a BAD expected an atom or a string\n" + closing,
		"a LOGIN \"\xe9\" p\n" + quit:                               "a BAD quoted string is not UTF-8\n" + closing,
		"a LOGIN {1+}\n\xe9 p\n" + quit:                             "a" + insane + closing,
		"a LOGIN {3+}\n\xff\x00\xff p\n" + quit:                     "a BAD NUL in literal\n" + closing,
		"a LOGIN \"u\x00\" p\n" + quit:                              "a BAD NUL or bare CR in command\n" + closing,
		"a LOGIN {3+}\nu\n p\n" + quit:                              "a" + insane + closing,
		"a LOGIN \"u\x7f\" p\n" + quit:                              "a" + insane + closing,
		"a LOGIN \"\u0085\" p\n" + quit:                             "a" + insane + closing,
		"a LOGIN u \"\tp\"\n" + quit:                                "a" + insane + closing,
		"a LOGIN \"\" p\n" + quit:                                   "a" + insane + closing,
		"a LOGIN u \"\"\n" + quit:                                   "a" + insane + closing,
	} {
		endures(t, in, want)
	}
	if got, questions, _, _ := play(&Login{}, "a LOGIN \"josé\" {1+}\n\xe9\n"+quit); got != "a"+wrong+closing || len(questions) != 1 || questions[0].user != "josé" || questions[0].secret != "\xe9" {
		t.Errorf("a user in UTF-8: %q, asked %q; want a question", got, questions)
	}
}

// TestCredentials: what a checkpassword takes on descriptor 3 is the most that it
// is asked about.
func TestCredentials(t *testing.T) {
	most := strings.Repeat("p", login.MaxBytes-len("u\x00\x00\x00"))
	if got, questions, _, _ := play(&Login{}, "a LOGIN u "+most+"\n"+quit); got != "a"+wrong+closing || len(questions) != 1 {
		t.Errorf("credentials of %d bytes: %q, %d questions; want one", login.MaxBytes, got, len(questions))
	}
	endures(t, "a LOGIN u "+most+"p\n"+quit, "a"+insane+closing)
}

// TestAU4 is users that nobody knows, by every mechanism.
func TestAU4(t *testing.T) {
	for _, in := range []string{"a LOGIN nobody p\n", "a AUTHENTICATE PLAIN " + plainText("", "nobody", "p") + "\n"} {
		if got, questions, taken, _ := play(&Login{}, in+quit); got != "a"+wrong+closing || len(questions) != 1 || taken {
			t.Errorf("%q: %q, asked %q, taken %v; want a refusal", in, got, questions, taken)
		}
	}
	in := "a AUTHENTICATE LOGIN\n" + b64("nobody") + "\n" + b64("p") + "\n"
	if got, _, taken, _ := play(&Login{}, in+quit); got != username+password+"a"+wrong+closing || taken {
		t.Errorf("%q: %q, taken %v; want a refusal", in, got, taken)
	}
	endures(t, "a AUTHENTICATE CRAM-MD5\nb AUTHENTICATE SCRAM-SHA-256 "+b64("n,,n=u")+"\n"+quit, "a NO [CANNOT] unknown mechanism\nb NO [CANNOT] unknown mechanism\n"+closing)
}

// TestAU5 wants to act as another (CVE-2023-27582): the password is not looked
// at.
func TestAU5(t *testing.T) {
	const no = "a NO [AUTHORIZATIONFAILED] nobody may log in as another\n"
	for _, authzid := range []string{"admin", "sendmemail@testingsmtp.org", "NETWATCHER@testingsmtp.org", " "} {
		endures(t, "a AUTHENTICATE PLAIN "+plainText(authzid, netwatcher, "lab")+"\n"+quit, no+closing)
	}
}

// TestAU6 is exchanges that are broken or broken off.
func TestAU6(t *testing.T) {
	const notPlain = "a BAD response is not PLAIN's\n"
	for in, want := range map[string]string{
		"a AUTHENTICATE PLAIN\n!\n" + quit:                                       "+ \na" + notBase64 + closing,
		"a AUTHENTICATE PLAIN !\n" + quit:                                        "a" + notBase64 + closing,
		"a AUTHENTICATE PLAIN AHUAcB==\n" + quit:                                 "a" + notBase64 + closing, // bits beyond the end
		"a AUTHENTICATE PLAIN\n AHUAcA==\n" + quit:                               "+ \na" + notBase64 + closing,
		"a AUTHENTICATE PLAIN\n\n" + quit:                                        "+ \n" + notPlain + closing,
		"a AUTHENTICATE PLAIN =\n" + quit:                                        notPlain + closing,
		"a AUTHENTICATE PLAIN " + b64("u\x00p") + "\n" + quit:                    notPlain + closing,
		"a AUTHENTICATE PLAIN " + b64("\x00u\x00p\x00") + "\n" + quit:            notPlain + closing,
		"a AUTHENTICATE PLAIN " + b64("\x00\x00") + "\n" + quit:                  "a" + insane + closing,
		"a AUTHENTICATE PLAIN " + plainText("", "u\n", "p") + "\n" + quit:        "a" + insane + closing,
		"a AUTHENTICATE PLAIN " + plainText("", "\xe9", "p") + "\n" + quit:       "a" + insane + closing,
		"a AUTHENTICATE PLAIN\n*\n" + quit:                                       "+ \na" + givenUp + closing,
		"a AUTHENTICATE LOGIN\n*\n" + quit:                                       username + "a" + givenUp + closing,
		"a AUTHENTICATE LOGIN\n" + b64("u") + "\n*\n" + quit:                     username + password + "a" + givenUp + closing,
		"a AUTHENTICATE LOGIN\n\n\n" + quit:                                      username + password + "a" + insane + closing,
		"a AUTHENTICATE LOGIN\n" + b64("u\x00v") + "\n" + b64("p") + "\n" + quit: username + password + "a" + insane + closing,
		"a AUTHENTICATE\n" + quit:                                                "a BAD expected a space\n" + closing,
		"a AUTHENTICATE PLAIN\n" + strings.Repeat("A", 9000) + "\n" + quit:       "+ \na BAD line too long\n" + closing,
		"a AUTHENTICATE PLAIN\n" + strings.Repeat("A", 100<<10) + "\n" + quit:    "+ \na BAD [TOOBIG] line far too long\n* BYE lost the place of the next command\n",
	} {
		endures(t, in, want)
	}
	for _, in := range []string{"a AUTHENTICATE PLAIN\n", "a AUTHENTICATE PLAIN\nAHU", "a AUTHENTICATE LOGIN\ndQ==\n"} {
		if _, questions, taken, err := play(&Login{}, in); !errors.Is(err, io.ErrUnexpectedEOF) || len(questions) > 0 || taken {
			t.Errorf("%q broken off: asked %q, taken %v, %v; want the end", in, questions, taken, err)
		}
	}
}

// TestIM8 makes errors: so many are borne.
func TestIM8(t *testing.T) {
	junk := []string{"+ NOOP\n", "* NOOP\n", "a LOGIN \"u p\n", "a LOGIN u\xe9 p\n", "a\rb NOOP\n", strings.Repeat("t", 4096) + " NOOP\n", "\n"}
	most := strings.Repeat("a FOO\n", login.MaxErrors-1-len(junk))
	got, _, _, err := play(&Login{}, most+strings.Join(junk, "")+quit)
	if !strings.HasSuffix(got, closing) || err != nil || strings.Count(got, " BAD ") != login.MaxErrors-1 {
		t.Errorf("%d errors: %q, %v; want a dialogue that goes on", login.MaxErrors-1, got, err)
	}
	got, _, _, err = play(&Login{}, most+strings.Join(junk, "")+"a FOO\n"+quit)
	if !strings.HasSuffix(got, "a BAD unknown command\n* BYE too many errors\n") || err == nil {
		t.Errorf("%d errors: %q, %v; want BYE", login.MaxErrors, got, err)
	}
}
