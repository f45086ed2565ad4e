// SPDX-License-Identifier: ISC

package imap

// List is what LIST asks for (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154).
type List struct {
	Extended  bool // more than RFC 3501's LIST: "" is no question for the delimiter
	Reference string
	Patterns  []string // decoded like names, for NewMatcher

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
		p.list(maxItems, false, func() { l.Patterns = append(l.Patterns, p.pattern()) })
	} else {
		l.Patterns = []string{p.pattern()}
	}
	if p.atEnd() {
		return
	}
	p.space()
	if p.word() != "RETURN" {
		p.fail("expected RETURN")
	}
	l.Extended = true
	p.space()
	p.list(maxItems, true, func() { p.listReturn(l) })
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
	c.List.Patterns = []string{p.pattern()}
}

// pattern reads a list-mailbox: an astring in which wildcards may stand bare.
func (p *parser) pattern() string {
	if c := p.peek(); c == '"' || c == '{' {
		return p.decoded(p.str())
	}
	return p.decoded(p.run(func(c byte) bool { return isAtomChar(c) || c == ']' || c == '%' || c == '*' }, "a pattern"))
}
