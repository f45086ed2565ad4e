// SPDX-License-Identifier: ISC

package dnsanswer

import "quill/internal/dnswire"

const opcodeMask = 0x7800

// write writes the answer within the limit of the client: without what does
// not fit of the additional section, unless that is glue that a delegation
// needs (RFC 9471 §3.1), else with TC and no record (RFC 2181 §9).
func (c *Composer) write(out []byte) []byte {
	q, m := c.q, &c.m
	q.Rcode, q.Truncated = c.rcode, false
	flags := uint16(dnswire.FlagQR) | q.Flags&(dnswire.FlagRD|opcodeMask) | uint16(c.rcode&15)
	if c.aa {
		flags |= dnswire.FlagAA
	}
	m.Begin(out, q.ID, flags)
	limit := dnswire.MaxTCP
	if !c.tcp {
		limit = q.Size
	}
	limit -= c.opt.Room(q)
	if q.Name != nil {
		m.Question(q)
	}
	begin := m.Mark()
	if c.full || !c.sections(limit) || !c.additional(limit) || c.full {
		m.Back(begin)
		for _, section := range []int{dnswire.Answers, dnswire.Authority, dnswire.Additional} {
			m.Uncount(section)
		}
		m.SetFlags(flags | dnswire.FlagTC)
		q.Truncated = true
	}
	if q.EDNS {
		m.Count(dnswire.Additional, 1)
		m.B = c.opt.Append(m.B, q)
	}
	out, m.B = m.B, nil
	return out
}

// sections writes answer and authority; false where they do not fit.
func (c *Composer) sections(limit int) bool {
	for i := range c.sets {
		section := dnswire.Answers
		if i >= c.answers {
			section = dnswire.Authority
		}
		if !c.set(&c.sets[i], section, limit) {
			return false
		}
	}
	return true
}

// set writes a set; false where it does not fit.
func (c *Composer) set(s *set, section, limit int) bool {
	owner := c.bytes(s.owner)
	for _, data := range c.data[s.from:s.to] {
		at := c.m.Start(owner, s.kind, s.ttl)
		c.rdata(s.kind, c.bytes(data))
		c.m.Finish(at)
		if c.m.Len() > limit {
			return false
		}
	}
	c.m.Count(section, s.to-s.from)
	return true
}

// rdata writes the data of a record; names in those of the oldest types are
// compressed (RFC 3597 §4).
func (c *Composer) rdata(kind uint16, data []byte) {
	skip, names := 0, 1
	switch kind {
	case dnswire.TypeNS, dnswire.TypeCNAME, dnswire.TypePTR:
	case dnswire.TypeMX:
		skip = 2
	case dnswire.TypeSOA:
		names = 2
	default:
		c.m.Bytes(data)
		return
	}
	if len(data) < skip {
		c.m.Bytes(data)
		return
	}
	c.m.Bytes(data[:skip])
	data = data[skip:]
	for range names {
		n := dnswire.NameLen(data)
		if n == 0 {
			break // no name: as it is
		}
		c.m.Name(data[:n])
		data = data[n:]
	}
	c.m.Bytes(data)
}
