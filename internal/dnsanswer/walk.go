// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"encoding/binary"

	"quill/internal/dnswire"
)

// What a name has that this client sees now.
const (
	hasRecords = 1 << iota
	hasWild    // a wildcard below it has records
	hasNS
	hasSOA
	hasDNAME
	hasA
	hasAAAA
)

// nothing is no type that a record has.
const nothing = 0

// name takes a name to look up.
func (c *Composer) name(name []byte) {
	c.lowN = len(dnswire.AppendLower(c.low[:0], name))
	c.n = 0
	for at := 0; at < c.lowN; at += 1 + int(c.low[at]) {
		c.levels[c.n] = level{at: uint8(at)}
		c.n++
	}
	c.soaAt = -1
	c.cname.kind = nothing
}

// suffix is the name without its first labels.
func (c *Composer) suffix(i int) []byte { return c.low[c.levels[i].at:c.lowN] }

// examine sees what level i has; of the name itself the records of type want
// are gathered.
func (c *Composer) examine(i int, want uint16) uint16 {
	flags := uint16(0)
	var k cursor
	c.look(&k, c.suffix(i))
	for {
		r, ok := c.nextRecord(&k)
		if !ok {
			break
		}
		if r.wild {
			flags |= hasWild
			continue
		}
		flags |= hasRecords
		if i == 0 && r.kind == want && want != nothing {
			c.gather(r)
		}
		switch r.kind {
		case dnswire.TypeNS:
			flags |= hasNS
		case dnswire.TypeSOA:
			if flags&hasSOA == 0 {
				flags |= hasSOA
				c.soa, c.soaAt = r, i
			}
		case dnswire.TypeCNAME:
			if i == 0 {
				c.alias(r)
			}
		case dnswire.TypeDNAME:
			if c.isName(r.data) {
				flags |= hasDNAME
			}
		case dnswire.TypeA:
			flags |= hasA
		case dnswire.TypeAAAA:
			flags |= hasAAAA
		}
	}
	c.levels[i].flags = flags
	return flags
}

// isName says whether data are a name and no more.
func (c *Composer) isName(data ref) bool { return dnswire.NameLen(c.bytes(data)) == int(data.n) }

// alias notes a CNAME of the name; the first counts.
func (c *Composer) alias(r record) {
	if c.cname.kind == nothing && c.isName(r.data) {
		c.cname = r
	}
}

// gathered is where the set that is being gathered begins.
func (c *Composer) gathered() int {
	if len(c.sets) == 0 {
		return 0
	}
	return c.sets[len(c.sets)-1].to
}

// collect gathers the records of one type of a key, or of its wildcard.
func (c *Composer) collect(key []byte, wild bool, kind uint16) {
	var k cursor
	c.look(&k, key)
	for {
		r, ok := c.nextRecord(&k)
		if !ok {
			return
		}
		if r.wild != wild {
			continue
		}
		if r.kind == kind {
			c.gather(r)
		} else if r.kind == dnswire.TypeCNAME {
			c.alias(r)
		}
	}
}

// close ends the set that was gathered; nothing where that is empty.
func (c *Composer) close(owner ref, kind uint16) {
	from := c.gathered()
	if len(c.data) > from {
		c.sets = append(c.sets, set{owner, kind, c.ttl, from, len(c.data)})
	}
}

// drop forgets what was gathered.
func (c *Composer) drop() { c.data = c.data[:c.gathered()] }

// walk goes up from the name to the zone that answers for it: zone is the level
// of the nearest name with SOA and NS, cut that of the highest delegation below
// it; -1: there is none. For DS the zone above the name answers, where that is
// ours (RFC 4035 §3.1.4.1).
func (c *Composer) walk(want uint16) (zone, cut int) {
	first := 0
	if want == dnswire.TypeDS && c.n > 1 {
		first = 1
	}
	zone, cut = -1, -1
	for i := 0; i < c.n; i++ {
		flags := uint16(hasNS | hasSOA)
		if i == 0 || !c.isApex(i) {
			flags = c.examine(i, want)
		}
		if flags&hasNS == 0 || i < first {
			continue
		}
		if flags&hasSOA != 0 {
			zone = i
			break
		}
		cut = i
	}
	if own := c.levels[0].flags; first == 1 && (zone < 0 || cut > 0) && own&hasNS != 0 {
		if own&hasSOA != 0 {
			return 0, -1
		}
		if cut < 0 {
			cut = 0
		}
	}
	return zone, cut
}

// isApex says whether level i is the top of the zone that answered last.
func (c *Composer) isApex(i int) bool {
	if c.apex.n == 0 || string(c.suffix(i)) != string(c.bytes(c.apex)) {
		return false
	}
	c.levels[i].flags = c.apexFlags
	return true
}

// exists says whether level i has records, or names below it (an empty
// non-terminal).
func (c *Composer) exists(i int) bool {
	return c.levels[i].flags&(hasRecords|hasWild) != 0 || c.d.isAbove(c.suffix(i))
}

// isWildcard says whether level i is itself the owner of a wildcard, whose
// records are under the name above it (RFC 4592 §2.2.1).
func (c *Composer) isWildcard(i int) bool {
	name := c.suffix(i)
	return name[0] == 1 && name[1] == '*' && c.levels[i+1].flags&hasWild != 0
}

// negative adds the SOA that says how long "no" holds: the least of its ttl and
// its minimum (RFC 2308 §3).
func (c *Composer) negative(zone int) {
	c.drop()
	if c.soaAt == zone {
		c.gather(c.soa)
	} else {
		c.collect(c.suffix(zone), false, dnswire.TypeSOA)
	}
	if len(c.data) == c.gathered() {
		return
	}
	if soa := c.bytes(c.data[len(c.data)-1]); len(soa) >= 20 {
		c.ttl = min(c.ttl, binary.BigEndian.Uint32(soa[len(soa)-4:]))
	}
	c.close(c.keep(c.suffix(zone)), dnswire.TypeSOA)
}
