// SPDX-License-Identifier: ISC

// Package dnsanswer composes the answers of an authoritative server from the
// records of data.cdb, right by today's RFCs. It opens nothing: records come
// from a Source.
package dnsanswer

import (
	"encoding/binary"
	"hash/maphash"
	"time"

	"quill/internal/dnsdata"
	"quill/internal/dnswire"
)

// Source is where records are: data.cdb. What it gives must not change while an
// answer is composed.
type Source interface {
	// Each calls fn with each value of key until fn says false.
	Each(key []byte, fn func(val []byte) bool) error
	// All calls fn with each record until fn says false.
	All(fn func(key, val []byte) bool) error
}

const (
	// maxAncestors bounds the names that are remembered because names below
	// them have records; further ones count as not existing.
	maxAncestors = 4 << 20
	// maxRecords is the records of one name, or wildcard, that count.
	maxRecords = 1024
	// maxTTL is the greatest time to live; greater ones would count as 0
	// (RFC 2181 §8).
	maxTTL = 1<<31 - 1
)

// Data is zone data open for answers; it may be used by many goroutines.
type Data struct {
	src       Source
	seed      maphash.Seed
	ancestors map[uint64]struct{} // hashes of names above others, with or without records
}

// Open reads through the data once, to know which names have others below
// them: a look-up by name cannot tell (RFC 8020). Its errors are those of src.
func Open(src Source) (*Data, error) {
	d := &Data{src: src, seed: maphash.MakeSeed(), ancestors: make(map[uint64]struct{})}
	err := src.All(func(key, val []byte) bool {
		if len(key) < 2 || dnswire.NameLen(key) != len(key) || len(val) < dnsdata.ValueHeader {
			return true
		}
		up := key
		if val[2] != '*' && val[2] != '+' { // the owner of a wildcard is below its key
			up = dnswire.Parent(key)
		}
		for len(up) > 1 && len(d.ancestors) < maxAncestors {
			h := maphash.Bytes(d.seed, up)
			if _, known := d.ancestors[h]; known {
				break
			}
			d.ancestors[h] = struct{}{}
			up = dnswire.Parent(up)
		}
		return true
	})
	return d, err
}

// rr is a record found; its data lie in the source.
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

// location finds a client's, by the longest prefix of its IPv4 address; other
// addresses have only the empty prefix.
func (d *Data) location(ip []byte) (loc [2]byte, err error) {
	if len(ip) != 4 {
		ip = nil
	}
	for n := len(ip); n >= 0; n-- {
		found := false
		err = d.src.Each(append([]byte{0, '%'}, ip[:n]...), func(val []byte) bool {
			if found = len(val) == 2; found {
				copy(loc[:], val)
			}
			return false
		})
		if err != nil || found {
			return loc, err
		}
	}
	return loc, nil
}

// records are those of a name, or of the wildcard below it, that this client
// sees now. Of a location 00 all clients see them.
func (d *Data) records(c client, key []byte, wildcard bool) (out []rr, err error) {
	plain, located := byte('='), byte('>')
	if wildcard {
		plain, located = '*', '+'
	}
	err = d.src.Each(key, func(val []byte) bool {
		if len(val) < dnsdata.ValueHeader {
			return true
		}
		rest := val[3:]
		switch val[2] {
		case plain:
		case located:
			if len(val) < dnsdata.ValueHeader+2 || [2]byte(rest[:2]) != c.loc {
				return true
			}
			rest = rest[2:]
		default:
			return true
		}
		if ttl, ok := c.visible(binary.BigEndian.Uint32(rest), binary.BigEndian.Uint64(rest[4:])); ok {
			out = add(out, rr{binary.BigEndian.Uint16(val), ttl, rest[12:]})
		}
		return len(out) < maxRecords
	})
	return out, err
}

// add adds a record that is not there yet; all of one type get the least of
// their times to live (RFC 2181 §5).
func add(out []rr, r rr) []rr {
	known := false
	for _, o := range out {
		if o.kind == r.kind {
			r.ttl = min(r.ttl, o.ttl)
			known = known || string(o.data) == string(r.data)
		}
	}
	for i := range out {
		if out[i].kind == r.kind {
			out[i].ttl = r.ttl
		}
	}
	if known {
		return out
	}
	return append(out, r)
}

// taiEpoch is the TAI64 label of the Unix epoch.
const taiEpoch = 1<<62 + 10

// visible says whether a record counts now, and its time to live in seconds: a
// timestamp with a ttl is when it begins, one without when it ends.
func (c client) visible(ttl uint32, stamp uint64) (uint32, bool) {
	now := uint64(c.now.Unix() + taiEpoch)
	switch {
	case stamp == 0:
		return min(ttl, maxTTL), true
	case ttl != 0:
		return min(ttl, maxTTL), stamp < now
	case stamp < now:
		return 0, false
	}
	return uint32(min(max(stamp-now, 2), 3600)), true
}

// exists says whether a name has records, or names below it (an empty
// non-terminal), and gives its records.
func (d *Data) exists(c client, key []byte) (bool, []rr, error) {
	records, err := d.records(c, key, false)
	if err != nil || len(records) > 0 {
		return len(records) > 0, records, err
	}
	_, above := d.ancestors[maphash.Bytes(d.seed, key)]
	return above, nil, nil
}

// zone is a name with NS records: the top of a zone of ours, or where it is
// delegated.
type zone struct {
	apex []byte
	soa  *rr // nil at a delegation
	ns   []rr
}

// control finds the zone that answers for a name: the nearest name above it, or
// itself, with SOA and NS; below that, the highest delegation takes it away.
// nil where we have neither.
func (d *Data) control(c client, name []byte) (*zone, error) {
	var cut *zone
	for n := name; ; n = dnswire.Parent(n) {
		z, err := d.top(c, n)
		switch {
		case err != nil:
			return nil, err
		case z != nil && z.soa == nil:
			cut = z
		case z != nil && cut == nil:
			return z, nil
		case z != nil || len(n) <= 1:
			return cut, nil
		}
		if len(n) <= 1 {
			return cut, nil
		}
	}
}

// top is the zone that begins at a name; nil where none does.
func (d *Data) top(c client, name []byte) (*zone, error) {
	records, err := d.records(c, name, false)
	if err != nil {
		return nil, err
	}
	z := &zone{apex: name}
	for i := range records {
		switch records[i].kind {
		case dnswire.TypeNS:
			z.ns = append(z.ns, records[i])
		case dnswire.TypeSOA:
			if z.soa == nil {
				z.soa = &records[i]
			}
		}
	}
	if len(z.ns) == 0 {
		return nil, nil
	}
	return z, nil
}

// find looks a name up within its zone: its own records, else those of the
// wildcard at its closest encloser (RFC 4592). exists is false for NXDOMAIN.
func (d *Data) find(c client, z *zone, name []byte) (records []rr, exists bool, err error) {
	exists, records, err = d.exists(c, name)
	if err != nil || exists {
		return records, exists, err
	}
	for n := name; len(n) > len(z.apex); {
		n = dnswire.Parent(n)
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
