// SPDX-License-Identifier: ISC

package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"quill/internal/addr"
	"quill/internal/header"
	"quill/internal/mailid"
	"quill/internal/route"
	"quill/internal/smtp"
	"quill/internal/ucspi"
	"quill/queue"
	"quill/queue/inject"
)

// backend decides for one session.
type backend struct {
	d      *daemon
	c      *config
	client header.Client
	ip     string // ours, that the client connected to
	relay  string // appended to recipients, where RELAYCLIENT is set
	open   bool   // RELAYCLIENT is set: mail for anybody is taken
	from   smtp.Sender
	bad    bool // the sender is in badmailfrom: told at RCPT
}

func newBackend(d *daemon, c *config, e ucspi.Env) *backend {
	b := &backend{d: d, c: c, ip: e.Value("TCPLOCALIP")}
	b.relay, b.open = e.Lookup("RELAYCLIENT")
	or := func(names ...string) string {
		for _, n := range names {
			if v, set := e.Lookup(n); v != "" || set && c.classic {
				return v // qmail-smtpd takes an empty one as it is
			}
		}
		return "unknown"
	}
	b.client = header.Client{Host: or("TCPREMOTEHOST"), IP: or("TCPREMOTEIP"), Info: e.Value("TCPREMOTEINFO"), Local: or("TCPLOCALHOST", "TCPLOCALIP")}
	return b
}

func (b *backend) Closing() bool { return b.d.closing.Load() }

// Note logs an event with its client; what clients said is escaped.
func (b *backend) Note(event, detail string) {
	lines.Soon("%s: client %s (%s): %s", event, header.Safe(b.client.IP), header.Safe(b.client.Host), visible(detail))
}

// visible is text for a log line.
func visible(s string) string {
	return strings.Map(func(c rune) rune {
		if c < 32 || c > 126 || c == '%' {
			return '_'
		}
		return c
	}, s)
}

// Sender keeps the sender; one of badmailfrom is refused at RCPT, as the
// family does, so that postmaster can be reached and the log tells whom it
// wrote to.
func (b *backend) Sender(s smtp.Sender) smtp.Reply {
	b.from = s
	a := route.Lower(s.Path.String())
	_, domain, _ := addr.SplitLast(a)
	b.bad = a != "" && (b.c.badMailFrom[a] || b.c.badMailFrom["@"+domain])
	return ""
}

// refuse is a refusal and its log line.
func (b *backend) refuse(p addr.Path, r smtp.Reply) (string, smtp.Reply) {
	b.Note("refused", fmt.Sprintf("from <%s> to <%s>: %s", b.from.Path, p, r))
	return "", r
}

// say is a reply in the words of the mode.
func (b *backend) say(modern, classic smtp.Reply) smtp.Reply {
	if b.c.classic {
		return classic
	}
	return modern
}

// Recipient decides whether mail for an address is taken: for our domains from
// everybody, if the user exists; for other domains from those who may relay.
func (b *backend) Recipient(p addr.Path) (string, smtp.Reply) {
	if p.Literal {
		if b.c.literal == "" || !b.own(p.Domain) {
			return b.refuse(p, b.say("550 5.1.2 mail to address literals is not accepted", "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"))
		}
		p.Domain, p.Literal = b.c.literal, false
	}
	if b.bad {
		return b.refuse(p, b.say("553 5.7.1 your envelope sender is in my badmailfrom list", "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)"))
	}
	if b.open {
		if _, local := b.c.routes.LocalKey(p.String() + b.relay); local {
			return b.known(p, p.String()+b.relay)
		}
		return p.String() + b.relay, ""
	}
	if p.Domain != "" {
		ok, err := b.d.settings.accepts(b.c, p.Domain)
		if err != nil {
			return b.trouble("control/morercpthosts.cdb", err)
		}
		if !ok {
			return b.refuse(p, b.say("550 5.7.1 relaying is not permitted", "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"))
		}
	}
	return b.known(p, p.String())
}

// own says whether a literal is the address that the client connected to.
func (b *backend) own(literal string) bool {
	a, ok := addr.Literal(literal)
	return ok && a.String() == b.ip
}

// known refuses users of ours that do not exist.
func (b *backend) known(p addr.Path, queued string) (string, smtp.Reply) {
	key, local := b.c.routes.LocalKey(queued)
	if !local {
		return queued, ""
	}
	ok, err := b.d.settings.users.Exists(key)
	switch {
	case err != nil:
		return b.trouble("users/cdb (make it with quill user)", err)
	case !ok:
		return b.refuse(p, b.say("550 5.1.1 no mailbox here by that name", "550 sorry, no mailbox here by that name (#5.1.1)"))
	}
	return queued, ""
}

// trouble is a refusal for now: what we cannot read is ours to mend.
func (b *backend) trouble(what string, err error) (string, smtp.Reply) {
	logf("alert: unable to read %s: %v; mail waits at its senders", what, err)
	return "", "451 4.3.0 unable to check recipients, please try later"
}

// Begin starts a message with our Received line.
func (b *backend) Begin(helo string, extended bool, to []string) (smtp.Message, smtp.Reply) {
	if r := b.d.queue.Room(b.from.Size); !r.OK() {
		return nil, b.unqueued(r, b.from.Path.String(), b.from.Size)
	}
	client := b.client
	client.Helo, client.With = helo, "SMTP"
	if extended && !b.c.classic {
		client.With = "ESMTP"
	}
	id := mailid.New()
	facts := queue.Params{{Key: "origin", Value: "network"}, {Key: "helo", Value: strings.ReplaceAll(helo, "\x00", "?")}, {Key: "proto", Value: client.With}}
	if b.from.Body != "" {
		facts = append(facts, queue.Param{Key: "body", Value: b.from.Body})
	}
	m, err := b.d.queue.Begin(id, facts)
	if err != nil {
		logf("alert: unable to begin a message: %v", err)
		return nil, "451 4.3.0 unable to reach the queue"
	}
	env := &queue.Envelope{Sender: b.from.Path.String()}
	for _, a := range to {
		env.Recipients = append(env.Recipients, queue.Recipient{Addr: a})
	}
	msg := &message{b: b, m: m, env: env}
	msg.Write([]byte(client.Received(time.Now())))
	return msg, ""
}

// unqueued is the reply to a message that the queue did not take.
func (b *backend) unqueued(r inject.Result, sender string, size int64) smtp.Reply {
	b.Note("refused", fmt.Sprintf("from <%s>, %d bytes: %s", sender, size, r.Text))
	text := smtp.Reply(visible(r.Text[1:]))
	if r.Permanent() {
		return b.say("554 5.3.0 "+text, "554 "+text)
	}
	return b.say("451 4.3.0 "+text, "451 "+text)
}

// message is one on its way to the queue.
type message struct {
	b    *backend
	m    inject.Message
	env  *queue.Envelope
	size int64
	err  error
}

func (m *message) Write(p []byte) (int, error) {
	m.size += int64(len(p))
	if m.err == nil {
		_, m.err = m.m.Write(p)
	}
	return len(p), nil // Commit tells
}

func (m *message) Abort() { m.m.Abort() }

// Commit waits for the queue's verdict.
func (m *message) Commit() smtp.Reply {
	r := m.m.Commit(m.env)
	if !r.OK() {
		return m.b.unqueued(r, m.env.Sender, m.size)
	}
	lines.Soon("accepted: msg %v: %d bytes from <%s> to %d recipients, client %s (%s)", r.ID, m.size, visible(m.env.Sender), len(m.env.Recipients), header.Safe(m.b.client.IP), header.Safe(m.b.client.Host))
	seconds := strconv.FormatInt(time.Now().Unix(), 10)
	return m.b.say("250 2.0.0 ok "+smtp.Reply(seconds)+" qp "+smtp.Reply(r.ID.String()), "250 ok "+smtp.Reply(seconds)+" qp "+smtp.Reply(r.ID.String()))
}
