// SPDX-License-Identifier: ISC

package qsbmf

import (
	"testing"
	"time"
)

func TestText(t *testing.T) {
	n := Notice{From: "MAILER-DAEMON@mail.testingsmtp.org", To: "sendmemail@testingsmtp.org", Host: "mail.testingsmtp.org", At: time.Unix(1795479833, 0),
		Sender:   "sendmemail@testingsmtp.org",
		Failures: []Failure{{"info@virt.example", "Sorry, no mailbox here by that name. (#5.1.1)\n"}, {"x@testingsmtp.org", "a\n\nb"}}}
	want := "Date: 24 Nov 2026 00:23:53 -0000\nFrom: MAILER-DAEMON@mail.testingsmtp.org\nTo: sendmemail@testingsmtp.org\nSubject: failure notice\n\n" +
		"Hi. This is the qmail-send program at mail.testingsmtp.org.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n" +
		"This is a permanent error; I've given up. Sorry it didn't work out.\n\n<info@virt.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n<x@testingsmtp.org>:\na\n/\nb\n\n" +
		"--- Below this line is a copy of the message.\n\nReturn-Path: <sendmemail@testingsmtp.org>\n"
	if got := n.Text(); got != want {
		t.Errorf("Text() = %q; want %q", got, want)
	}
	n.Double, n.Sender, n.Failures = true, "", n.Failures[:1]
	want = "Date: 24 Nov 2026 00:23:53 -0000\nFrom: MAILER-DAEMON@mail.testingsmtp.org\nTo: sendmemail@testingsmtp.org\nSubject: failure notice\n\n" +
		"Hi. This is the qmail-send program at mail.testingsmtp.org.\nI tried to deliver a bounce message to this address, but the bounce bounced!\n\n<info@virt.example>:\n" +
		"Sorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line is the original bounce.\n\nReturn-Path: <>\n"
	if got := n.Text(); got != want {
		t.Errorf("double: Text() = %q; want %q", got, want)
	}
}
