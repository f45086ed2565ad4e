// SPDX-License-Identifier: ISC

package mime

import (
	"bytes"
	"strings"
)

// field is a header field that we read.
type field uint8

const (
	fieldNone field = iota
	fieldType
	fieldEncoding
	fieldID
	fieldDescription
	fieldDisposition
	fieldLanguage
	fieldLocation
	fieldMD5
	fieldDate // from here on: of messages only
	fieldSubject
	fieldInReplyTo
	fieldMessageID
	fieldFrom
	fieldSender
	fieldReplyTo
	fieldTo
	fieldCc
	fieldBcc
)

// lower puts a name in small letters, as far as they are ASCII.
func lower(to *[maxName]byte, name []byte) []byte {
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		to[i] = c
	}
	return to[:len(name)]
}

// fieldOf is the field of a name in small letters.
func fieldOf(name []byte) field {
	switch string(name) {
	case "content-type":
		return fieldType
	case "content-transfer-encoding":
		return fieldEncoding
	case "content-id":
		return fieldID
	case "content-description":
		return fieldDescription
	case "content-disposition":
		return fieldDisposition
	case "content-language":
		return fieldLanguage
	case "content-location":
		return fieldLocation
	case "content-md5":
		return fieldMD5
	case "date":
		return fieldDate
	case "subject":
		return fieldSubject
	case "in-reply-to":
		return fieldInReplyTo
	case "message-id":
		return fieldMessageID
	case "from":
		return fieldFrom
	case "sender":
		return fieldSender
	case "reply-to":
		return fieldReplyTo
	case "to":
		return fieldTo
	case "cc":
		return fieldCc
	case "bcc":
		return fieldBcc
	}
	return fieldNone
}

// beginField reads a field's first line: its name, and its text if we want it.
// A line without a name is skipped, with what continues it.
func (p *parser) beginField(b []byte) {
	i := bytes.IndexByte(b[:min(len(b), maxName)], ':')
	if i < 0 {
		return
	}
	f := &p.stack[len(p.stack)-1]
	var name [maxName]byte
	p.want = fieldOf(lower(&name, bytes.TrimRight(b[:i], " \t\r\n")))
	switch {
	case p.want >= fieldDate && f.part.Envelope == nil:
		p.want = fieldNone
	case p.want < fieldFrom && f.seen&(1<<p.want) != 0: // of several the first counts
		p.want = fieldNone
	case p.want >= fieldFrom && p.addrRoom(f.part.Envelope.list(p.want)) <= 0:
		p.want = fieldNone
	}
	p.keep(b[i+1:])
}

// keep adds to the text of the field being read, without line breaks
// (RFC 5322 §2.2.3).
func (p *parser) keep(b []byte) {
	if p.want == fieldNone {
		return
	}
	b = bytes.TrimSuffix(b, []byte("\n"))
	b = bytes.TrimSuffix(b, []byte("\r"))
	b = b[:min(len(b), maxField-len(p.value), maxKept-p.kept)]
	p.kept += len(b)
	p.value = append(p.value, b...)
}

// endField takes the field that was read into its part.
func (p *parser) endField() {
	if p.want == fieldNone {
		return
	}
	f := &p.stack[len(p.stack)-1]
	if p.kept < maxKept { // or else it may be cut off
		l := &p.lex
		*l = lexer{s: clean(p.value)}
		p.set(f, p.want, l)
		p.steps += len(p.value) + l.steps
		f.seen |= 1 << p.want
	}
	p.want, p.value = fieldNone, p.value[:0]
}

// clean makes white space of a lone CR, and a '?' of NUL, which no IMAP string
// may hold.
func clean(b []byte) string {
	for i, c := range b {
		switch c {
		case '\r', '\n':
			b[i] = ' '
		case 0:
			b[i] = '?'
		}
	}
	return string(bytes.Trim(b, " \t"))
}

// set sets what a field says.
func (p *parser) set(f *frame, id field, l *lexer) {
	q := f.part
	switch id {
	case fieldType:
		q.Type, q.Subtype = l.mediaType()
		if q.Type != "" {
			q.Params = p.readParams(l)
		}
	case fieldDisposition:
		l.skip()
		if q.Disposition = l.token(); q.Disposition != "" {
			q.DispositionParams = p.readParams(l)
		}
	case fieldEncoding:
		if l.skip(); strings.HasPrefix(l.s[l.i:], `"`) {
			q.Encoding = l.quoted('"')
		} else {
			q.Encoding = l.token()
		}
	case fieldLanguage:
		q.Language = l.list(maxLanguages)
	case fieldID:
		q.ID = l.s
	case fieldDescription:
		q.Description = l.s
	case fieldLocation:
		q.Location = l.s
	case fieldMD5:
		q.MD5 = l.s
	default:
		p.setEnvelope(q.Envelope, id, l)
	}
}

func (p *parser) readParams(l *lexer) []Param {
	list := l.params(min(maxParams, maxAllParams-p.params))
	p.params += len(list)
	return list
}

func (p *parser) setEnvelope(e *Envelope, id field, l *lexer) {
	switch id {
	case fieldDate:
		e.Date = Text{l.s, true}
	case fieldSubject:
		e.Subject = Text{l.s, true}
	case fieldInReplyTo:
		e.InReplyTo = Text{l.s, true}
	case fieldMessageID:
		e.MessageID = Text{l.s, true}
	default: // fields that come twice are one list
		list := e.list(id)
		more := l.addresses(p.addrRoom(list))
		p.addrs += len(more)
		*list = append(*list, more...)
	}
}

// addrRoom is how many addresses may still be read into a list.
func (p *parser) addrRoom(list *[]Address) int {
	return min(maxAddrs-len(*list), maxAllAddrs-p.addrs)
}

// list is the list of a field of addresses.
func (e *Envelope) list(id field) *[]Address {
	switch id {
	case fieldFrom:
		return &e.From
	case fieldSender:
		return &e.Sender
	case fieldReplyTo:
		return &e.ReplyTo
	case fieldTo:
		return &e.To
	case fieldCc:
		return &e.Cc
	}
	return &e.Bcc
}
