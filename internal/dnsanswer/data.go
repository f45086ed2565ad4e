// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"encoding/binary"
	"errors"
	"hash/maphash"
	"math/rand/v2"

	"quill/internal/dnsdata"
	"quill/internal/dnswire"
)

// Source is where records are.
type Source interface {
	// Bytes is a cdb, all of it: data.cdb, mapped. It must not change.
	Bytes() []byte
}

// maxAbove bounds the names that are remembered because names below them have
// records; each takes 8 to 16 bytes.
const maxAbove = 1 << 24

// maxScan bounds what Open may cost, as maxWork does an answer.
const maxScan = 1 << 31

// Reasons not to use data.
var (
	ErrCorrupt = errors.New("corrupt cdb")
	ErrAbove   = errors.New("more than 16777216 names above others without records of their own")
)

// Data is zone data open for answers; it may be used by many goroutines.
type Data struct {
	id    uint64 // tells it from others
	b     []byte
	seed  maphash.Seed
	above hashes // of names that have others below them, but no records that everyone sees always
	loc4  uint8  // lengths of prefixes, in bytes, that have a location
	loc6  uint64 // the same for IPv6, in hexadecimal digits
}

// Open reads through the data once, to know which names have others below
// them: a look-up by name cannot tell (RFC 8020).
func Open(src Source) (*Data, error) {
	d := &Data{id: rand.Uint64() | 1, b: src.Bytes(), seed: maphash.MakeSeed()}
	s := scan{d: d, limit: maxAbove, finder: finder{b: d.b, work: maxScan}}
	if err := s.all(); err != nil {
		return nil, err
	}
	return d, nil
}

// scan is the reading of Open.
type scan struct {
	finder
	d     *Data
	limit int       // of names
	last  [4][]byte // names above records that came last
	turn  int
	owner []byte // of the last SOA that everyone sees always
}

// all reads all records.
func (s *scan) all() error {
	b := s.d.b
	if len(b) < cdbHeader || uint64(len(b)) >= 1<<32 {
		return ErrCorrupt
	}
	end := uint64(len(b))
	for i := 0; i < cdbHeader; i += 8 {
		end = min(end, uint64(binary.LittleEndian.Uint32(b[i:])))
	}
	for pos := uint64(cdbHeader); pos < end; {
		if pos+8 > end {
			return ErrCorrupt
		}
		k, v := uint64(binary.LittleEndian.Uint32(b[pos:])), uint64(binary.LittleEndian.Uint32(b[pos+4:]))
		if pos+8+k+v > end {
			return ErrCorrupt
		}
		key, val := b[pos+8:pos+8+k], b[pos+8+k:pos+8+k+v]
		pos += 8 + k + v
		if k < 2 || k > dnswire.MaxName {
			continue
		}
		if key[0] == 0 {
			s.location(key)
			continue
		}
		if v < dnsdata.ValueHeader {
			continue
		}
		switch {
		case !s.record(key, val):
			return ErrAbove
		case s.bad:
			return ErrCorrupt
		}
	}
	return nil
}

// location notes the length of a location's prefix.
func (s *scan) location(key []byte) {
	switch {
	case key[1] != '%':
		return
	case len(key) > 3 && len(key) <= 3+32 && key[2] == 's':
		s.d.loc6 |= 1 << (len(key) - 3)
	}
	if n := len(key) - 2; n <= 4 { // 115.49 of IPv4 and s1 of IPv6 look alike
		s.d.loc4 |= 1 << n
	}
}

// record notes the names above a record; false where there are too many.
func (s *scan) record(key, val []byte) bool {
	up := key // the owner of a wildcard is below its key
	if val[2] != '*' && val[2] != '+' {
		if val[2] == '=' && val[1] == dnswire.TypeSOA && val[0] == 0 && always(val) {
			s.owner = key
		}
		if int(key[0])+1 > len(key) {
			return true
		}
		up = key[1+int(key[0]):]
	}
	for _, l := range &s.last {
		if string(l) == string(up) {
			return true
		}
	}
	if dnswire.NameLen(key) != len(key) {
		return true
	}
	s.last[s.turn&3] = up
	s.turn++
	for ; len(up) > 1 && string(up) != string(s.owner); up = dnswire.Parent(up) {
		h := s.d.hash(up)
		if s.d.above.has(h) || s.owned(up) {
			break // so the names above it are known
		}
		if s.d.above.n == s.limit {
			return false
		}
		s.d.above.add(h)
	}
	return true
}

// always says whether a record has no timestamp.
func always(val []byte) bool { return binary.BigEndian.Uint64(val[7:]) == 0 }

// owned says whether a name has records that everyone sees always.
func (s *scan) owned(name []byte) bool {
	var k cursor
	s.look(&k, name)
	for {
		val, _, ok := s.next(&k)
		if !ok {
			return false
		}
		if len(val) >= dnsdata.ValueHeader && val[2] == '=' && always(val) {
			return true
		}
	}
}

func (d *Data) hash(name []byte) uint64 { return maphash.Bytes(d.seed, name) }

// isAbove says whether a name without records has others below it.
func (d *Data) isAbove(name []byte) bool { return d.above.n > 0 && d.above.has(d.hash(name)) }
