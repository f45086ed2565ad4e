// SPDX-License-Identifier: ISC

package smtp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"quill/internal/addr"
)

func (s *session) doHelo(arg string) Reply {
	if r := s.hello(arg, false); r != "" {
		return r
	}
	return Reply("250 " + s.words.name(s.Server))
}

func (s *session) doEhlo(arg string) Reply {
	if r := s.hello(arg, true); r != "" {
		return r
	}
	lines := s.words.extensions(s.Server)
	for _, l := range lines[:len(lines)-1] {
		s.w.Line("250-", l)
	}
	return Reply("250 " + lines[len(lines)-1])
}

// hello takes a client's name; it forgets a message begun (RFC 5321 §4.1.4).
func (s *session) hello(arg string, extended bool) Reply {
	if arg == "" && !s.Classic {
		return "501 5.5.4 your name is missing"
	}
	s.reset()
	s.helo, s.extended = arg, extended
	return ""
}

func (s *session) reset() { s.mail, s.to = false, s.to[:0] }

func (s *session) doMail(arg string) Reply {
	switch {
	case s.helo == "" && !s.Classic:
		return "503 5.5.1 EHLO first"
	case s.mail && !s.Classic:
		return "503 5.5.1 MAIL was said already"
	}
	p, params, err := s.address(arg, "FROM")
	if err != nil {
		return s.badAddress(err, "501 5.1.7 sender's address: ")
	}
	from := Sender{Path: p}
	if r := from.params(params, s.Limits.Size); r != "" {
		return r
	}
	if r := s.b.Sender(from); r != "" {
		return r
	}
	s.reset()
	s.mail = true
	return s.words.mailOK
}

// address reads the argument of MAIL or RCPT. In the family's words an address
// may stand without brackets or domain, and parameters are not looked at.
func (s *session) address(arg, what string) (addr.Path, []addr.Param, error) {
	if !s.Classic {
		return addr.ParseCommand(arg, what)
	}
	p, _, err := addr.ParseCommand(addr.Relaxed(arg, what), what)
	if err == addr.ErrNoDomain {
		err = nil
	}
	return p, nil, err
}

// params takes the parameters of MAIL: SIZE (RFC 1870) and BODY (RFC 6152).
func (f *Sender) params(params []addr.Param, limit int64) Reply {
	for _, kv := range params {
		switch kv.Key {
		case "SIZE":
			n, err := strconv.ParseInt(kv.Value, 10, 63)
			if errors.Is(err, strconv.ErrRange) || err == nil && limit > 0 && n > limit {
				return "552 5.3.4 message too big: at most " + Reply(strconv.FormatInt(limit, 10)) + " bytes"
			}
			if err != nil || n < 0 || len(kv.Value) > 20 {
				return "501 5.5.4 SIZE is no number"
			}
			f.Size = n
		case "BODY":
			if f.Body = strings.ToUpper(kv.Value); f.Body != "7BIT" && f.Body != "8BITMIME" {
				return "501 5.5.4 BODY is neither 7BIT nor 8BITMIME"
			}
		default:
			return "555 5.5.4 parameter " + Reply(kv.Key[:min(len(kv.Key), 40)]) + " is not known"
		}
	}
	return ""
}

// badAddress is the reply to an address that cannot be read.
func (s *session) badAddress(err error, prefix Reply) Reply {
	if s.Classic {
		return "555 syntax error (#5.5.4)"
	}
	if err == addr.ErrParams {
		return "501 5.5.4 malformed parameters"
	}
	return prefix + Reply(err.Error())
}

func (s *session) doRcpt(arg string) Reply {
	if !s.mail {
		return s.words.mailFirst
	}
	p, params, err := s.address(arg, "TO")
	if err == addr.ErrNoDomain && strings.EqualFold(p.Local, "postmaster") && !strings.HasSuffix(arg, "@>") {
		err = nil // RFC 5321 §4.5.1
	}
	if err == nil && p.Null {
		err = addr.ErrNoDomain
	}
	if err != nil {
		return s.badAddress(err, "501 5.1.3 recipient's address: ")
	}
	if len(params) > 0 {
		return "555 5.5.4 parameter " + Reply(params[0].Key[:min(len(params[0].Key), 40)]) + " is not known"
	}
	if len(s.to) >= s.Limits.Recipients {
		return "452 4.5.3 too many recipients, send the rest in another message"
	}
	queued, refusal := s.b.Recipient(p)
	if refusal != "" {
		return refusal
	}
	s.to = append(s.to, queued)
	return s.words.rcptOK
}

func (s *session) doRset(string) Reply {
	s.reset()
	return s.words.reset
}

func (s *session) doNoop(string) Reply { return s.words.noop }

func (s *session) doVrfy(string) Reply { return s.words.verify }

func (s *session) doHelp(string) Reply { return s.words.help }

func (s *session) doQuit(string) Reply {
	s.end = true
	return s.words.bye(s.Server)
}

// doData takes a message. Whatever the final reply is, the envelope is
// forgotten after it.
func (s *session) doData(string) Reply {
	switch {
	case !s.mail:
		return s.words.mailFirst
	case len(s.to) == 0:
		return s.words.rcptFirst
	}
	m, refusal := s.b.Begin(s.helo, s.extended, s.to)
	if refusal != "" {
		s.reset()
		return refusal
	}
	s.reply(s.words.goAhead)
	if err := s.flush(); err != nil {
		m.Abort()
		s.stop(err)
		return ""
	}
	d := &data{out: m, maxSize: s.Limits.Size, maxHops: s.Limits.Hops, maxHead: s.Limits.Header}
	if err := s.receive(d); err != nil {
		m.Abort()
		s.stop(fmt.Errorf("connection ended within a message: %w", s.lost(err)))
		return ""
	}
	s.reset()
	return s.verdict(d, m)
}

// verdict ends a message that was read to its end.
func (s *session) verdict(d *data, m Message) Reply {
	if d.flaw == flawNone || d.flaw == flawWrite {
		r := m.Commit()
		if r[0] == '2' {
			s.errs, s.junk = 0, 0
		}
		return r
	}
	m.Abort()
	s.b.Note("refused", flawNames[d.flaw])
	r := s.words.flaws[d.flaw]
	if d.flaw <= flawNUL {
		s.stop(errors.New(flawNames[d.flaw])) // what follows may be a smuggled message
	}
	return r
}

var flawNames = []string{"", "bare CR in message", "bare LF in message", "NUL in message", "message too big", "too many hops", "header too big", ""}

// receive reads the message's text to its end. A client that sends slower than
// the least rate is cut off.
func (s *session) receive(d *data) error {
	start, got := time.Now(), int64(0)
	for {
		if s.r.Buffered() == 0 {
			end := start.Add(s.Limits.Command + time.Duration(got/s.Limits.DataRate)*time.Second)
			if end.Sub(s.timed) > time.Second {
				s.conn.SetReadDeadline(end)
				s.timed = end
			}
		}
		b, err := s.r.Chunk()
		if err != nil {
			return err
		}
		n, done := d.feed(b)
		got += int64(n)
		s.r.Discard(n)
		if done {
			return nil
		}
	}
}
