// SPDX-License-Identifier: ISC

package imap

import "slices"

// List is what LIST asks for (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154).
type List struct {
	Extended  bool // more than RFC 3501's LIST: "" is no question for the delimiter
	Reference string
	Patterns  []string // decoded like names, for NewMatcher; without those that no name can match

	SelectSubscribed, SelectRemote, SelectRecursive, SelectSpecialUse bool

	ReturnSubscribed, ReturnChildren, ReturnSpecialUse bool
	ReturnStatus                                       []string
}

func (p *parser) cmdList(c *Command) {
	l := &List{}
	c.List = l
	if p.peek() == '(' {
		l.Extended = true
		p.list(maxItems, true, func() { p.listSelect(l) })
		if l.SelectRecursive && !l.SelectSubscribed { // RFC 5258 §3.1
			p.fail("RECURSIVEMATCH needs SUBSCRIBED")
		}
		p.space()
	}
	l.Reference = p.decoded(p.astring())
	p.space()
	if p.peek() == '(' {
		l.Extended = true
		p.list(maxItems, false, func() { p.pattern(l) })
	} else {
		p.pattern(l)
	}
	if !p.atEnd() {
		p.space()
		if p.word() != "RETURN" {
			p.fail("expected RETURN")
		}
		l.Extended = true
		p.space()
		p.list(maxItems, true, func() { p.listReturn(l) })
	}
	size := 0
	for _, s := range l.Patterns {
		size += len(l.Reference) + len(s)
	}
	if size > maxPattern {
		p.failWith(errPatterns())
	}
	if l.Extended { // RFC 5258 §3
		l.Patterns = slices.DeleteFunc(l.Patterns, func(s string) bool { return s == "" })
	}
}

func errPatterns() *Error {
	return &Error{Status: "NO", Code: "LIMIT", Text: "too many patterns at once"}
}

func (p *parser) listSelect(l *List) {
	switch p.word() {
	case "SUBSCRIBED":
		l.SelectSubscribed = true
	case "REMOTE":
		l.SelectRemote = true
	case "RECURSIVEMATCH":
		l.SelectRecursive = true
	case "SPECIAL-USE":
		l.SelectSpecialUse = true
	default:
		p.fail("unknown selection option of LIST")
	}
}

func (p *parser) listReturn(l *List) {
	switch p.word() {
	case "SUBSCRIBED":
		l.ReturnSubscribed = true
	case "CHILDREN":
		l.ReturnChildren = true
	case "SPECIAL-USE":
		l.ReturnSpecialUse = true
	case "STATUS":
		p.space()
		l.ReturnStatus = p.statusList()
	default:
		p.fail("unknown return option of LIST")
	}
}

// cmdLsub: RFC 3501 §6.3.9.
func (p *parser) cmdLsub(c *Command) {
	c.List = &List{Reference: p.decoded(p.astring())}
	p.space()
	p.pattern(c.List)
}

// pattern reads a list-mailbox: an astring in which wildcards may stand bare. One
// that is like no name is passed over (RFC 9051 §6.3.9).
func (p *parser) pattern(l *List) {
	var s string
	if c := p.peek(); c == '"' || c == '{' {
		s = p.str()
	} else {
		s = p.run(func(c byte) bool { return isAtomChar(c) || c == ']' || c == '%' || c == '*' }, "a pattern")
	}
	if len(l.Patterns) == maxPatterns {
		p.failWith(errPatterns())
		return
	}
	if name, ok := DecodeMailbox(s, p.r.UTF8); ok {
		l.Patterns = append(l.Patterns, name)
	}
}
