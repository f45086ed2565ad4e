// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"encoding/binary"

	"quill/internal/dnsdata"
)

const (
	// maxTTL is the greatest time to live; greater ones would count as 0
	// (RFC 2181 §8).
	maxTTL = 1<<31 - 1
	// maxValue is the bytes of a record in data.cdb that djb's programs read.
	maxValue = 32767
	// taiEpoch is the TAI64 label of the Unix epoch.
	taiEpoch = 1<<62 + 10
)

// record is one found.
type record struct {
	kind uint16
	wild bool
	ttl  uint32
	data ref
}

// nextRecord is the next record of a key that this client sees now.
func (c *Composer) nextRecord(k *cursor) (r record, ok bool) {
	for {
		val, at, ok := c.next(k)
		if !ok {
			return record{}, false
		}
		if c.cfg.DJB && len(val) > maxValue {
			c.bad = true
			return record{}, false
		}
		if r, ok = c.read(val, at); ok {
			return r, true
		}
	}
}

// read reads a record, whose data must fit in one; ok is false where this
// client does not see it now. Of location 00 all clients see them.
func (c *Composer) read(val []byte, at uint32) (r record, ok bool) {
	if len(val) < dnsdata.ValueHeader {
		return r, false
	}
	head := uint32(3)
	switch val[2] {
	case '=':
	case '*':
		r.wild = true
	case '>', '+':
		r.wild = val[2] == '+'
		if len(val) < dnsdata.ValueHeader+2 || [2]byte(val[3:]) != c.location() {
			return r, false
		}
		head = 5
	default:
		return r, false
	}
	r.kind = binary.BigEndian.Uint16(val)
	r.ttl = binary.BigEndian.Uint32(val[head:])
	if stamp := binary.BigEndian.Uint64(val[head+4:]); stamp != 0 {
		c.fixed = false
		if r.ttl, ok = visible(uint64(c.unix)+taiEpoch, r.ttl, stamp); !ok {
			return r, false
		}
	}
	n := uint32(len(val)) - head - 12
	r.data = ref{at: at + head + 12, n: uint16(n)}
	return r, n <= 1<<16-1
}

// visible says whether a record with a timestamp counts now, and its time to
// live in seconds: with a ttl the timestamp is when it begins, without when it
// ends.
func visible(now uint64, ttl uint32, stamp uint64) (uint32, bool) {
	switch {
	case ttl != 0:
		return ttl, stamp < now
	case stamp < now:
		return 0, false
	}
	return uint32(min(max(stamp-now, 2), 3600)), true
}

// bytes is what a ref is of.
func (c *Composer) bytes(r ref) []byte {
	if r.mem {
		return c.mem[r.at : r.at+uint32(r.n)]
	}
	return c.b[r.at : r.at+uint32(r.n)]
}

// keep copies a name for the rest of the answer.
func (c *Composer) keep(name []byte) ref {
	at := len(c.mem)
	c.mem = append(c.mem, name...)
	return ref{uint32(at), uint16(len(name)), true}
}

// location is the client's: that of the longest prefix of its address which
// has one.
func (c *Composer) location() [2]byte {
	if c.located {
		return c.loc
	}
	c.located, c.fixed = true, false
	key := &c.prefix
	key[0], key[1] = 0, '%'
	if c.from.Is4() {
		ip := c.from.As4()
		copy(key[2:], ip[:])
		for n := 4; n >= 0; n-- {
			if c.d.loc4>>n&1 != 0 && c.locate(key[:2+n]) {
				break
			}
		}
		return c.loc
	}
	key[2] = 's'
	if c.from.Is6() {
		for i, b := range c.from.As16() {
			key[3+2*i], key[4+2*i] = hexDigits[b>>4], hexDigits[b&15]
		}
		for n := 32; n > 0; n-- {
			if c.d.loc6>>n&1 != 0 && c.locate(key[:3+n]) {
				return c.loc
			}
		}
	}
	c.locate(key[:2])
	return c.loc
}

const hexDigits = "0123456789abcdef"

// locate takes the location of a prefix; false where it has none.
func (c *Composer) locate(key []byte) bool {
	var k cursor
	c.look(&k, key)
	val, _, ok := c.next(&k)
	if ok && len(val) == len(c.loc) {
		c.loc = [2]byte(val)
	}
	return ok
}
