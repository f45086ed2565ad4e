// SPDX-License-Identifier: ISC

package dnswire

import "encoding/binary"

const (
	maxPointer = 0x3fff // the last place that a compression pointer can name
	maxNames   = 100    // suffixes that are remembered for compression, as in djb's programs
	djbSuffix  = 128    // bytes of a suffix that djb's remember
)

// suffix is a name, or the end of one, that a message holds.
type suffix struct {
	at   uint16
	size uint8 // of the name, were it not compressed
}

// Message is one being written, behind what is in B already.
type Message struct {
	B     []byte
	start int
	n     int
	limit int // bytes of a suffix that is remembered
	names [maxNames]suffix
}

// Begin begins a message behind out with its header, and is where its question
// goes.
func (m *Message) Begin(out []byte, id, flags uint16) {
	m.B, m.start, m.n, m.limit = out, len(out), 0, MaxName
	m.B = append(m.B, byte(id>>8), byte(id), byte(flags>>8), byte(flags), 0, 0, 0, 0, 0, 0, 0, 0)
}

// LikeDJB makes compression djb's to the byte.
func (m *Message) LikeDJB() { m.limit = djbSuffix }

// Len is the bytes of the message.
func (m *Message) Len() int { return len(m.B) - m.start }

// Question writes the question, as the first thing in the message.
func (m *Message) Question(q *Query) {
	for at := 0; at < len(q.Name)-1; at += 1 + int(q.Name[at]) {
		if size := len(q.Name) - at; size <= m.limit && m.n < maxNames {
			m.names[m.n] = suffix{uint16(HeaderLen + at), uint8(size)}
			m.n++
		}
	}
	m.B = append(append(m.B, q.Name...), byte(q.Type>>8), byte(q.Type), byte(q.Class>>8), byte(q.Class))
	m.B[m.start+Questions+1] = 1
}

// Sections of a message, as places in the header.
const (
	Questions  = 4
	Answers    = 6
	Authority  = 8
	Additional = 10
)

// Count adds n records to a section.
func (m *Message) Count(section, n int) {
	at := m.B[m.start+section:]
	binary.BigEndian.PutUint16(at, binary.BigEndian.Uint16(at)+uint16(n))
}

// Uncount takes back all records of a section.
func (m *Message) Uncount(section int) {
	binary.BigEndian.PutUint16(m.B[m.start+section:], 0)
}

// SetFlags writes the flags anew.
func (m *Message) SetFlags(flags uint16) { binary.BigEndian.PutUint16(m.B[m.start+2:], flags) }

// Mark is a place in a message that one can go back to.
type Mark struct{ len, names int }

// Mark is the place where the message ends now.
func (m *Message) Mark() Mark { return Mark{len(m.B), m.n} }

// Back takes back what was written after a mark; counts remain.
func (m *Message) Back(to Mark) { m.B, m.n = m.B[:to.len], to.names }

// U16 writes a number.
func (m *Message) U16(n uint16) { m.B = append(m.B, byte(n>>8), byte(n)) }

// U32 writes a number.
func (m *Message) U32(n uint32) { m.B = binary.BigEndian.AppendUint32(m.B, n) }

// Bytes writes bytes.
func (m *Message) Bytes(b []byte) { m.B = append(m.B, b...) }

// Name writes a name, whose end is a pointer where it stands already; the case
// of letters does not count. n must be a name: NameLen(n) == len(n).
func (m *Message) Name(n []byte) {
	for len(n) > 1 {
		for i := range m.names[:m.n] {
			if s := m.names[i]; int(s.size) == len(n) && m.Same(n, int(s.at)) {
				m.U16(0xc000 | s.at)
				return
			}
		}
		if at := m.Len(); at <= maxPointer && len(n) <= m.limit && m.n < maxNames {
			m.names[m.n] = suffix{uint16(at), uint8(len(n))}
			m.n++
		}
		l := 1 + int(n[0])
		m.B = append(m.B, n[:l]...)
		n = n[l:]
	}
	m.B = append(m.B, 0)
}

// Same says whether name n, but for case, is the one that was written at a
// place of the message.
func (m *Message) Same(n []byte, at int) bool {
	b := m.B[m.start:]
	if at+len(n) <= len(b) && string(b[at:at+len(n)]) == string(n) {
		return true // in one piece, and in the same case
	}
	for {
		l := int(b[at])
		if l >= 0xc0 {
			at = (l&0x3f)<<8 | int(b[at+1])
			continue
		}
		if l != int(n[0]) {
			return false
		}
		if l == 0 {
			return true
		}
		if !Equal(n[1:1+l], b[at+1:at+1+l]) {
			return false
		}
		at, n = at+1+l, n[1+l:]
	}
}

// Start writes the head of a record, and is the place of its data for Finish.
func (m *Message) Start(owner []byte, kind uint16, ttl uint32) int {
	m.Name(owner)
	m.B = append(m.B, byte(kind>>8), byte(kind), 0, ClassIN, byte(ttl>>24), byte(ttl>>16), byte(ttl>>8), byte(ttl), 0, 0)
	return len(m.B)
}

// Finish writes the length of the data that began at a place.
func (m *Message) Finish(data int) {
	binary.BigEndian.PutUint16(m.B[data-2:], uint16(len(m.B)-data))
}

// Begun is where in B the message begins.
func (m *Message) Begun() int { return m.start }
