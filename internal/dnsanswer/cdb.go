// SPDX-License-Identifier: ISC

package dnsanswer

import "encoding/binary"

// cdbHeader is the bytes of the pointers to the 256 tables of a cdb.
const cdbHeader = 256 * 8

const (
	// maxWork bounds what one answer may cost, in slots of hash tables looked at;
	// records count recordWork.
	maxWork    = 1 << 22
	recordWork = 16
)

// finder looks keys up in the bytes of a cdb. What it meets there may be
// anything: it stays inside, and stops.
type finder struct {
	b    []byte
	work int  // that is left
	bad  bool // offsets or lengths point outside, or there is too much to do
}

// cursor is a place among the records of a key.
type cursor struct {
	key                      []byte
	hash                     uint32
	table, slot, slots, left uint32
}

// look sets k before the first record of key.
func (f *finder) look(k *cursor, key []byte) {
	k.key, k.left = key, 0
	h := uint32(5381)
	for _, b := range key {
		h = h<<5 + h ^ uint32(b)
	}
	if len(f.b) < cdbHeader {
		f.bad = true
		return
	}
	at := binary.LittleEndian.Uint64(f.b[h&255*8:])
	table, slots := uint32(at), uint32(at>>32)
	if slots == 0 {
		return
	}
	if uint64(table)+uint64(slots)*8 > uint64(len(f.b)) {
		f.bad = true
		return
	}
	k.hash, k.table, k.slot, k.slots, k.left = h, table, h>>8%slots, slots, slots
}

// next is the next record's value, and where in the data it is.
func (f *finder) next(k *cursor) (val []byte, at uint32, ok bool) {
	for k.left > 0 {
		s := binary.LittleEndian.Uint64(f.b[uint64(k.table)+uint64(k.slot)*8:])
		hash, pos := uint32(s), s>>32
		if pos == 0 {
			break
		}
		k.left--
		if k.slot++; k.slot == k.slots {
			k.slot = 0
		}
		if f.work--; f.work < 0 {
			f.bad = true
			break
		}
		if hash != k.hash {
			continue
		}
		f.work -= recordWork
		if pos+8 > uint64(len(f.b)) {
			f.bad = true
			break
		}
		r := f.b[pos:]
		sizes := binary.LittleEndian.Uint64(r)
		key, size := sizes&(1<<32-1), sizes>>32
		if 8+key+size > uint64(len(r)) {
			f.bad = true
			break
		}
		if string(r[8:8+key]) == string(k.key) {
			return r[8+key : 8+key+size], uint32(pos + 8 + key), true
		}
	}
	k.left = 0
	return nil, 0, false
}
