// SPDX-License-Identifier: ISC

package mime

import "strings"

// What stands for a part that an address has not: IMAP has no other way to say
// it, for without a host it would be a group (RFC 3501 §7.4.2). Dovecot's words.
const (
	noMailbox = "MISSING_MAILBOX"
	noHost    = "MISSING_DOMAIN"
)

// Kind is what an entry of a list of addresses is.
type Kind uint8

// Kinds of entries.
const (
	Mailbox    Kind = iota
	GroupStart      // Mailbox is the group's name
	GroupEnd
)

// Address is an entry of a list of addresses, with quoting removed; encoded
// words stay.
type Address struct {
	Kind    Kind
	Name    string // the phrase before, or else the comment
	Route   string // RFC 5322 §4.4: "@a,@b"
	Mailbox string // local part
	Host    string
}

// addrReader reads one address after the other.
type addrReader struct {
	*lexer
	list  []Address
	group bool

	text    []byte // words, with a space where there was white space
	last    int    // where the last of them begins
	at      bool   // an '@' has followed
	over    bool   // and something that belongs to no address
	host    []byte // and this
	angle   *Address
	comment string
}

// addresses reads a list of them (RFC 5322 §3.4, §4.4), at most limit.
func (l *lexer) addresses(limit int) []Address {
	a := &addrReader{lexer: l}
	for len(a.list) < limit {
		from := a.i
		if c := a.skip(); c != "" {
			a.comment = c
		}
		if a.i == len(a.s) {
			a.finish()
			break
		}
		a.steps++
		a.next(a.i > from)
	}
	if a.group && limit > 0 {
		a.list = append(a.list, Address{Kind: GroupEnd})
	}
	return a.list
}

// next reads what stands here; space tells whether it stands apart.
func (a *addrReader) next(space bool) {
	switch c := a.s[a.i]; c {
	case ',':
		a.i++
		a.finish()
	case ';':
		a.i++
		a.finish()
		if a.group {
			a.group = false
			a.list = append(a.list, Address{Kind: GroupEnd})
		}
	case ':':
		a.i++
		if !a.group && !a.at && a.angle == nil {
			a.group = true
			a.list = append(a.list, Address{Kind: GroupStart, Mailbox: string(a.text)})
			a.reset()
		}
	case '<':
		if a.at { // an address without quotes as a name
			a.text, a.at = append(append(a.text, '@'), a.host...), false
		}
		addr := a.readAngle()
		if a.angle == nil {
			a.angle = &addr
		}
	case '@':
		a.i++
		a.over = a.at
		a.at = true
	case '"':
		a.word(a.quoted('"'), space)
	case '[':
		a.word("["+a.quoted(']')+"]", space)
	case '>', ')', ']', '\\':
		a.i++
	default:
		a.word(a.atom(), space)
	}
}

// atom reads an atom, or several with dots.
func (a *addrReader) atom() string {
	from := a.i
	for a.i < len(a.s) && !white(a.s[a.i]) && strings.IndexByte(`()<>@,;:\"[]`, a.s[a.i]) < 0 {
		a.i++
		a.steps++
	}
	return a.s[from:a.i]
}

// word adds a word to what we read: the phrase or local part, or the host.
func (a *addrReader) word(w string, space bool) {
	switch {
	case a.angle != nil: // nothing may follow but a comment
	case a.at:
		dot := len(a.host) == 0 || a.host[len(a.host)-1] == '.' || strings.HasPrefix(w, ".")
		if a.over = a.over || space && !dot; !a.over { // RFC 5322 §4.4: white space around dots
			a.host = append(a.host, w...)
		}
	default:
		if space && len(a.text) > 0 {
			a.text = append(a.text, ' ')
			a.last = len(a.text)
		}
		a.text = append(a.text, w...)
	}
}

// readAngle reads an address in angle brackets, with a route if it has one. An
// end that is missing is before the next comma.
func (a *addrReader) readAngle() (addr Address) {
	a.i++
	var local, host []byte
	defer func() { addr.Mailbox, addr.Host = string(local), string(host) }()
	to, route := &local, false
	for a.i < len(a.s) {
		a.skip()
		if a.i == len(a.s) {
			break
		}
		a.steps++
		switch c := a.s[a.i]; {
		case c == '>', c == ',' && !route:
			if c == '>' {
				a.i++
			}
			return addr
		case c == '@' && to == &local && len(local) == 0:
			a.i++
			to, route = &host, true
		case c == '@' && !route:
			a.i++
			to = &host
		case c == ':' && route:
			a.i++
			addr.Route = "@" + string(host)
			to, host, route = &local, nil, false
		case c == '"':
			*to = append(*to, a.quoted('"')...)
		case c == '[':
			*to = append(append(append(*to, '['), a.quoted(']')...), ']')
		case strings.IndexByte(`()<@,;:\]`, c) >= 0:
			if route {
				*to = append(*to, c)
			}
			a.i++
		default:
			*to = append(*to, a.atom()...)
		}
	}
	return addr
}

// finish takes what was read as an address, if there was anything.
func (a *addrReader) finish() {
	var addr Address
	switch text := string(a.text); {
	case a.angle != nil:
		addr = *a.angle
		addr.Name = text
	case a.at:
		addr.Name = strings.TrimRight(text[:a.last], " ")
		addr.Mailbox, addr.Host = text[a.last:], string(a.host)
	case text == "":
		a.reset()
		return
	case a.last > 0: // several words and no address
		addr.Name = text
	default:
		addr.Mailbox = text
	}
	if addr.Name == "" {
		addr.Name = a.comment
	}
	if addr.Mailbox == "" {
		addr.Mailbox = noMailbox
	}
	if addr.Host == "" {
		addr.Host = noHost
	}
	a.list = append(a.list, addr)
	a.reset()
}

func (a *addrReader) reset() {
	a.text, a.last, a.at, a.over = a.text[:0], 0, false, false
	a.host, a.angle, a.comment = a.host[:0], nil, ""
}
