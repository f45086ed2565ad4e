// SPDX-License-Identifier: ISC

package dnsanswer

import "quill/internal/dnswire"

const (
	// maxRecords is the records of one RRset; all that go into a message of 65535
	// bytes.
	maxRecords = 4096
	largeSet   = 32 // records from which a table is kept
)

// gather adds a record to the set that is being gathered: one time to live for
// all, the least, and no record twice (RFC 2181 §5).
func (c *Composer) gather(r record) {
	from := c.gathered()
	n := len(c.data) - from
	if r.kind == dnswire.TypeSOA && n > 0 {
		return
	}
	if ttl := min(r.ttl, maxTTL); n == 0 {
		c.ttl, c.tabled = ttl, false
	} else {
		c.ttl = min(c.ttl, ttl)
	}
	switch {
	case c.has(c.data[from:], r.data):
	case n == maxRecords:
		c.full = true
	default:
		c.data = append(c.data, r.data)
	}
}

// has says whether data are among those of a set, and if not takes it that they
// will be the next. Of a large set a table knows.
func (c *Composer) has(set []ref, data ref) bool {
	if len(set) < largeSet {
		b := c.bytes(data)
		for _, o := range set {
			if o.n == data.n && string(c.bytes(o)) == string(b) {
				return true
			}
		}
		return false
	}
	if !c.tabled {
		c.tabled = true
		clear(c.table[:])
		for i := range set {
			c.tell(set[:i], set[i])
		}
	}
	return c.tell(set, data)
}

// tell is has by the table, whose entries are places in the set, from 1.
func (c *Composer) tell(set []ref, data ref) bool {
	b := c.bytes(data)
	h := uint64(14695981039346656037)
	for _, x := range b {
		h = (h ^ uint64(x)) * 1099511628211 // FNV-1a
	}
	at := (h ^ h>>32) % uint64(len(c.table))
	for ; c.table[at] != 0; at = (at + 1) % uint64(len(c.table)) {
		if c.work--; c.work < 0 {
			c.bad = true
			return true
		}
		if o := set[c.table[at]-1]; o.n == data.n && string(c.bytes(o)) == string(b) {
			return true
		}
	}
	if len(set) < maxRecords {
		c.table[at] = uint16(len(set) + 1)
	}
	return false
}
