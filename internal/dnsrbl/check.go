// SPDX-License-Identifier: ISC

package dnsrbl

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
)

// Finding is something about a line.
type Finding struct {
	Line int    // 0: about all of them
	Bad  bool   // Compile refuses it
	Text string // what, and what to do
}

// Check reads all data lines and tells of those that are refused, and of those
// that do not mean what they seem to. Its error is one of reading.
func Check(r io.Reader, tell func(Finding)) error {
	c := checker{tell: tell}
	err := lines(r, c.line)
	if err == nil {
		c.tests()
	}
	return err
}

// test is an address that RFC 5782 §5 speaks of.
type test struct {
	ip     netip.Addr
	listed bool
}

// checker looks at lines.
type checker struct {
	compiler
	tell   func(Finding)
	answer int // the line that says what is answered
	v4, v6 bool
	in     [4]bool // which of testPoints are listed
}

// testPoints are the addresses of RFC 5782 §5: whether each should be listed.
func testPoints() [4]test {
	return [4]test{
		{netip.AddrFrom4([4]byte{127, 0, 0, 2}), true}, {netip.AddrFrom4([4]byte{127, 0, 0, 1}), false},
		{netip.MustParseAddr("::ffff:127.0.0.2"), true}, {netip.MustParseAddr("::ffff:127.0.0.1"), false},
	}
}

// line looks at one.
func (c *checker) line(n int, s string) error {
	hint := func(format string, a ...any) { c.tell(Finding{Line: n, Text: fmt.Sprintf(format, a...)}) }
	key, val, why := c.compiler.line(s)
	switch {
	case why != "":
		c.tell(Finding{n, true, why + remedy(why)})
	case s[0] == ':':
		c.answerLine(n, s[1:], val, hint)
	case s[0] == '[':
		c.v6 = true
		c.covers(netip.PrefixFrom(netip.AddrFrom16([16]byte(key[:16])), int(key[16])))
	case key != nil:
		c.v4 = true
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte(key[:4])), int(key[4]))
		prefixHints(s, p, hint)
		if p == p.Masked() && p.Bits() >= shortest {
			c.covers(p)
		}
	}
	return nil
}

// remedy is what to do about a line that is refused.
func remedy(why string) string {
	switch why {
	case noColon:
		return ": write :127.0.0.2:text"
	case noIP:
		return ": write four numbers, as in :127.0.0.2:text"
	case noPrefix:
		return ": write [2001:db8::]/32, without bits beyond the length"
	}
	return `: a line is #comment, :ip:text, a prefix of IPv4 such as 192.0.2.0/24, or one of IPv6 such as [2001:db8::]/32`
}

// answerLine looks at what is answered.
func (c *checker) answerLine(n int, s string, val []byte, hint func(string, ...any)) {
	ip, text, _ := strings.Cut(s, ":")
	if c.answer != 0 {
		hint("not used: line %d says what is answered", c.answer)
		return
	}
	c.answer = n
	addr := netip.AddrFrom4([4]byte(val[:4]))
	if ip != addr.String() {
		hint("%q is read as %s", ip, addr)
	}
	if !addr.IsLoopback() || addr == netip.AddrFrom4([4]byte{127, 0, 0, 1}) {
		hint("answers %s: clients look for addresses from 127.0.0.2 on, in 127.0.0.0/8 (RFC 5782 section 2.1)", addr)
	}
	if len(text) > limit-4 {
		hint("the text is cut after %d bytes", limit-4)
	} else if len(text) > oldLimit-4 {
		hint("with ANSWERS=djb, and in djb's rbldns, the text is cut after %d bytes", oldLimit-4)
	}
	if strings.Contains(strings.TrimSuffix(text, "$"), "$") {
		hint("a $ is the address only at the end of the text")
	}
}

// prefixHints looks at a line that begins with a digit.
func prefixHints(s string, p netip.Prefix, hint func(string, ...any)) {
	if s != p.String() && s != p.Addr().String() {
		hint("%q is read as %s", s, p)
	}
	switch {
	case strings.Contains(s, ":"):
		hint("prefixes of IPv6 are written [2001:db8::]/32")
	case p.Bits() < shortest:
		hint("never found: /%d is the shortest that is looked for; write several of them", shortest)
	case p != p.Masked():
		hint("never found: there are bits beyond the length; write %s", p.Masked())
	}
}

// covers notes which test points a prefix lists.
func (c *checker) covers(p netip.Prefix) {
	for i, t := range testPoints() {
		// a prefix with a 4-in-6 address contains nothing for netip: compare bits
		if q, err := t.ip.Prefix(p.Bits()); err == nil && q == p {
			c.in[i] = true
		}
	}
}

// tests tells of test points that are not as they should be.
func (c *checker) tests() {
	for i, t := range testPoints() {
		if used := t.ip.Is4() && c.v4 || t.ip.Is6() && c.v6; !used || c.in[i] == t.listed {
			continue
		}
		text := fmt.Sprintf("%s is listed: it must not be, for it is how clients see that not everything is (RFC 5782 section 5)", t.ip)
		if t.listed {
			text = fmt.Sprintf("%s is not listed: add it, for clients test a list by it (RFC 5782 section 5)", t.ip)
		}
		c.tell(Finding{Text: text})
	}
}
