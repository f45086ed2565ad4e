// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"encoding/binary"

	"quill/internal/dnswire"
)

// maxOffset is the last place that a compression pointer can name.
const maxOffset = 0x3fff

// writer writes one message behind what out held already.
type writer struct {
	b     []byte
	start int
	names map[string]int // suffixes written, in lower case
}

// refusal is an answer without records.
func refusal(out []byte, q *dnswire.Query, rcode int) []byte {
	return refuse(out, q, rcode, dnswire.EdeNone)
}

// refuse is refusal with an extended error for who speaks EDNS.
func refuse(out []byte, q *dnswire.Query, rcode int, ede uint16) []byte {
	a := &answer{rcode: rcode, ede: ede}
	return a.write(out, q, dnswire.MaxTCP)
}

// How much of an answer is left out.
const (
	cutNothing = iota
	cutAdditional
	cutAll
)

// write writes the answer within limit: else without the additional section,
// unless that is the glue of a delegation (RFC 9471), else with TC and no record
// (RFC 2181 §9).
func (a *answer) write(out []byte, q *dnswire.Query, limit int) []byte {
	for cut := cutNothing; cut <= cutAll; cut++ {
		if cut == cutAdditional && a.referral {
			continue
		}
		b := a.attempt(out, q, cut)
		if len(b)-len(out) <= limit {
			return b
		}
	}
	return out
}

func (a *answer) attempt(out []byte, q *dnswire.Query, cut int) []byte {
	w := &writer{b: out, start: len(out), names: make(map[string]int)}
	flags := uint16(dnswire.FlagQR) | q.Flags&(dnswire.FlagRD|0x7800) | uint16(a.rcode&15)
	if a.aa {
		flags |= dnswire.FlagAA
	}
	sections := [][]placed{a.answers, a.authority, a.additional}
	if cut >= cutAdditional {
		sections[2] = nil
	}
	if cut >= cutAll {
		sections[0], sections[1] = nil, nil
		flags |= dnswire.FlagTC
	}
	question, opt := uint16(0), uint16(0)
	if q.Name != nil {
		question = 1
	}
	if q.EDNS {
		opt = 1
	}
	for _, n := range []uint16{q.ID, flags, question, uint16(len(sections[0])), uint16(len(sections[1])), uint16(len(sections[2])) + opt} {
		w.u16(n)
	}
	if question == 1 {
		w.name(q.Name)
		w.u16(q.Type)
		w.u16(q.Class)
	}
	for _, s := range sections {
		for _, p := range s {
			w.record(p)
		}
	}
	if q.EDNS {
		w.opt(a.rcode, a.ede, q.DO)
	}
	return w.b
}

func (w *writer) u16(n uint16) { w.b = binary.BigEndian.AppendUint16(w.b, n) }

// name writes a name, its suffix as a pointer where that stands already.
func (w *writer) name(n []byte) {
	for len(n) > 1 {
		key := string(dnswire.Lower(n))
		if at, ok := w.names[key]; ok {
			w.u16(0xc000 | uint16(at))
			return
		}
		if at := len(w.b) - w.start; at <= maxOffset {
			w.names[key] = at
		}
		l := 1 + int(n[0])
		w.b = append(w.b, n[:l]...)
		n = n[l:]
	}
	w.b = append(w.b, 0)
}

// record writes a record; names in the data of the oldest types are
// compressed (RFC 3597 §4).
func (w *writer) record(p placed) {
	w.name(p.owner)
	w.u16(p.kind)
	w.u16(dnswire.ClassIN)
	w.b = binary.BigEndian.AppendUint32(w.b, p.ttl)
	at := len(w.b)
	w.u16(0)
	switch p.kind {
	case dnswire.TypeNS, dnswire.TypeCNAME, dnswire.TypePTR:
		w.compressed(p.data, 0, 1)
	case dnswire.TypeMX:
		w.compressed(p.data, 2, 1)
	case dnswire.TypeSOA:
		w.compressed(p.data, 0, 2)
	default:
		w.b = append(w.b, p.data...)
	}
	binary.BigEndian.PutUint16(w.b[at:], uint16(len(w.b)-at-2))
}

// compressed writes data with n names after its first skip bytes; what is no name
// is written as it is.
func (w *writer) compressed(data []byte, skip, n int) {
	if len(data) < skip {
		w.b = append(w.b, data...)
		return
	}
	w.b = append(w.b, data[:skip]...)
	data = data[skip:]
	for range n {
		l := dnswire.NameLen(data)
		if l == 0 {
			break
		}
		w.name(data[:l])
		data = data[l:]
	}
	w.b = append(w.b, data...)
}

// opt writes our EDNS record, with DO as it came (RFC 3225 §3).
func (w *writer) opt(rcode int, ede uint16, wantDO bool) {
	w.b = append(w.b, 0)
	w.u16(dnswire.TypeOPT)
	w.u16(dnswire.MaxUDP)
	w.u16(uint16(rcode>>4) << 8)
	if wantDO {
		w.u16(dnswire.FlagDO)
	} else {
		w.u16(0)
	}
	if ede == dnswire.EdeNone {
		w.u16(0)
		return
	}
	for _, n := range []uint16{6, 15, 2, ede} { // RDLEN, option, its length, code
		w.u16(n)
	}
}
