// SPDX-License-Identifier: ISC

package dnsdata

import "encoding/binary"

// Response codes.
const (
	rcodeOK       = 0
	rcodeFormErr  = 1
	rcodeServFail = 2
	rcodeNXDomain = 3
	rcodeNotImp   = 4
	rcodeRefused  = 5
	rcodeBadVers  = 16
)

// Header flags.
const (
	flagQR = 0x8000
	flagAA = 0x0400
	flagTC = 0x0200
	flagRD = 0x0100
)

const (
	headerLen = 12
	maxUDP    = 1232 // bytes of an answer over UDP (RFC 9715)
	minUDP    = 512
	maxTCP    = 65535
	classIN   = 1
	flagDO    = 0x8000 // in the OPT record (RFC 3225)
)

// Extended DNS errors (RFC 8914).
const (
	edeNone       = 0
	edeProhibited = 18
	edeNotAuth    = 20
)

// Query is a question that was read. Name lies in the packet.
type Query struct {
	ID     uint16
	Flags  uint16
	Name   []byte // wire form, in the case of the client; nil where it could not be read
	Type   uint16
	Class  uint16
	EDNS   bool
	size   int // what the client can take over UDP
	badVer bool
	wantDO bool
}

// verdicts on a packet.
const (
	drop   = -1
	accept = -2
)

// parse reads a packet: drop for what must not be answered, accept for a
// question, else the code of the refusal (with as much of q as could be read).
func parse(b []byte, q *Query) (verdict int) {
	if len(b) < headerLen || b[2]&0x80 != 0 {
		return drop // no question, or an answer: to answer it could loop
	}
	q.ID, q.Flags = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	q.size = minUDP
	if opcode := q.Flags >> 11 & 15; opcode != 0 {
		return rcodeNotImp
	}
	if binary.BigEndian.Uint16(b[4:]) != 1 || binary.BigEndian.Uint16(b[6:]) != 0 || binary.BigEndian.Uint16(b[8:]) != 0 || q.Flags&flagTC != 0 {
		return rcodeFormErr
	}
	n := nameLen(b[headerLen:])
	if n == 0 || headerLen+n+4 > len(b) {
		return rcodeFormErr
	}
	q.Name = b[headerLen : headerLen+n]
	rest := b[headerLen+n:]
	q.Type, q.Class = binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])
	return q.additional(rest[4:], int(binary.BigEndian.Uint16(b[10:])))
}

// additional reads the additional section, where EDNS is (RFC 6891 §6.1).
func (q *Query) additional(b []byte, count int) int {
	for range count {
		n := nameLen(b)
		if n == 0 || len(b) < n+10 {
			return rcodeFormErr
		}
		kind, size, ttl := binary.BigEndian.Uint16(b[n:]), binary.BigEndian.Uint16(b[n+2:]), binary.BigEndian.Uint32(b[n+4:])
		length := int(binary.BigEndian.Uint16(b[n+8:]))
		data := b[n+10:]
		if length > len(data) {
			return rcodeFormErr
		}
		if kind == TypeOPT {
			if q.EDNS || n != 1 || !validOptions(data[:length]) {
				return rcodeFormErr
			}
			q.EDNS, q.size, q.badVer, q.wantDO = true, min(max(int(size), minUDP), maxUDP), ttl>>16&0xff != 0, ttl&flagDO != 0
		}
		b = data[length:]
	}
	if len(b) > 0 {
		return rcodeFormErr
	}
	if q.badVer {
		return rcodeBadVers
	}
	return accept
}

func validOptions(b []byte) bool {
	for len(b) > 0 {
		if len(b) < 4 || int(binary.BigEndian.Uint16(b[2:]))+4 > len(b) {
			return false
		}
		b = b[4+int(binary.BigEndian.Uint16(b[2:])):]
	}
	return true
}
