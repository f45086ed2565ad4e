// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// epoch is the time of the first message; one follows every ten minutes.
const epoch = 1700000000

// box makes a Maildir of N mails, always the same for the same N.
func box(args []string) error {
	if len(args) != 2 {
		return usage
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 1 || n > maxMessages {
		return usageError(fmt.Sprintf("N is %q: want a number from 1 to %d", args[0], maxMessages))
	}
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(args[1], sub), 0o700); err != nil {
			return err
		}
	}
	r := rand.New(rand.NewPCG(1, uint64(n)))
	var b bytes.Buffer
	for i := range n {
		b.Reset()
		compose(&b, r, i)
		at := epoch + int64(i)*600
		path := filepath.Join(args[1], "cur", fmt.Sprintf("%d.M%06dP%d.mail.testingsmtp.org:2,%s", at, r.IntN(1000000), 1000+i%30000, flags(r)))
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			return err
		}
		when := time.Unix(at, 0)
		if err := os.Chtimes(path, when, when); err != nil {
			return err
		}
	}
	return nil
}

// flags of a mailbox that is read: most seen, some answered, few flagged.
func flags(r *rand.Rand) string {
	switch n := r.IntN(100); {
	case n < 5:
		return ""
	case n < 8:
		return "FS"
	case n < 20:
		return "RS"
	}
	return "S"
}

var words = strings.Fields("budget meeting the of to report mail server please review for draft and notes week plan change list order invoice question about answer release version test build queue zone name host list number open next last update request status")

// text is n words.
func text(b *bytes.Buffer, r *rand.Rand, n int) {
	for i := range n {
		switch {
		case i == 0:
		case i%12 == 0:
			b.WriteByte('\n')
		default:
			b.WriteByte(' ')
		}
		b.WriteString(words[r.IntN(len(words))])
	}
}

// compose writes one mail of 1 to 4 KiB with the headers that such a mail has on
// its arrival; every tenth is of a list, every fifth has an HTML part too.
func compose(b *bytes.Buffer, r *rand.Rand, i int) {
	from, day := r.IntN(500), time.Unix(epoch+int64(i)*600, 0).UTC()
	id := fmt.Sprintf("%016x.%d@host%d.testingsmtp.org", r.Uint64(), i, from)
	date := day.Format("Mon, 2 Jan 2006 15:04:05 -0700")
	fmt.Fprintf(b, "Return-Path: <user%d@testingsmtp.org>\nDelivered-To: sendmemail@testingsmtp.org\n", from)
	fmt.Fprintf(b, "Received: (qmail %d invoked by uid 65534); %s\n", 1000+i%30000, day.Format("2 Jan 2006 15:04:05 -0000"))
	fmt.Fprintf(b, "Received: from host%d.testingsmtp.org (127.0.0.%d)\n  by mail.testingsmtp.org with SMTP; %s\n", from, 1+from%250, day.Format("2 Jan 2006 15:04:05 -0000"))
	fmt.Fprintf(b, "Received: by host%d.testingsmtp.org id %08x; %s\n", from, r.Uint32(), date)
	fmt.Fprintf(b, "Date: %s\nFrom: \"User %d\" <user%d@testingsmtp.org>\nTo: <sendmemail@testingsmtp.org>\n", date, from, from)
	if i%4 == 0 {
		fmt.Fprintf(b, "Cc: Second Reader <user%d@testingsmtp.org>, user%d@testingsmtp.org\n", r.IntN(500), r.IntN(500))
	}
	b.WriteString("Subject: ")
	if i%3 == 0 {
		b.WriteString("Re: ")
	}
	text(b, r, 3+r.IntN(5))
	fmt.Fprintf(b, " %d\nMessage-ID: <%s>\n", i, id)
	if i%3 == 0 {
		fmt.Fprintf(b, "In-Reply-To: <%d.earlier@testingsmtp.org>\nReferences: <%d.first@testingsmtp.org>\n <%d.earlier@testingsmtp.org>\n", i, i, i)
	}
	if i%10 == 0 {
		b.WriteString("List-Id: <netwatch.testingsmtp.org>\nList-Unsubscribe: <mailto:netwatch-leave@testingsmtp.org>\nPrecedence: list\n")
	}
	b.WriteString("User-Agent: mail/1.0\nMIME-Version: 1.0\n")
	if i%5 != 0 {
		b.WriteString("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 7bit\n\n")
		text(b, r, 60+r.IntN(400))
		b.WriteByte('\n')
		return
	}
	edge := fmt.Sprintf("=_%d", i)
	fmt.Fprintf(b, "Content-Type: multipart/alternative; boundary=\"%s\"\n\n--%s\nContent-Type: text/plain; charset=utf-8\n\n", edge, edge)
	text(b, r, 40+r.IntN(150))
	fmt.Fprintf(b, "\n--%s\nContent-Type: text/html; charset=utf-8\n\n<html><body><p>", edge)
	text(b, r, 40+r.IntN(150))
	fmt.Fprintf(b, "</p></body></html>\n--%s--\n", edge)
}
