// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"quill/internal/lab"
	"quill/internal/resolve"
)

// stepTime is how long a step of the demo may take.
const stepTime = 5 * time.Second

// demo plays the lecture's mail.
type demo struct {
	*printer
	l  *lab.Lab
	id string // of the message
}

// playDemo plays it step by step; an error names the step.
func playDemo(l *lab.Lab) error {
	d := &demo{printer: newPrinter(os.Stdout), l: l}
	steps := []struct {
		name string
		play func() error
	}{{"the laptop asks DNS", d.dns}, {"the laptop sends by SMTP", d.smtp}, {"the server delivers", d.delivery}, {"the laptop fetches by POP3", d.pop3}, {"the laptop reads by IMAP", d.imap}}
	for i, s := range steps {
		d.title(fmt.Sprintf("%d. %s", i+1, s.name))
		if err := s.play(); err != nil {
			return no("demo: step %d, %s: %w", i+1, s.name, err)
		}
	}
	d.title("done: one mail went the lecture's way")
	return nil
}

// question is one of DNS: its answer, and why it is asked.
type question struct{ name, kind, want, why string }

// dns asks what the capture's packets ask.
func (d *demo) dns() error {
	server := d.l.Net.Server
	for _, q := range []question{
		{"mail." + lab.Domain, "AAAA", "", "for IPv6, of no further interest"},
		{"mail." + lab.Domain, "A", server, "where outgoing mail goes"},
		{lab.Reverse(server), "PTR", "mail." + lab.Domain + ".", "back to a name, to be sure"},
		{lab.Domain, "MX", "10 mail." + lab.Domain + ".", "who takes mail for the domain"},
		{"pop3." + lab.Domain, "A", server, "where mail is fetched"},
	} {
		if err := d.ask(q); err != nil {
			return err
		}
	}
	return nil
}

// ask asks tinydns and wants the answer.
func (d *demo) ask(q question) error {
	answers, status, err := resolve.Ask(d.l.Addrs["DNS"], q.name, q.kind, stepTime)
	if err != nil {
		return fmt.Errorf("%s %s: %w", q.kind, q.name, err)
	}
	d.said("C:", q.kind+" "+q.name+"?   "+d.paint(dim, q.why))
	got := strings.Join(answers, ", ")
	if got != q.want {
		return fmt.Errorf("%s %s: answer %q; want %q", q.kind, q.name, got, q.want)
	}
	if got == "" {
		got = "(none of this type)"
	}
	d.said("S:", status+" "+got)
	return nil
}

// talk is a client's side of a line protocol, shown as it goes.
type talk struct {
	*demo
	c      net.Conn
	r      *bufio.Reader
	before int64 // bytes of tinydns's log before the connection
}

// dial connects from the laptop's address.
func (d *demo) dial(service string) (*talk, error) {
	from := net.Dialer{Timeout: stepTime, LocalAddr: &net.TCPAddr{IP: net.ParseIP(d.l.Net.Laptop)}}
	before := d.logged()
	c, err := from.Dial("tcp", d.l.Addrs[service])
	if err != nil {
		return nil, err
	}
	d.note("a connection from " + d.l.Net.Laptop + " to " + d.l.Addrs[service])
	c.SetDeadline(time.Now().Add(stepTime))
	return &talk{d, c, bufio.NewReader(c), before}, nil
}

// hear shows a line and gives it.
func (t *talk) hear() (string, error) {
	line, err := t.r.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("no reply: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	t.said("S:", line)
	return line, nil
}

// say says a line (none if empty) and wants the reply to start so; replies of
// several lines are read to their end.
func (t *talk) say(line, want string) (string, error) {
	if line != "" {
		t.said("C:", line)
		if _, err := t.c.Write([]byte(line + "\r\n")); err != nil {
			return "", err
		}
	}
	for {
		got, err := t.hear()
		if err != nil {
			return "", err
		}
		if !strings.HasPrefix(got, want) {
			return "", fmt.Errorf("%q got the reply %q; want %s", line, got, want)
		}
		if len(got) < 4 || got[3] != '-' || want[0] == '+' {
			return got, nil
		}
	}
}

// mailText is the message of the lecture, as the laptop writes it.
var mailText = []string{
	"Subject: the lecture's mail", "From: netwatcher@" + lab.Domain, "To: sendmemail@" + lab.Domain, "Content-Type: text/plain", "",
	"One can follow every step of this mail.", ".this line begins with a dot, which is doubled on the wire",
}

func (d *demo) smtp() error {
	t, err := d.dial("SMTP")
	if err != nil {
		return err
	}
	defer t.c.Close()
	if err := d.lookups(t.before); err != nil {
		return err
	}
	for _, s := range []struct{ line, want string }{
		{"", "220 Welcome! Please send your message! ESMTP"}, {"EHLO laptop." + lab.Domain, "250"}, {"MAIL FROM:<netwatcher@" + lab.Domain + ">", "250 2.1.0"},
		{"RCPT TO:<sendmemail@" + lab.Domain + ">", "250 2.1.5"}, {"DATA", "354"},
	} {
		if _, err := t.say(s.line, s.want); err != nil {
			return err
		}
	}
	for _, line := range mailText {
		if strings.HasPrefix(line, ".") {
			line = "." + line
		}
		t.said("C:", line)
		fmt.Fprintf(t.c, "%s\r\n", line)
	}
	got, err := t.say(".", "250 2.0.0 ok ")
	if err != nil {
		return err
	}
	t.note("said only after the message was on disk; the number is its id from here on")
	_, d.id, _ = strings.Cut(got, " qp ")
	for _, s := range []struct{ line, want string }{{"RSET", "250"}, {"QUIT", "221"}} {
		if _, err := t.say(s.line, s.want); err != nil {
			return err
		}
	}
	return nil
}

// writers is who wrote a header line, and why.
var writers = []struct{ prefix, who string }{
	{"Return-Path:", "local-delivery: the sender of MAIL FROM, where bounces go"},
	{"Delivered-To:", "local-delivery: whose mailbox this is; a loop would be seen by it"},
	{"Received: (qmail", "queued: the message entered the queue, under this id"},
	{"Received: from", "smtpd: who sent it: name by DNS, address, and when"},
	{"  by ", ""},
	{"", "the laptop: for whoever reads the mail, and not to be trusted"},
}

// delivery waits for the file and explains it.
func (d *demo) delivery() error {
	pattern := filepath.Join(d.l.Dir, "mail", lab.Domain, "sendmemail/Maildir/new/*Q"+d.id+"R0.*")
	var file string
	for end := time.Now().Add(stepTime); ; time.Sleep(2 * time.Millisecond) {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			file = found[0]
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("no file %s after %v; the log is %s", pattern, stepTime, filepath.Join(d.l.Dir, "log/send/current"))
		}
	}
	d.note("qmail-send told qmail-lspawn, whose local-delivery wrote this file:")
	d.note(file)
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, body, _ := strings.Cut(string(text), "\n\n")
	for _, line := range strings.Split(head, "\n") {
		d.line("  " + line)
		for _, w := range writers {
			if strings.HasPrefix(line, w.prefix) {
				if w.who != "" {
					d.note("▲ " + w.who)
				}
				break
			}
		}
	}
	d.line("")
	for line := range strings.Lines(body) {
		d.line("  " + strings.TrimRight(line, "\n"))
	}
	return nil
}

func (d *demo) pop3() error {
	t, err := d.dial("POP3")
	if err != nil {
		return err
	}
	defer t.c.Close()
	for _, s := range []struct {
		line, want string
		multi      bool
	}{
		{"", "+OK <", false}, {"CAPA", "+OK", true}, {"USER sendmemail@" + lab.Domain, "+OK", false}, {"PASS " + lab.Password, "+OK", false}, {"CAPA", "+OK", true},
		{"UIDL 1", "+OK 1 ", false}, {"LIST", "+OK", true}, {"UIDL", "+OK", true}, {"RETR 1", "+OK", true}, {"QUIT", "+OK", false},
	} {
		if _, err := t.say(s.line, s.want); err != nil {
			return err
		}
		for s.multi {
			line, err := t.hear()
			if err != nil {
				return err
			}
			if line == "." {
				break
			}
		}
	}
	return nil
}
