// SPDX-License-Identifier: ISC

package imapsession

import (
	"bytes"
	"errors"
	"io"

	"quill/internal/imap"
	"quill/internal/mailbox"
)

// errNUL says that a message holds what only a literal8 may (RFC 3516 §4.4).
var errNUL = errors.New("NUL in a message that is no literal8")

// doAppend: RFC 9051 §6.3.12, RFC 3502.
func (s *session) doAppend(c *imap.Command) (string, string, error) {
	a, err := s.Account.Append(c.Mailbox)
	if err != nil {
		return "", "", tryCreate(err)
	}
	defer a.Abort()
	s.in.until = s.times.body
	defer func() { s.in.until = 0 }()
	for {
		m, err := s.r.NextMessage()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = s.appendOne(a, m)
		}
		if err != nil {
			return "", "", fromConn(err)
		}
	}
	got, err := a.Commit()
	if err != nil {
		return "", "", tryCreate(err)
	}
	if len(got.Target) == 0 {
		return "", "", nil
	}
	return "APPENDUID " + decimal(uint64(got.UIDValidity)) + " " + listed(got.Target), "", nil
}

// appendOne takes one message. One without bytes is how a client cancels (RFC
// 3502 §6.3.11).
func (s *session) appendOne(a mailbox.Appender, m *imap.Message) error {
	if limit := s.Account.AppendLimit(); limit > 0 && m.Size > limit {
		return no("TOOBIG", "the message is larger than what is taken")
	}
	if m.Size == 0 {
		return no("", "a message without any byte is not taken")
	}
	flags, keywords, err := flagsOf(m.Flags)
	if err != nil {
		return err
	}
	r, err := s.r.Body()
	if err != nil {
		return connError{err}
	}
	err = a.Add(&mailbox.Appending{Flags: flags, Keywords: keywords, Date: m.Date, Size: m.Size}, &text{r, m.Binary})
	if errors.Is(err, errNUL) {
		return no("", "a message that holds NUL has to be sent as BINARY")
	}
	return err
}

// text reads a message as it comes. Errors of the connection are marked, for
// they end the session.
type text struct {
	r      io.Reader
	binary bool
}

func (t *text) Read(b []byte) (int, error) {
	n, err := t.r.Read(b)
	if err != nil && err != io.EOF {
		err = connError{err}
	}
	if !t.binary && bytes.IndexByte(b[:n], 0) >= 0 {
		return 0, errNUL
	}
	return n, err
}

// fromConn marks what Next could not answer.
func fromConn(err error) error {
	if errors.As(err, new(*imap.Error)) || refusalOf(err) != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return connError{err}
}
