// SPDX-License-Identifier: ISC

package index

import (
	"encoding/binary"
	"slices"
)

// kind says what a log record is about.
type kind uint8

const (
	kindHead     kind = 1 + iota // the first record of a log
	kindAdd                      // a message has come
	kindFlags                    // flags and keywords of messages have changed
	kindName                     // a file has another name, or is in another folder
	kindDate                     // a message has another INTERNALDATE
	kindIntent                   // messages are about to be expunged
	kindExpunge                  // messages are gone
	kindDirState                 // new/ and cur/ are known in full
	kindKeyword                  // a keyword's name
	kindRotate                   // this log is closed; the next generation follows
	kindEmail                    // a message has another EMAILID
	kindCache                    // where digests of messages are
	kindSizes                    // messages were measured
	kinds
)

// record is one record of the log; which fields count depends on its kind.
type record struct {
	kind    kind
	modseq  uint64   // of Add, Flags, Expunge; else 0
	gen     uint64   // Head, Rotate
	valid   uint32   // Head: UIDVALIDITY
	msg     Message  // Add; Name: UID, New, Name; Date: UID, Date; Email: UID, EmailID
	change  change   // Flags
	uids    []Range  // Flags, Intent, Expunge
	dirs    dirState // DirState
	number  uint8    // Keyword
	keyword string   // Keyword
	places  []placed // Cache; Sizes, with Wire for the place
}

// change is what becomes of flags and keywords: first off, then on.
type change struct {
	on, off     Flags
	kwOn, kwOff uint64
}

const (
	recordHead = 20 // bytes before the payload
	logVersion = 1
	placeSize  = 12 // bytes of a placed
)

// appendRecord puts the record at the end of b:
// length of the payload, kind, 3 zero bytes, modseq, CRC32C, payload.
func appendRecord(b []byte, r *record) []byte {
	le := binary.LittleEndian
	start := len(b)
	b = append(b, make([]byte, recordHead)...)
	b = appendPayload(b, r)
	head, payload := b[start:start+recordHead], b[start+recordHead:]
	le.PutUint32(head, uint32(len(payload)))
	head[4] = byte(r.kind)
	le.PutUint64(head[8:], r.modseq)
	le.PutUint32(head[16:], sum(head[:16], payload))
	return b
}

func appendPayload(b []byte, r *record) []byte {
	le := binary.LittleEndian
	switch m := &r.msg; r.kind {
	case kindHead:
		b = le.AppendUint32(b, logVersion)
		b = le.AppendUint32(b, r.valid)
		b = le.AppendUint64(b, r.gen)
	case kindAdd:
		b = appendFixed(b, m)
		b = append(b, m.Name...)
	case kindFlags:
		b = le.AppendUint16(b, uint16(r.change.on))
		b = le.AppendUint16(b, uint16(r.change.off))
		b = le.AppendUint64(b, r.change.kwOn)
		b = le.AppendUint64(b, r.change.kwOff)
		b = putRanges(b, r.uids)
	case kindName:
		b = le.AppendUint32(b, uint32(m.UID))
		b = append(b, bit(m.New))
		b = append(b, m.Name...)
	case kindDate:
		b = le.AppendUint32(b, uint32(m.UID))
		b = le.AppendUint64(b, uint64(m.Date))
	case kindEmail:
		b = le.AppendUint32(b, uint32(m.UID))
		b = le.AppendUint64(b, m.EmailID)
	case kindCache, kindSizes:
		for _, p := range r.places {
			b = le.AppendUint32(b, uint32(p.uid))
			b = le.AppendUint64(b, p.cache)
		}
	case kindIntent, kindExpunge:
		b = putRanges(b, r.uids)
	case kindDirState:
		b = le.AppendUint64(b, uint64(r.dirs.fresh))
		b = le.AppendUint64(b, uint64(r.dirs.cur))
		b = le.AppendUint64(b, uint64(r.dirs.recheck))
	case kindKeyword:
		b = append(b, r.number)
		b = append(b, r.keyword...)
	case kindRotate:
		b = le.AppendUint64(b, r.gen)
	}
	return b
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// fixedSize is what appendFixed writes.
const fixedSize = 64

// appendFixed writes what of a message has a fixed length, but for its modseq.
func appendFixed(b []byte, m *Message) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(m.UID))
	b = le.AppendUint16(b, uint16(m.Flags))
	b = le.AppendUint16(b, uint16(bit(m.New)))
	b = le.AppendUint64(b, m.Keywords)
	b = le.AppendUint64(b, uint64(m.Size))
	b = le.AppendUint64(b, uint64(m.Wire))
	b = le.AppendUint64(b, uint64(m.Date))
	b = le.AppendUint32(b, m.Saved)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, m.Cache)
	return le.AppendUint64(b, m.EmailID)
}

// decode reads what appendFixed wrote; false where it is impossible.
func (m *Message) decode(b []byte) bool {
	le := binary.LittleEndian
	_ = b[fixedSize-1]
	where := le.Uint16(b[6:])
	*m = Message{UID: UID(le.Uint32(b)), Flags: Flags(le.Uint16(b[4:])), New: where == 1, Keywords: le.Uint64(b[8:]),
		Size: int64(le.Uint64(b[16:])), Wire: int64(le.Uint64(b[24:])), Date: int64(le.Uint64(b[32:])),
		Saved: le.Uint32(b[40:]), Cache: le.Uint64(b[48:]), EmailID: le.Uint64(b[56:])}
	return m.UID != 0 && m.Flags&^allFlags == 0 && where <= 1 && m.Size >= 0 && m.Wire >= 0 && le.Uint32(b[44:]) == 0
}

// nextRecord takes the record b begins with and says how long it is; 0 where it
// is incomplete or bad.
func nextRecord(b []byte) (rec record, n int) {
	r := reader{b: b}
	size, k := r.u32(), kind(r.u8())
	zero := r.bytes(3)
	rec.modseq = r.u64()
	crc := r.u32()
	if r.bad || size > payloadMax || zero[0]|zero[1]|zero[2] != 0 || k == 0 || k >= kinds {
		return rec, 0
	}
	payload := r.bytes(int(size))
	if r.bad || sum(b[:16], payload) != crc {
		return rec, 0
	}
	rec.kind = k
	p := reader{b: payload}
	p.payload(&rec)
	if p.bad || len(p.b) != 0 {
		return rec, 0
	}
	return rec, recordHead + int(size)
}

// payload reads what follows a record's head.
func (r *reader) payload(rec *record) {
	switch m := &rec.msg; rec.kind {
	case kindHead:
		version := r.u32()
		rec.valid, rec.gen = r.u32(), r.u64()
		r.bad = r.bad || version != logVersion
	case kindAdd:
		if b := r.bytes(fixedSize); r.bad || !m.decode(b) {
			r.bad = true
			return
		}
		m.ModSeq = rec.modseq
		r.name(m)
	case kindFlags:
		c := &rec.change
		c.on, c.off = Flags(r.u16()), Flags(r.u16())
		c.kwOn, c.kwOff = r.u64(), r.u64()
		rec.uids = r.rest()
		r.bad = r.bad || (c.on|c.off)&^allFlags != 0
	case kindName:
		m.UID = UID(r.u32())
		where := r.u8()
		m.New = where == 1
		r.bad = r.bad || where > 1
		r.name(m)
	case kindDate:
		m.UID, m.Date = UID(r.u32()), r.i64()
	case kindEmail:
		m.UID, m.EmailID = UID(r.u32()), r.u64()
	case kindCache:
		rec.places = r.places()
	case kindSizes:
		rec.places = r.places()
		r.bad = r.bad || slices.ContainsFunc(rec.places, func(p placed) bool { return int64(p.cache) < 0 })
	case kindIntent, kindExpunge:
		rec.uids = r.rest()
	case kindDirState:
		rec.dirs = dirState{r.i64(), r.i64(), r.i64()}
	case kindKeyword:
		rec.number = r.u8()
		rec.keyword = string(r.bytes(len(r.b)))
		r.bad = r.bad || !ValidKeyword(rec.keyword)
	case kindRotate:
		rec.gen = r.u64()
	}
}

func (r *reader) places() []placed {
	n := len(r.b) / placeSize
	if r.bad = r.bad || n > placesMax || len(r.b)%placeSize != 0; r.bad {
		return nil
	}
	all := make([]placed, n)
	for i := range all {
		all[i] = placed{UID(r.u32()), r.u64()}
		r.bad = r.bad || all[i].uid == 0 || i > 0 && all[i].uid <= all[i-1].uid
	}
	return all
}

func (r *reader) name(m *Message) {
	m.Name = string(r.bytes(len(r.b)))
	r.bad = r.bad || !validName(m.Name)
}

func (r *reader) rest() []Range {
	n := len(r.b) / 8
	r.bad = r.bad || n > rangesMax
	if r.bad {
		return nil
	}
	return r.ranges(n)
}
