// SPDX-License-Identifier: ISC

// Package dnsreply composes the replies of servers that make up what they say of
// a name, rbldns and walldns, in two ways: Answer is right by today's RFCs, Old
// is byte for byte that of djb's programs. It promises not to panic, whatever the
// packet.
package dnsreply

import "quill/internal/dnswire"

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
	q.Rcode = m.rcode
	var w dnswire.Message
	w.Begin(out, q.ID, dnswire.FlagQR|q.Flags&(dnswire.FlagRD|0x7800)|m.flags|uint16(m.rcode&15))
	if q.Name != nil {
		w.Question(q)
	}
	w.Count(dnswire.Answers, len(m.answers))
	w.Count(dnswire.Authority, len(m.authority))
	for _, records := range [][]Record{m.answers, m.authority} {
		for _, r := range records {
			at := w.Start(r.Owner, r.Type, r.TTL)
			w.Bytes(r.Data)
			w.Finish(at)
		}
	}
	if q.EDNS {
		w.Count(dnswire.Additional, 1)
		w.B = (&dnswire.Reply{Ede: m.ede}).Append(w.B, q)
	}
	return w.B
}
