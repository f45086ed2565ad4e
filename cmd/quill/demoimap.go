// SPDX-License-Identifier: ISC

package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"quill/internal/lab"
)

// imapTalk is a client's side of IMAP, shown as it goes.
type imapTalk struct {
	*talk
	letter string // its tags begin with this
	n      int    // commands so far
}

// dialIMAP connects, logs in and selects INBOX, of which it gives the number of
// mails.
func (d *demo) dialIMAP(letter string) (c *imapTalk, mails int, err error) {
	t, err := d.dial("IMAP")
	if err != nil {
		return nil, 0, err
	}
	c = &imapTalk{talk: t, letter: letter}
	if _, err := c.await("* OK"); err != nil {
		return c, 0, err
	}
	if _, err := c.do("LOGIN sendmemail@" + lab.Domain + " " + lab.Password); err != nil {
		return c, 0, err
	}
	said, err := c.do("SELECT INBOX")
	if err != nil {
		return c, 0, err
	}
	for line := range strings.Lines(said) {
		if n, _ := fmt.Sscanf(line, "* %d EXISTS", &mails); n == 1 && mails > 0 {
			return c, mails, nil
		}
	}
	return c, 0, fmt.Errorf("INBOX has no mail")
}

// do says a command and wants its OK; it gives all that was said before that.
func (c *imapTalk) do(command string) (said string, err error) {
	c.n++
	tag := fmt.Sprint(c.letter, c.n)
	c.speak(tag + " " + command)
	said, err = c.await(tag + " ")
	if err == nil && !strings.Contains(said, tag+" OK") {
		err = fmt.Errorf("the reply is not %s OK", tag)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", command, err)
	}
	return said, nil
}

// speak says a line; that it failed is seen by what is not heard.
func (c *imapTalk) speak(line string) {
	c.c.SetDeadline(time.Now().Add(stepTime))
	c.said("C:", line)
	fmt.Fprintf(c.c, "%s\r\n", line)
}

// await hears until a line begins so, and gives all that was said.
func (c *imapTalk) await(prefix string) (said string, err error) {
	c.c.SetDeadline(time.Now().Add(stepTime))
	for {
		line, err := c.hear()
		if err != nil {
			return "", fmt.Errorf("waiting for %q: %w", prefix, err)
		}
		said += line + "\n"
		if strings.HasPrefix(line, prefix) {
			return said, nil
		}
		literal, err := c.literal(line)
		if err != nil {
			return "", err
		}
		said += literal
	}
}

// literal shows and gives the bytes that a line announces at its end as {N}.
func (c *imapTalk) literal(line string) (string, error) {
	var n int
	if k, _ := fmt.Sscanf(line[strings.LastIndexByte(line, '{')+1:], "%d}", &n); k != 1 || !strings.HasSuffix(line, "}") {
		return "", nil
	}
	if n > 1<<20 {
		return "", fmt.Errorf("a literal of %d bytes", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(c.r, b); err != nil {
		return "", fmt.Errorf("a literal of %d bytes: %w", n, err)
	}
	for text := range strings.Lines(string(b)) {
		c.said("S:", strings.TrimRight(text, "\r\n"))
	}
	return string(b), nil
}

// imap does what the lecture says that IMAP is for: headers first, parts one by
// one, state kept on the server, several clients at a mailbox, staying connected.
func (d *demo) imap() error {
	if err := d.ask(question{"imap." + lab.Domain, "A", d.l.Net.Server, "where mail is read and kept"}); err != nil {
		return err
	}
	c, mails, err := d.dialIMAP("a")
	if c != nil {
		defer c.c.Close()
	}
	if err != nil {
		return err
	}
	if err := c.read(mails); err != nil {
		return err
	}
	if err := c.stay(mails); err != nil {
		return err
	}
	if _, err := c.do("LOGOUT"); err != nil {
		return err
	}
	c.note("the mail stays on the server, with its flags")
	return nil
}

// read downloads headers, then a part, and marks the mail.
func (c *imapTalk) read(mail int) error {
	for _, s := range []struct{ command, want, not, why string }{
		{"FETCH %d (FLAGS RFC822.SIZE BODY.PEEK[HEADER])", "Subject: the lecture's mail", mailText[5], "the headers alone: the size tells whether the rest is worth the time"},
		{"FETCH %d BODY[1]", mailText[5], "Subject:", "one part alone, where there are several; now the server knows that it was read: \\Seen"},
		{"STORE %d +FLAGS (\\Flagged)", "\\Flagged", "", "what a person thinks of a mail is kept on the server"},
	} {
		said, err := c.do(fmt.Sprintf(s.command, mail))
		if err != nil {
			return err
		}
		if !strings.Contains(said, s.want) || s.not != "" && strings.Contains(said, s.not) {
			return fmt.Errorf("%s got %q; want %q", s.command, said, s.want)
		}
		c.note(s.why)
	}
	return nil
}

// stay has the client wait, while a second one sees and changes flags, and while
// a new mail comes; the new mail is deleted then.
func (c *imapTalk) stay(mails int) error {
	c.n++
	tag := fmt.Sprint(c.letter, c.n)
	c.speak(tag + " IDLE")
	if _, err := c.await("+"); err != nil {
		return err
	}
	c.note("this client stays connected and asks for nothing more")
	if err := c.second(mails); err != nil {
		return err
	}
	c.note("the first client is told:")
	if _, err := c.await(fmt.Sprintf("* %d FETCH (", mails)); err != nil {
		return err
	}
	c.note("another mail is sent by SMTP, as in step 2")
	if err := c.sendQuietly(); err != nil {
		return err
	}
	c.note("the first client is told as soon as it is in the Maildir:")
	if _, err := c.await(fmt.Sprintf("* %d EXISTS", mails+1)); err != nil {
		return err
	}
	c.speak("DONE")
	if _, err := c.await(tag + " OK"); err != nil {
		return err
	}
	if _, err := c.do(fmt.Sprintf("STORE %d +FLAGS (\\Deleted)", mails+1)); err != nil {
		return err
	}
	said, err := c.do("EXPUNGE")
	if want := fmt.Sprintf("* %d EXPUNGE\n", mails+1); err == nil && !strings.Contains(said, want) {
		err = fmt.Errorf("EXPUNGE got %q; want %q", said, want)
	}
	return err
}

// second is another client of the mailbox, which POP3 would refuse.
func (c *imapTalk) second(mails int) error {
	c.note("a second client at the same mailbox:")
	other, n, err := c.dialIMAP("b")
	if other != nil {
		defer other.c.Close()
	}
	if err != nil {
		return err
	}
	said, err := other.do(fmt.Sprintf("FETCH %d FLAGS", mails))
	if err != nil {
		return err
	}
	if n != mails || !strings.Contains(said, "\\Flagged") || !strings.Contains(said, "\\Seen") {
		return fmt.Errorf("the second client sees %d mails and %q; want %d, \\Seen and \\Flagged", n, said, mails)
	}
	other.note("it sees what the first one has read and marked")
	if _, err := other.do(fmt.Sprintf("STORE %d +FLAGS (\\Answered)", mails)); err != nil {
		return err
	}
	_, err = other.do("LOGOUT")
	return err
}

// sendQuietly sends one more mail to the same reader.
func (d *demo) sendQuietly() error {
	t, err := (&demo{printer: &printer{w: io.Discard}, l: d.l}).dial("SMTP")
	if err != nil {
		return err
	}
	defer t.c.Close()
	for _, s := range []struct{ line, want string }{
		{"", "220"}, {"EHLO laptop." + lab.Domain, "250"}, {"MAIL FROM:<netwatcher@" + lab.Domain + ">", "250"}, {"RCPT TO:<sendmemail@" + lab.Domain + ">", "250"},
		{"DATA", "354"}, {"Subject: while you wait\r\n\r\nOne more.\r\n.", "250"}, {"QUIT", "221"},
	} {
		if _, err := t.say(s.line, s.want); err != nil {
			return err
		}
	}
	return nil
}
