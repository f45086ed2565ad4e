// SPDX-License-Identifier: ISC

package dnswire

import "encoding/binary"

const (
	djbPacket = 512  // bytes of a question that tinydns and axfrdns read
	djbSteps  = 1000 // that djb's programs take to read a name
)

// ParseDJB reads a packet as djb's tinydns does: names may be compressed, and
// what follows the question does not count. name is room for the name of q. It
// says whether there is a question.
func ParseDJB(b []byte, q *Query, name *[MaxName]byte) bool {
	*q = Query{Size: MinUDP}
	if len(b) > djbPacket || len(b) < HeaderLen || b[2]&0x80 != 0 || b[4] != 0 || b[5] != 1 {
		return false
	}
	n, rest := unpackName(b, HeaderLen, name)
	if n == 0 || rest+4 > len(b) {
		return false
	}
	q.ID, q.Flags = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	q.Opcode = int(q.Flags >> 11 & 15)
	q.Name = name[:n]
	q.Type, q.Class = binary.BigEndian.Uint16(b[rest:]), binary.BigEndian.Uint16(b[rest+2:])
	return true
}

// unpackName reads the name at pos of a message, following pointers to
// anywhere in it, into name; n is its length, 0 where there is none, and next
// where the message goes on.
func unpackName(b []byte, pos int, name *[MaxName]byte) (n, next int) {
	left, steps := 0, 0 // bytes of this label to come
	for {
		if pos >= len(b) {
			return 0, 0
		}
		c := b[pos]
		pos++
		steps++
		for left == 0 && c >= 0xc0 && steps < djbSteps {
			if pos >= len(b) {
				return 0, 0
			}
			if next == 0 {
				next = pos + 1
			}
			if pos = int(c&0x3f)<<8 | int(b[pos]); pos >= len(b) {
				return 0, 0
			}
			c = b[pos]
			pos++
			steps++
		}
		if steps >= djbSteps || n == len(name) || left == 0 && c > MaxLabel {
			return 0, 0
		}
		name[n] = c
		n++
		switch {
		case left > 0:
			left--
		case c == 0:
			if next == 0 {
				next = pos
			}
			return n, next
		default:
			left = int(c)
		}
	}
}
