// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"math/rand/v2"

	"quill/internal/dnswire"
)

// maxChase is the CNAMEs that one answer follows.
const maxChase = 8

// compose gathers the sections.
func (c *Composer) compose() {
	name := c.keep(c.q.Name)
	for hop := range maxChase {
		c.name(c.bytes(name))
		next, more := c.step(name, hop == 0)
		if !more || c.bad || c.gave(next, dnswire.TypeCNAME) { // the last: CNAMEs in a ring
			return
		}
		name = next
	}
}

// step answers for one name of a chain of CNAMEs; next is where it leads.
func (c *Composer) step(name ref, first bool) (next ref, more bool) {
	want := c.q.Type
	if want == dnswire.TypeANY || want == dnswire.TypeIXFR {
		want = nothing
	}
	zone, cut := c.walk(want)
	switch {
	case c.bad:
		return next, false
	case zone < 0 && cut < 0:
		c.foreign = first
	case cut >= 0 && first: // else a CNAME that leads out of our zones
		c.drop()
		c.refer(cut)
		return next, false
	case cut < 0:
		if c.apex, c.apexFlags = c.keep(c.suffix(zone)), c.levels[zone].flags; first {
			c.charge(0)
		}
		return c.within(name, zone, first)
	}
	c.drop()
	return next, false
}

// charge has the answer counted against level i of the name.
func (c *Composer) charge(i int) { c.q.Account = append(c.account[:0], c.suffix(i)...) }

// within answers for a name of a zone of ours: with its own records, else those
// of the wildcard at its closest encloser (RFC 4592), or where a DNAME leads.
func (c *Composer) within(name ref, zone int, first bool) (next ref, more bool) {
	switch {
	case c.q.Type == dnswire.TypeIXFR:
		c.version(name, zone)
		return next, false
	case c.levels[0].flags&hasRecords != 0:
		if c.q.Type == dnswire.TypeANY {
			c.collect(c.suffix(0), false, c.least(c.suffix(0), false))
		}
		return c.positive(name, zone)
	case c.exists(0):
		c.negative(zone)
		return next, false
	}
	if first {
		c.charge(zone)
	}
	encloser := 1
	for encloser < zone && !c.exists(encloser) && !c.isWildcard(encloser) {
		encloser++
	}
	switch flags := c.levels[encloser].flags; {
	case flags&hasDNAME != 0:
		return c.redirect(name, encloser)
	case flags&hasWild != 0:
		kind, key := c.q.Type, c.suffix(encloser)
		if kind == dnswire.TypeANY {
			kind = c.least(key, true)
		}
		c.collect(key, true, kind)
		return c.positive(name, zone)
	}
	c.rcode = dnswire.RcodeNXDomain
	c.negative(zone)
	return next, false
}

// positive answers with what was gathered for a name that exists; next is where
// its CNAME leads.
func (c *Composer) positive(name ref, zone int) (next ref, more bool) {
	if from := c.gathered(); len(c.data) > from {
		kind := c.q.Type
		if kind == dnswire.TypeANY {
			kind = c.chosen
		} else {
			c.shuffle(kind, c.data[from:])
		}
		c.answer(name, kind)
		return next, false
	}
	if c.cname.kind == nothing || c.q.Type == dnswire.TypeANY {
		c.negative(zone)
		return next, false
	}
	c.gather(c.cname)
	c.answer(name, dnswire.TypeCNAME)
	return c.cname.data, true
}

// answer closes a set of the answer section.
func (c *Composer) answer(owner ref, kind uint16) {
	c.close(owner, kind)
	c.answers = len(c.sets)
}

// redirect answers for a name below a DNAME at level i (RFC 6672 §3.2), with
// the CNAME that it comes to.
func (c *Composer) redirect(name ref, i int) (next ref, more bool) {
	var k cursor
	c.look(&k, c.suffix(i))
	for {
		r, ok := c.nextRecord(&k)
		if !ok {
			c.bad = true // it was there a moment ago
			return next, false
		}
		if r.kind == dnswire.TypeDNAME && !r.wild && c.isName(r.data) {
			c.gather(r)
			break
		}
	}
	target := c.data[len(c.data)-1]
	if owner := c.keep(c.suffix(i)); c.gave(owner, dnswire.TypeDNAME) {
		c.drop()
	} else {
		c.answer(owner, dnswire.TypeDNAME)
	}
	labels := int(name.n) - len(c.suffix(i))
	if labels+int(target.n) > dnswire.MaxName {
		c.rcode = dnswire.RcodeYXDomain
		return next, false
	}
	next = c.keep(c.bytes(name)[:labels])
	c.keep(c.bytes(target))
	next.n += target.n
	c.data = append(c.data, next)
	c.answer(name, dnswire.TypeCNAME)
	return next, c.q.Type != dnswire.TypeCNAME && c.q.Type != dnswire.TypeANY
}

// gave says whether a set is in the answer already.
func (c *Composer) gave(owner ref, kind uint16) bool {
	for _, s := range c.sets {
		if s.kind == kind && dnswire.Equal(c.bytes(s.owner), c.bytes(owner)) {
			return true
		}
	}
	return false
}

// version answers IXFR over UDP: with the SOA there is, so that who has another
// asks again over TCP (RFC 1995 §2).
func (c *Composer) version(name ref, zone int) {
	c.drop()
	if zone != 0 {
		c.foreign = true
		return
	}
	c.gather(c.soa)
	c.answer(name, dnswire.TypeSOA)
}

// refer points to the servers of the zone that is delegated at level cut.
func (c *Composer) refer(cut int) {
	c.aa, c.referral = false, true
	c.charge(cut)
	c.collect(c.suffix(cut), false, dnswire.TypeNS)
	c.apex = c.keep(c.suffix(cut))
	c.close(c.apex, dnswire.TypeNS)
}

// least is the type whose records take the least room, and the one chosen: one
// set is enough for ANY (RFC 8482 §4.1), and a small one is no weapon.
func (c *Composer) least(key []byte, wild bool) uint16 {
	const kinds = 32 // that are compared
	var sizes [kinds]struct {
		kind uint16
		size int
	}
	n := 0
	var k cursor
	for c.look(&k, key); ; {
		r, ok := c.nextRecord(&k)
		if !ok {
			break
		}
		if r.wild != wild {
			continue
		}
		i := 0
		for i < n && sizes[i].kind != r.kind {
			i++
		}
		if i < kinds {
			n = max(n, i+1)
			sizes[i].kind = r.kind
			sizes[i].size += 12 + int(r.data.n)
		}
	}
	least := 0
	for i := range sizes[:n] {
		if sizes[i].size < sizes[least].size {
			least = i
		}
	}
	c.chosen = sizes[least].kind
	return c.chosen
}

// shuffle puts addresses in a random order, so that load spreads.
func (c *Composer) shuffle(kind uint16, data []ref) {
	if kind != dnswire.TypeA && kind != dnswire.TypeAAAA {
		return
	}
	c.fixed = c.fixed && len(data) < 2
	for i := len(data) - 1; i > 0; i-- {
		j := rand.IntN(i + 1)
		data[i], data[j] = data[j], data[i]
	}
}
