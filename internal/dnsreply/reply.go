// SPDX-License-Identifier: ISC

// Package dnsreply composes the replies of servers that make up what they say of
// a name, rbldns and walldns, in two ways: Answer is right by today's RFCs, Old
// is byte for byte that of djb's programs. It promises not to panic, whatever the
// packet.
package dnsreply

import (
	"encoding/binary"

	"quill/internal/dnswire"
)

// Status is how a packet was dealt with, as djb's log has it: + answered, - not
// ours, I not implemented, C other class, / unreadable.
type Status = byte

// Record is one to be sent. Owner is the name that is asked for, or one above it.
type Record struct {
	Owner []byte
	Type  uint16
	TTL   uint32
	Data  []byte
}

// Reply is what will be said of a name. Its zero value is an answer without
// records: NODATA.
type Reply struct {
	Rcode     int
	Foreign   bool // not in a zone of ours: REFUSED
	Failed    bool // data cannot be read: SERVFAIL
	Answers   []Record
	Authority []Record
}

// Answer appends the answer to packet to out; nothing where it must not be
// answered. find says what is at the name of q, of class IN. q, empty before, is
// filled for the log.
func Answer(out, packet []byte, tcp bool, q *dnswire.Query, find func(*dnswire.Query, *Reply)) ([]byte, Status) {
	verdict := dnswire.Parse(packet, q)
	switch {
	case verdict == dnswire.Drop:
		return out, '/'
	case verdict == dnswire.RcodeNotImp || verdict == dnswire.RcodeBadVers:
		return refuse(out, q, verdict, dnswire.EdeNone), 'I'
	case verdict != dnswire.Accept:
		return refuse(out, q, verdict, dnswire.EdeNone), '/'
	case q.Name == nil: // a question for a cookie alone (RFC 7873 §5.4), which we have none of
		return refuse(out, q, dnswire.RcodeFormErr, dnswire.EdeNone), '/'
	case q.Class != dnswire.ClassIN:
		return refuse(out, q, dnswire.RcodeRefused, dnswire.EdeNone), 'C'
	case q.Type == dnswire.TypeOPT:
		return refuse(out, q, dnswire.RcodeFormErr, dnswire.EdeNone), 'I'
	case q.Type == dnswire.TypeAXFR || q.Type == dnswire.TypeIXFR:
		return refuse(out, q, dnswire.RcodeRefused, dnswire.EdeProhibited), 'I'
	}
	var r Reply
	find(q, &r)
	switch {
	case r.Failed:
		return refuse(out, q, dnswire.RcodeServFail, dnswire.EdeNone), '-'
	case r.Foreign:
		return refuse(out, q, dnswire.RcodeRefused, dnswire.EdeNotAuth), '-'
	}
	limit := dnswire.MaxTCP
	if !tcp {
		limit = q.Size
	}
	m := message{rcode: r.Rcode, ede: dnswire.EdeNone, flags: dnswire.FlagAA, answers: r.Answers, authority: r.Authority}
	said := m.write(out, q)
	if len(said)-len(out) > limit { // RFC 2181 §9
		m.flags, m.answers, m.authority = m.flags|dnswire.FlagTC, nil, nil
		said = m.write(out, q)
	}
	return said, '+'
}

// refuse is an answer without records, with an extended error for who speaks
// EDNS.
func refuse(out []byte, q *dnswire.Query, rcode int, ede int) []byte {
	m := message{rcode: rcode, ede: ede}
	return m.write(out, q)
}

// message is one to be written.
type message struct {
	rcode              int
	ede                int
	flags              uint16
	answers, authority []Record
}

// questionName is the pointer to the name of the question.
const questionName = 0xc000 | dnswire.HeaderLen

// Pointer is the pointer to the name of the question, as record data.
func Pointer() []byte { return []byte{questionName >> 8, questionName & 0xff} }

func (m *message) write(out []byte, q *dnswire.Query) []byte {
	be := binary.BigEndian
	flags := dnswire.FlagQR | q.Flags&(dnswire.FlagRD|0x7800) | m.flags | uint16(m.rcode&15)
	question, opt := uint16(0), uint16(0)
	if q.Name != nil {
		question = 1
	}
	if q.EDNS {
		opt = 1
	}
	for _, n := range []uint16{q.ID, flags, question, uint16(len(m.answers)), uint16(len(m.authority)), opt} {
		out = be.AppendUint16(out, n)
	}
	if question == 1 {
		out = append(out, q.Name...)
		out = be.AppendUint16(be.AppendUint16(out, q.Type), q.Class)
	}
	for _, section := range [][]Record{m.answers, m.authority} {
		for _, r := range section {
			out = be.AppendUint16(out, questionName+uint16(len(q.Name)-len(r.Owner)))
			out = be.AppendUint16(be.AppendUint16(out, r.Type), dnswire.ClassIN)
			out = be.AppendUint16(be.AppendUint32(out, r.TTL), uint16(len(r.Data)))
			out = append(out, r.Data...)
		}
	}
	if q.EDNS {
		out = m.opt(out, q)
	}
	return out
}

// opt appends our EDNS record, with DO as it came (RFC 3225 §3).
func (m *message) opt(out []byte, q *dnswire.Query) []byte {
	be := binary.BigEndian
	do := uint16(0)
	if q.DO {
		do = dnswire.FlagDO
	}
	out = append(out, 0)
	for _, n := range []uint16{dnswire.TypeOPT, dnswire.MaxUDP, uint16(m.rcode>>4) << 8, do} {
		out = be.AppendUint16(out, n)
	}
	if m.ede == dnswire.EdeNone {
		return be.AppendUint16(out, 0)
	}
	for _, n := range []uint16{6, 15, 2, uint16(m.ede)} { // RDLEN, option, its length, code (RFC 8914)
		out = be.AppendUint16(out, n)
	}
	return out
}
