// SPDX-License-Identifier: ISC

package dnstransfer

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"time"

	"quill/internal/dnsdata"
	"quill/internal/dnswire"
)

// Source is where records are: data.cdb. What it gives must not change, and a
// value must lie at the same place each time.
type Source interface {
	// Each calls fn with each value of key until fn says false.
	Each(key []byte, fn func(val []byte) bool) error
	// All calls fn with each record until fn says false.
	All(fn func(key, val []byte) bool) error
}

// ErrNoZone says that the zone is not one of the source's: it has no SOA or no
// NS that the client sees.
var ErrNoZone = errors.New("no such zone")

// Client is what records may depend on.
type Client struct {
	Addr netip.Addr
	Now  time.Time
}

// view is a client's.
type view struct {
	src Source
	loc [2]byte
	now uint64 // TAI64
	// room is memory for the records of a key.
	room []rr
}

// taiEpoch is the TAI64 label of the Unix epoch.
const taiEpoch = 1<<62 + 10

// maxTTL is the greatest time to live; greater ones would count as 0
// (RFC 2181 §8).
const maxTTL = 1<<31 - 1

// see finds the client's location: that of the longest prefix of its address
// which has one. Prefixes are bytes of IPv4 and hexadecimal digits of IPv6; the
// empty one is everybody's.
func see(src Source, c Client) (v *view, err error) {
	v = &view{src: src, now: uint64(c.Now.Unix() + taiEpoch)}
	for _, prefix := range prefixes(c.Addr.Unmap()) {
		found := false
		err = src.Each(append([]byte{0, '%'}, prefix...), func(val []byte) bool {
			if found = true; len(val) == 2 {
				copy(v.loc[:], val)
			}
			return false
		})
		if err != nil || found {
			return v, err
		}
	}
	return v, nil
}

// prefixes are the keys of locations for an address, the longest first.
func prefixes(a netip.Addr) (all []string) {
	switch {
	case a.Is4():
		ip := a.As4()
		for n := 4; n > 0; n-- {
			all = append(all, string(ip[:n]))
		}
	case a.Is6():
		ip := a.As16()
		digits := "s" + hex.EncodeToString(ip[:])
		for n := len(digits); n > 1; n-- {
			all = append(all, digits[:n])
		}
	}
	return append(all, "")
}

// rr is a record of one owner; its data lie in the source.
type rr struct {
	kind uint16
	wild bool
	ttl  uint32
	data []byte
}

// read is a value of the source, if this client sees it now.
func (v *view) read(val []byte) (r rr, ok bool) {
	if len(val) < dnsdata.ValueHeader {
		return r, false
	}
	rest := val[3:]
	switch val[2] {
	case '=', '*':
	case '>', '+':
		if len(val) < dnsdata.ValueHeader+2 || [2]byte(rest[:2]) != v.loc {
			return r, false
		}
		rest = rest[2:]
	default:
		return r, false
	}
	r = rr{kind: binary.BigEndian.Uint16(val), wild: val[2] == '*' || val[2] == '+', data: rest[12:]}
	ttl, stamp := binary.BigEndian.Uint32(rest), binary.BigEndian.Uint64(rest[4:])
	switch {
	case stamp == 0:
	case ttl != 0: // when it begins
		ok = stamp < v.now
		r.ttl = min(ttl, maxTTL)
		return r, ok
	case stamp < v.now: // when it ended
		return r, false
	default:
		ttl = uint32(min(max(stamp-v.now, 2), 3600))
	}
	r.ttl = min(ttl, maxTTL)
	return r, true
}

// set is the records of one owner and type.
type set struct {
	kind uint16
	wild bool
}

// of are the records of a key, those of its wildcard too, if val is the key's
// first value: so each key is met once. They come each once, all of one type
// with the least of their times to live (RFC 2181 §5), and hold until the next
// call.
func (v *view) of(key, val []byte) (out []rr, err error) {
	out = v.room[:0]
	begun := false
	err = v.src.Each(key, func(other []byte) bool {
		if !begun && (len(other) == 0 || &other[0] != &val[0]) {
			return false
		}
		begun = true
		if r, ok := v.read(other); ok {
			out = append(out, r)
		}
		return true
	})
	v.room = out
	if len(out) < 2 {
		return out, err
	}
	ttls := make(map[set]uint32)
	for _, r := range out {
		at := set{r.kind, r.wild}
		if least, more := ttls[at]; !more || r.ttl < least {
			ttls[at] = r.ttl
		}
	}
	var seen map[string]bool
	if len(out) > 8 {
		seen = make(map[string]bool, len(out))
	}
	kept := out[:0]
	for _, r := range out {
		if r.ttl = ttls[set{r.kind, r.wild}]; !known(kept, seen, r) {
			kept = append(kept, r)
		}
	}
	return kept, err
}

// known says whether a record is among kept, or in seen where there are many.
func known(kept []rr, seen map[string]bool, r rr) bool {
	if seen != nil {
		key := string(append(binary.BigEndian.AppendUint16([]byte{bit(r.wild)}, r.kind), r.data...))
		was := seen[key]
		seen[key] = true
		return was
	}
	for _, k := range kept {
		if k.kind == r.kind && k.wild == r.wild && bytes.Equal(k.data, r.data) {
			return true
		}
	}
	return false
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// top says which zone begins at a key: its SOA, and whether it has NS.
func (v *view) top(key []byte) (soa *rr, ns bool, err error) {
	err = v.src.Each(key, func(val []byte) bool {
		if r, ok := v.read(val); ok && !r.wild {
			ns = ns || r.kind == dnswire.TypeNS
			if r.kind == dnswire.TypeSOA && soa == nil && sound(r.kind, r.data) {
				soa = &r
			}
		}
		return soa == nil || !ns
	})
	return soa, ns, err
}

// Serial is the serial number of a zone, given in wire form and lower case.
func Serial(src Source, zone []byte, c Client) (serial uint32, err error) {
	v, err := see(src, c)
	if err != nil {
		return 0, err
	}
	soa, ns, err := v.top(zone)
	if err == nil && (soa == nil || !ns) {
		err = ErrNoZone
	}
	if err != nil {
		return 0, err
	}
	return serialOf(soa.data), nil
}

// serialOf is the serial number in sound data of SOA.
func serialOf(data []byte) uint32 { return binary.BigEndian.Uint32(data[len(data)-20:]) }

// cuts are the names below a zone where its own data end.
type cuts struct {
	children map[string]bool // zones of their own in the same source
	glue     map[string]bool // hosts in children that their NS name
}

// cut looks for them.
func (v *view) cut(zone []byte) (*cuts, error) {
	c := &cuts{make(map[string]bool), make(map[string]bool)}
	var candidates [][]byte
	err := v.src.All(func(key, val []byte) bool {
		if len(val) > 1 && binary.BigEndian.Uint16(val) == dnswire.TypeSOA && len(key) > len(zone) && below(key, zone) {
			candidates = append(candidates, key)
		}
		return true
	})
	for _, key := range candidates {
		soa, ns, terr := v.top(key)
		if terr != nil {
			return nil, terr
		}
		if soa != nil && ns {
			c.children[string(key)] = true
		}
	}
	for child := range c.children {
		eerr := v.src.Each([]byte(child), func(val []byte) bool {
			if r, ok := v.read(val); ok && !r.wild && r.kind == dnswire.TypeNS {
				c.glue[string(dnswire.Lower(r.data))] = true
			}
			return true
		})
		if eerr != nil {
			return nil, eerr
		}
	}
	return c, err
}

// place is where a name stands to the zone.
type place int

const (
	inside place = iota // its own data, or occluded (RFC 5936 §3.5)
	atCut               // top of a child
	beyond              // in a child
)

func (c *cuts) place(key, zone []byte) place {
	if len(c.children) == 0 {
		return inside
	}
	found := inside
	for n := key; len(n) > len(zone); n = dnswire.Parent(n) {
		if c.children[string(n)] {
			if found = beyond; len(n) == len(key) {
				found = atCut
			}
		}
	}
	return found
}

// mine says whether a record of the source is the zone's to send: of a child,
// its NS and DS (RFC 5936 §3.2) and the addresses of its servers.
func (c *cuts) mine(key []byte, at place, r rr) bool {
	address := r.kind == dnswire.TypeA || r.kind == dnswire.TypeAAAA
	glue := address && !r.wild && at != inside && c.glue[string(key)]
	switch {
	case r.kind == dnswire.TypeSOA:
		return false // it is the frame of the transfer, or a child's
	case at == inside || glue:
		return true
	}
	return at == atCut && !r.wild && (r.kind == dnswire.TypeNS || r.kind == dnswire.TypeDS)
}

// below says whether a name is the zone's top or under it.
func below(key, zone []byte) bool {
	if len(key) < len(zone) || !bytes.HasSuffix(key, zone) {
		return false
	}
	for n := key; len(n) >= len(zone); n = dnswire.Parent(n) {
		if len(n) == len(zone) {
			return true
		}
	}
	return false
}

// walk calls fn with each owner of the zone and its records, but for the SOA, in
// the order in which they are in the source.
func (v *view) walk(zone []byte, fn func(key []byte, all []rr) error) error {
	c, err := v.cut(zone)
	if err != nil {
		return err
	}
	aerr := v.src.All(func(key, val []byte) bool {
		if len(val) == 0 || !below(key, zone) || dnswire.NameLen(key) != len(key) {
			return true
		}
		at := c.place(key, zone)
		var all []rr
		if all, err = v.of(key, val); err != nil {
			return false
		}
		mine := all[:0]
		for _, r := range all {
			if c.mine(key, at, r) {
				mine = append(mine, r)
			}
		}
		if len(mine) > 0 {
			err = fn(key, mine)
		}
		return err == nil
	})
	return errors.Join(err, aerr)
}
