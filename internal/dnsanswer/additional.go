// SPDX-License-Identifier: ISC

package dnsanswer

import "quill/internal/dnswire"

// maxHosts is the hosts whose addresses one answer gives.
const maxHosts = 128

// targetAt is where in a record's data the name of a host begins; -1 where
// there is none.
func targetAt(kind uint16) int {
	switch kind {
	case dnswire.TypeNS:
		return 0
	case dnswire.TypeMX, dnswire.TypeSVCB, dnswire.TypeHTTPS:
		return 2
	case dnswire.TypeSRV:
		return 6
	}
	return -1
}

// additional writes what we know of the hosts that records name, as much as
// fits; false where glue that must be there does not.
func (c *Composer) additional(limit int) bool {
	if c.q.Type == dnswire.TypeANY && !c.referral {
		return true
	}
	for i := range c.sets {
		s := c.sets[i]
		at := targetAt(s.kind)
		if at < 0 {
			continue
		}
		for _, data := range c.data[s.from:s.to] {
			if len(c.hosts) == maxHosts {
				return true
			}
			host := c.target(s, data, at)
			if host.n < 2 || c.seen(host) {
				continue
			}
			c.hosts = append(c.hosts, host)
			fits, needed := c.addresses(host, limit)
			if !fits && needed {
				return false
			}
		}
	}
	return true
}

// target is the host in a record's data; empty where there is none.
func (c *Composer) target(s set, data ref, at int) ref {
	b := c.bytes(data)
	if len(b) <= at {
		return ref{}
	}
	n := dnswire.NameLen(b[at:])
	if n == 1 && (s.kind == dnswire.TypeSVCB || s.kind == dnswire.TypeHTTPS) && b[0]|b[1] != 0 {
		return s.owner // RFC 9460 §2.5.2
	}
	return ref{data.at + uint32(at), uint16(n), data.mem}
}

// seen says whether a host was dealt with.
func (c *Composer) seen(host ref) bool {
	for _, h := range c.hosts {
		if h.n == host.n && dnswire.Equal(c.bytes(h), c.bytes(host)) {
			return true
		}
	}
	return false
}

// addresses writes those of a host: of a referral the glue that we have, else
// what we are asked for ourselves. needed says that a delegation cannot be
// followed without.
func (c *Composer) addresses(host ref, limit int) (fits, needed bool) {
	c.name(c.bytes(host))
	if c.referral {
		c.examine(0, nothing)
		needed = c.below(c.bytes(c.apex))
	} else if zone, cut := c.walk(nothing); zone < 0 || cut >= 0 {
		return true, false
	}
	flags := c.levels[0].flags
	for _, t := range [...]struct{ flag, kind uint16 }{{hasA, dnswire.TypeA}, {hasAAAA, dnswire.TypeAAAA}} {
		if flags&t.flag == 0 {
			continue
		}
		from := c.gathered()
		c.collect(c.suffix(0), false, t.kind)
		s := set{host, t.kind, c.ttl, from, len(c.data)}
		mark := c.m.Mark()
		fits := c.set(&s, dnswire.Additional, limit)
		c.drop()
		if !fits {
			c.m.Back(mark)
			return false, needed
		}
	}
	return true, needed
}

// below says whether the name is at or below zone.
func (c *Composer) below(zone []byte) bool {
	for i := range c.n {
		if string(c.suffix(i)) == string(zone) {
			return true
		}
	}
	return false
}
