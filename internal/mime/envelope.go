// SPDX-License-Identifier: ISC

package mime

import "strconv"

// maxQuoted is the longest string that is written in quotes; a client's line
// is finite.
const maxQuoted = 1000

// Text is a field's text; OK tells an empty field from none (RFC 9051 §7.5.2).
type Text struct {
	Value string
	OK    bool
}

// Envelope is what IMAP's ENVELOPE tells of a message's header.
type Envelope struct {
	Date, Subject                      Text
	From, Sender, ReplyTo, To, Cc, Bcc []Address
	InReplyTo, MessageID               Text
}

// Append appends the envelope in its wire form (RFC 3501 §7.4.2). Sender and
// Reply-To are From where the message has none.
func (e *Envelope) Append(dst []byte) []byte {
	sender, reply := e.Sender, e.ReplyTo
	if len(sender) == 0 {
		sender = e.From
	}
	if len(reply) == 0 {
		reply = e.From
	}
	dst = append(dst, '(')
	dst = append(appendText(dst, e.Date), ' ')
	dst = append(appendText(dst, e.Subject), ' ')
	for _, list := range [...][]Address{e.From, sender, reply, e.To, e.Cc, e.Bcc} {
		dst = append(appendAddrs(dst, list), ' ')
	}
	dst = append(appendText(dst, e.InReplyTo), ' ')
	return append(appendText(dst, e.MessageID), ')')
}

func appendAddrs(dst []byte, list []Address) []byte {
	if len(list) == 0 {
		return append(dst, "NIL"...)
	}
	dst = append(dst, '(')
	for i := range list {
		dst = list[i].append(dst)
	}
	return append(dst, ')')
}

func (a *Address) append(dst []byte) []byte {
	switch a.Kind {
	case GroupStart:
		return append(appendString(append(dst, "(NIL NIL "...), a.Mailbox), " NIL)"...)
	case GroupEnd:
		return append(dst, "(NIL NIL NIL NIL)"...)
	}
	dst = append(appendNString(append(dst, '('), a.Name), ' ')
	dst = append(appendNString(dst, a.Route), ' ')
	dst = append(appendString(dst, a.Mailbox), ' ')
	return append(appendString(dst, a.Host), ')')
}

func appendText(dst []byte, t Text) []byte {
	if !t.OK {
		return append(dst, "NIL"...)
	}
	return appendString(dst, t.Value)
}

// appendNString appends NIL for an empty string.
func appendNString(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "NIL"...)
	}
	return appendString(dst, s)
}

// appendString appends s in quotes, or as a literal when RFC 3501 §9 allows no
// quotes (8-bit, which they may hold after ENABLE UTF8=ACCEPT only), or when it
// is long.
func appendString(dst []byte, s string) []byte {
	if !quotable(s) {
		dst = strconv.AppendInt(append(dst, '{'), int64(len(s)), 10)
		return append(append(dst, "}\r\n"...), s...)
	}
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

func quotable(s string) bool {
	if len(s) > maxQuoted {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c >= 0x7f {
			return false
		}
	}
	return true
}
