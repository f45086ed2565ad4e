// SPDX-License-Identifier: ISC

package index

import (
	"encoding/binary"
	"fmt"
	"strings"
)

const (
	snapMagic   = "qxsnap\r\n"
	snapVersion = 1
	snapEndian  = 0x01020304
	snapHead    = 136
	snapRecord  = fixedSize + 16 // modseq, place and length of the name
)

// encode writes the state as a snapshot.
func (s *state) encode() []byte {
	le := binary.LittleEndian
	var kw []byte
	for _, k := range s.keywords {
		kw = append(append(kw, byte(len(k))), k...)
	}
	heap, unseen, deleted, bytes := 0, uint32(0), uint32(0), uint64(0)
	for i := range s.msgs {
		m := s.msgs[i]
		heap += len(m.Name)
		bytes += uint64(m.Size)
		unseen += uint32(bit(m.Flags&Seen == 0))
		deleted += uint32(bit(m.Flags&Deleted != 0))
	}
	b := make([]byte, 0, snapHead+len(s.msgs)*snapRecord+len(s.intents)*8+len(s.expunged)*16+len(kw)+heap+4)
	b = append(b, snapMagic...)
	b = le.AppendUint32(b, snapVersion)
	b = le.AppendUint32(b, snapEndian)
	b = le.AppendUint64(b, s.gen)
	b = le.AppendUint32(b, s.valid)
	b = le.AppendUint32(b, uint32(s.next))
	b = le.AppendUint64(b, s.modseq)
	b = append(b, s.box[:]...)
	for _, n := range []int{len(s.msgs), heap, len(s.keywords), len(s.expunged)} {
		b = le.AppendUint32(b, uint32(n))
	}
	b = le.AppendUint64(b, s.horizon)
	for _, t := range []int64{s.dirs.fresh, s.dirs.cur, s.dirs.recheck} {
		b = le.AppendUint64(b, uint64(t))
	}
	b = le.AppendUint32(b, unseen)
	b = le.AppendUint32(b, deleted)
	b = le.AppendUint64(b, bytes)
	b = le.AppendUint32(b, uint32(len(s.intents)))
	b = le.AppendUint32(b, uint32(len(kw)))
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, sum(b))
	off := uint32(0)
	for i := range s.msgs {
		m := s.msgs[i]
		b = appendFixed(b, m)
		b = le.AppendUint64(b, m.ModSeq)
		b = le.AppendUint32(b, off)
		b = le.AppendUint32(b, uint32(len(m.Name)))
		off += uint32(len(m.Name))
	}
	b = putRanges(b, s.intents)
	for _, v := range s.expunged {
		b = putRanges(b, []Range{v.Range})
		b = le.AppendUint64(b, v.modseq)
	}
	b = append(b, kw...)
	for i := range s.msgs {
		b = append(b, s.msgs[i].Name...)
	}
	return le.AppendUint32(b, sum(b))
}

// decode reads a snapshot; it keeps nothing of b.
func decode(b []byte) (*state, error) {
	bad := func(what string) (*state, error) { return nil, fmt.Errorf("%w: snapshot: %s", errDamaged, what) }
	if len(b) < snapHead+4 || string(b[:8]) != snapMagic {
		return bad("no head")
	}
	if sum(b[:snapHead-4]) != binary.LittleEndian.Uint32(b[snapHead-4:]) {
		return bad("checksum of the head")
	}
	r := reader{b: b[8:snapHead]}
	if r.u32() != snapVersion || r.u32() != snapEndian {
		return bad("version")
	}
	s := &state{gen: r.u64(), valid: r.u32(), next: UID(r.u32()), modseq: r.u64()}
	copy(s.box[:], r.bytes(16))
	n, heap, nkw, nexp := int(r.u32()), int(r.u32()), int(r.u32()), int(r.u32())
	s.horizon = r.u64()
	s.dirs = dirState{r.i64(), r.i64(), r.i64()}
	r.bytes(16) // the counts: for those who read the head alone
	nint, kwlen := int(r.u32()), int(r.u32())
	if n > messagesMax || nkw > KeywordsMax || nexp > vanishedMax ||
		snapHead+n*snapRecord+nint*8+nexp*16+kwlen+heap+4 != len(b) {
		return bad("length")
	}
	if sum(b[:len(b)-4]) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return bad("checksum")
	}
	if s.valid == 0 || s.next == 0 || s.modseq == 0 {
		return bad("zero where a number must be")
	}
	r = reader{b: b[snapHead : len(b)-4]}
	if !s.decodeMessages(&r, n, string(b[len(b)-4-heap:len(b)-4])) {
		return bad("messages")
	}
	s.intents = r.ranges(nint)
	for range nexp {
		v := vanished{Range{UID(r.u32()), UID(r.u32())}, r.u64()}
		r.bad = r.bad || v.Lo == 0 || v.Lo > v.Hi || v.Hi >= s.next || v.modseq > s.modseq
		s.expunged = append(s.expunged, v)
	}
	for i := range nkw {
		rec := record{number: uint8(i), keyword: string(r.bytes(int(r.u8())))}
		r.bad = r.bad || !ValidKeyword(rec.keyword) || s.define(&rec) != nil
	}
	if r.bad || len(r.b) != heap {
		return bad("tables")
	}
	return s, nil
}

// decodeMessages reads n messages whose names are in heap, which they share.
func (s *state) decodeMessages(r *reader, n int, heap string) bool {
	if strings.ContainsRune(heap, '/') || strings.ContainsRune(heap, 0) {
		return false
	}
	s.msgs, s.keys.hash = make([]*Message, n), make([]uint32, n)
	all := make([]Message, n)
	end, last := 0, UID(0)
	for i := range s.msgs {
		b, m := r.bytes(snapRecord), &all[i]
		s.msgs[i] = m
		if r.bad || !m.decode(b) {
			return false
		}
		m.ModSeq = binary.LittleEndian.Uint64(b[64:])
		off, size := int(binary.LittleEndian.Uint32(b[72:])), int(binary.LittleEndian.Uint32(b[76:]))
		if off != end || size > min(len(heap)-off, nameMax) || m.UID <= last || m.UID >= s.next || m.ModSeq > s.modseq {
			return false
		}
		end, last = off+size, m.UID
		if m.Name = heap[off:end]; m.Name == "" || m.Name[0] == '.' || m.Name[0] == ':' {
			return false
		}
		s.keys.change(i, &Message{}, m)
	}
	return end == len(heap)
}
