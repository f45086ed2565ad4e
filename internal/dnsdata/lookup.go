// SPDX-License-Identifier: ISC

package dnsdata

import (
	"encoding/binary"
	"time"
)

// Source is where records are: data.cdb.
type Source interface {
	Each(key []byte, fn func(val []byte) bool) error
	All(fn func(key, val []byte) bool) error
}

// maxAncestors bounds the names without records that are remembered because
// names below them have some.
const maxAncestors = 4 << 20

// Data is zone data open for answers; it may be used by many goroutines.
type Data struct {
	src       Source
	ancestors map[string]struct{} // names above others, whether or not they have records
}

// Open reads through the data once, to know which names have others below
// them.
func Open(src Source) (*Data, error) {
	d := &Data{src: src, ancestors: make(map[string]struct{})}
	err := src.All(func(key, val []byte) bool {
		if nameLen(key) != len(key) || len(key) < 2 || len(val) < 15 {
			return true
		}
		up := key
		if val[2] != '*' && val[2] != '+' { // the owner of a wildcard is below its key
			up = parent(key)
		}
		for len(up) > 1 && len(d.ancestors) < maxAncestors {
			if _, known := d.ancestors[string(up)]; known {
				break
			}
			d.ancestors[string(up)] = struct{}{}
			up = parent(up)
		}
		return true
	})
	return d, err
}

// rr is a record found: where its data begin in the source.
type rr struct {
	kind uint16
	ttl  uint32
	data []byte
}

// client is what records may depend on.
type client struct {
	loc [2]byte
	now time.Time
}

// location finds a client's, by the longest prefix of its IPv4 address.
func (d *Data) location(ip []byte) (loc [2]byte, err error) {
	if len(ip) != 4 {
		ip = nil
	}
	for n := len(ip); n >= 0; n-- {
		found := false
		err = d.src.Each(append([]byte{0, '%'}, ip[:n]...), func(val []byte) bool {
			found = len(val) == 2
			copy(loc[:], val)
			return false
		})
		if err != nil || found {
			return loc, err
		}
	}
	return loc, nil
}

// records are those of a name, or of the wildcard below it, that this client
// sees now.
func (d *Data) records(c client, key []byte, wildcard bool) (out []rr, err error) {
	plain, located := byte('='), byte('>')
	if wildcard {
		plain, located = '*', '+'
	}
	err = d.src.Each(key, func(val []byte) bool {
		if len(val) < 15 {
			return true
		}
		rest := val[3:]
		switch val[2] {
		case plain:
		case located:
			if len(rest) < 14 || [2]byte(rest[:2]) != c.loc {
				return true
			}
			rest = rest[2:]
		default:
			return true
		}
		if ttl, ok := c.visible(binary.BigEndian.Uint32(rest), binary.BigEndian.Uint64(rest[4:])); ok {
			out = add(out, rr{binary.BigEndian.Uint16(val), ttl, rest[12:]})
		}
		return true
	})
	return out, err
}

// add adds a record that is not there yet; all of one type get the least of
// their times to live (RFC 2181 §5).
func add(out []rr, r rr) []rr {
	for i := range out {
		if out[i].kind != r.kind {
			continue
		}
		if string(out[i].data) == string(r.data) {
			out[i].ttl = min(out[i].ttl, r.ttl)
			return out
		}
		least := min(out[i].ttl, r.ttl)
		out[i].ttl, r.ttl = least, least
	}
	return append(out, r)
}

// visible says whether a record counts now, and its time to live: a timestamp
// with a ttl is when it begins, one without when it ends.
func (c client) visible(ttl uint32, stamp uint64) (uint32, bool) {
	if stamp == 0 {
		return ttl, true
	}
	at := int64(stamp - 1<<62 - 10)
	now := c.now.Unix()
	if ttl != 0 {
		return ttl, now >= at
	}
	if now >= at {
		return 0, false
	}
	return uint32(min(max(at-now, 2), 3600)), true
}

// exists says whether a name has records, or names below it.
func (d *Data) exists(c client, key []byte) (bool, []rr, error) {
	records, err := d.records(c, key, false)
	if err != nil || len(records) > 0 {
		return len(records) > 0, records, err
	}
	_, above := d.ancestors[string(key)]
	return above, nil, nil
}

// zone is the nearest ancestor of a name with NS records.
type zone struct {
	apex []byte
	soa  *rr // nil at a delegation
	ns   []rr
}

// control finds the zone that a name is in; nil where we have none.
func (d *Data) control(c client, name []byte, above bool) (*zone, error) {
	for n := name; ; n = parent(n) {
		if !above {
			records, err := d.records(c, n, false)
			if err != nil {
				return nil, err
			}
			z := &zone{apex: n}
			for i := range records {
				switch records[i].kind {
				case TypeNS:
					z.ns = append(z.ns, records[i])
				case TypeSOA:
					if z.soa == nil {
						z.soa = &records[i]
					}
				}
			}
			if len(z.ns) > 0 {
				return z, nil
			}
		}
		above = false
		if len(n) <= 1 {
			return nil, nil
		}
	}
}

// find looks a name up within its zone: its own records, else those of the
// wildcard at its closest encloser (RFC 4592). exists is false for NXDOMAIN.
func (d *Data) find(c client, z *zone, name []byte) (records []rr, exists bool, err error) {
	exists, records, err = d.exists(c, name)
	if err != nil || exists {
		return records, exists, err
	}
	for n := name; len(n) > len(z.apex); {
		n = parent(n)
		wild, err := d.records(c, n, true)
		if err != nil || len(wild) > 0 {
			return wild, true, err
		}
		if here, _, err := d.exists(c, n); err != nil || here {
			return nil, false, err
		}
	}
	return nil, false, nil
}
