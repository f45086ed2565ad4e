// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"math/rand/v2"

	"quill/internal/dnswire"
)

const (
	djbAddresses = 8   // A records of one answer
	djbSize      = 512 // bytes of an answer with all its sections, over TCP too
)

// answerDJB is tinydns over UDP, and axfrdns over TCP. Where axfrdns would end,
// nothing is answered.
func (c *Composer) answerDJB(out, packet []byte) ([]byte, Status) {
	q := c.q
	if !dnswire.ParseDJB(packet, q, &c.asked) {
		return out, '/'
	}
	c.name(q.Name)
	c.charge(0)
	flags := uint16(dnswire.FlagQR) | q.Flags&dnswire.FlagRD
	const no = ^uint16(dnswire.FlagRD) // of what the question says, nothing but RD is allowed
	in, strange := q.Class == dnswire.ClassIN, q.Flags&0xff00&no != 0
	if in || c.tcp {
		flags |= dnswire.FlagAA
	}
	switch {
	case c.tcp && (strange || !in && q.Class != dnswire.ClassANY):
		return out, '/'
	case c.tcp && q.Type == dnswire.TypeAXFR:
		return out, 'I'
	case !in && q.Class != dnswire.ClassANY: // RD and RA are set there
		return c.refuseDJB(out, dnswire.FlagQR|dnswire.FlagRD|flagRA, dnswire.RcodeFormErr), 'C'
	case strange || q.Type == dnswire.TypeAXFR:
		return c.refuseDJB(out, flags, dnswire.RcodeNotImp), 'I'
	case c.d == nil:
		return out, '-'
	}
	c.m.Begin(out, q.ID, flags)
	c.m.LikeDJB()
	c.m.Question(q)
	begin := c.m.Mark()
	flags, ok := c.composeDJB(flags)
	b := c.m.B
	c.m.B = nil
	if !ok || c.bad {
		return out[:c.m.Begun()], '-'
	}
	c.m.B = b
	if q.Rcode = int(flags & 15); !c.tcp && c.m.Len() > djbSize {
		flags |= dnswire.FlagTC // counts remain
		q.Truncated = true
		c.m.Back(begin)
	}
	c.m.SetFlags(flags)
	out, c.m.B = c.m.B, nil
	return out, '+'
}

const flagRA = 0x0080

func (c *Composer) refuseDJB(out []byte, flags uint16, rcode int) []byte {
	c.q.Rcode, c.q.Account = rcode, root
	c.m.Begin(out, c.q.ID, flags|uint16(rcode))
	c.m.LikeDJB()
	c.m.Question(c.q)
	return c.m.B
}

// composeDJB writes the sections; false where tinydns says nothing.
func (c *Composer) composeDJB(flags uint16) (uint16, bool) {
	control, own := c.controlDJB()
	if control < 0 {
		return 0, false
	}
	start := c.m.Len()
	if own {
		found, ok := c.answersDJB(control)
		if !ok {
			return 0, false
		}
		if !found {
			flags |= dnswire.RcodeNXDomain | dnswire.FlagAA
		}
	} else {
		c.charge(control)
		flags &^= dnswire.FlagAA
	}
	authority := c.m.Mark()
	if own && c.m.Len() == start {
		if !c.recordsDJB(control, dnswire.TypeSOA, dnswire.Authority) {
			return 0, false
		}
	} else if !(control == 0 && c.sawNS) {
		if !c.recordsDJB(control, dnswire.TypeNS, dnswire.Authority) {
			return 0, false
		}
	}
	additional := c.m.Mark()
	if !c.additionalDJB() {
		return 0, false
	}
	if own && c.m.Len() > djbSize {
		c.m.Uncount(dnswire.Additional)
		if c.m.Back(additional); c.m.Len() > djbSize {
			c.m.Uncount(dnswire.Authority)
			c.m.Back(authority)
		}
	}
	return flags, true
}

// controlDJB is the level of the nearest name with NS; own says that it has SOA
// as well. -1: there is none.
func (c *Composer) controlDJB() (level int, own bool) {
	for i := range c.n {
		if flags := c.examine(i, nothing); flags&hasNS != 0 {
			return i, flags&hasSOA != 0
		}
		if c.bad {
			break
		}
	}
	return -1, false
}

// answersDJB writes the records of the name, else of the nearest wildcard up to
// control; found says whether there were any, of whatever type.
func (c *Composer) answersDJB(control int) (found, ok bool) {
	for i := 0; i <= control && !found; i++ {
		if i > 0 && c.levels[i].flags&hasWild == 0 || i == 0 && c.levels[i].flags&hasRecords == 0 {
			continue
		}
		found = true
		if i > 0 {
			c.charge(control)
		}
		if !c.levelDJB(i) {
			return false, false
		}
	}
	if !found {
		c.charge(control)
	}
	return found, true
}

// levelDJB writes the records of level i that answer the question, or its
// wildcards: addresses last, a random choice of them.
func (c *Composer) levelDJB(i int) bool {
	var addresses [djbAddresses]ref
	n, ttl, soa := 0, uint32(0), false
	var k cursor
	for c.look(&k, c.suffix(i)); ; {
		r, ok := c.nextRecord(&k)
		if !ok {
			break
		}
		switch {
		case r.wild != (i > 0), r.kind == dnswire.TypeSOA && soa:
			continue
		case r.kind != c.q.Type && c.q.Type != dnswire.TypeANY && r.kind != dnswire.TypeCNAME:
			continue
		case r.kind == dnswire.TypeA && r.data.n == 4:
			ttl = r.ttl
			if j := rand.IntN(n + 1); j < djbAddresses {
				if n < djbAddresses {
					addresses[n] = addresses[j]
				}
				addresses[j] = r.data
			}
			n++
			continue
		}
		soa = soa || r.kind == dnswire.TypeSOA
		if !c.recordDJB(c.suffix(0), r, dnswire.Answers) {
			return false
		}
	}
	for _, data := range addresses[:min(n, djbAddresses)] {
		if !c.recordDJB(c.suffix(0), record{kind: dnswire.TypeA, ttl: ttl, data: data}, dnswire.Answers) {
			return false
		}
	}
	return true
}

// recordsDJB writes the records of one type of level i: of SOA the first.
func (c *Composer) recordsDJB(i int, kind uint16, section int) bool {
	var k cursor
	for c.look(&k, c.suffix(i)); ; {
		r, ok := c.nextRecord(&k)
		if !ok {
			return true
		}
		if r.wild || r.kind != kind {
			continue
		}
		if !c.recordDJB(c.suffix(i), r, section) {
			return false
		}
		if kind == dnswire.TypeSOA {
			return true
		}
	}
}

// recordDJB writes a record; false where it is none, or the message is full.
func (c *Composer) recordDJB(owner []byte, r record, section int) bool {
	if r.kind == dnswire.TypeA && (len(c.owners) == 0 || section == dnswire.Additional && !c.m.Same(owner, c.owners[len(c.owners)-1])) {
		c.owners = append(c.owners, c.m.Len())
	}
	at := c.m.Start(owner, r.kind, r.ttl)
	data := c.bytes(r.data)
	skip, names, rest := 0, 1, 0
	switch r.kind {
	case dnswire.TypeNS, dnswire.TypeCNAME, dnswire.TypePTR:
	case dnswire.TypeMX:
		skip = 2
	case dnswire.TypeSOA:
		names, rest = 2, 20
	case dnswire.TypeA:
		if section == dnswire.Additional {
			skip = 4
		} else {
			skip = len(data)
		}
		names = 0
	default:
		skip, names = len(data), 0
	}
	if len(data) < skip {
		return false
	}
	c.m.Bytes(data[:skip])
	data = data[skip:]
	if section != dnswire.Additional && (r.kind == dnswire.TypeNS || r.kind == dnswire.TypeMX) {
		c.data = append(c.data, ref{at: r.data.at + uint32(skip), n: r.data.n - uint16(skip), mem: r.data.mem})
		c.sawNS = c.sawNS || r.kind == dnswire.TypeNS
	}
	for range names {
		n := dnswire.NameLen(data)
		if n == 0 {
			return false
		}
		c.m.Name(data[:n])
		data = data[n:]
	}
	if len(data) < rest {
		return false
	}
	c.m.Bytes(data[:rest])
	c.m.Finish(at)
	c.m.Count(section, 1)
	return c.m.Len() <= dnswire.MaxTCP
}

// additionalDJB writes the A records of hosts that NS and MX records name,
// unless some of that name are there already.
func (c *Composer) additionalDJB() bool {
	for i := range c.data {
		b := c.bytes(c.data[i])
		c.name(b[:dnswire.NameLen(b)])
		if c.hasAddress(c.low[:c.lowN]) {
			continue
		}
		if !c.recordsDJB(0, dnswire.TypeA, dnswire.Additional) {
			return false
		}
	}
	return true
}

// hasAddress says whether the message has an A record of a name.
func (c *Composer) hasAddress(name []byte) bool {
	c.work -= len(c.owners)
	for _, at := range c.owners {
		if c.m.Same(name, at) {
			return true
		}
	}
	return false
}
