// SPDX-License-Identifier: ISC

// Package qsbmf writes bounces in the qmail-send bounce message format, which
// list managers and bounce analysers know by heart.
package qsbmf

import (
	"strings"
	"time"

	"quill/internal/addr"
	"quill/internal/header"
)

// Failure is one recipient's.
type Failure struct {
	Recipient string // without a virtual domain's prefix
	Text      string // why
}

// Notice is what a bounce says.
type Notice struct {
	From     string // bouncefrom@bouncehost
	To       string
	Host     string // me
	At       time.Time
	Double   bool   // what bounced was a bounce
	Sender   string // of the message that bounced
	Failures []Failure
}

// Text is the notice up to where the copy of the message follows.
func (n Notice) Text() string {
	var b strings.Builder
	b.WriteString("Date: " + header.Date(n.At) + "\nFrom: " + addr.Quote(n.From) + "\nTo: " + addr.Quote(n.To) + "\nSubject: failure notice\n\n")
	b.WriteString("Hi. This is the qmail-send program at " + header.Safe(n.Host) + ".\n")
	if n.Double {
		b.WriteString("I tried to deliver a bounce message to this address, but the bounce bounced!\n\n")
	} else {
		b.WriteString("I'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n")
	}
	for _, f := range n.Failures {
		b.WriteString("<" + oneLine(f.Recipient) + ">:\n" + paragraph(f.Text) + "\n")
	}
	if n.Double {
		b.WriteString("--- Below this line is the original bounce.\n\n")
	} else {
		b.WriteString("--- Below this line is a copy of the message.\n\n")
	}
	b.WriteString("Return-Path: <" + addr.Quote(n.Sender) + ">\n")
	return b.String()
}

func oneLine(s string) string { return strings.ReplaceAll(s, "\n", "_") }

// paragraph is text that cannot be taken for the end of its paragraph: an empty
// line in it gets a '/'.
func paragraph(s string) string {
	s = strings.TrimRight(s, "\n") + "\n"
	for strings.Contains(s, "\n\n") {
		s = strings.ReplaceAll(s, "\n\n", "\n/\n")
	}
	return s
}
