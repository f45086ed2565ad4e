// SPDX-License-Identifier: ISC

// Package dnswire knows DNS messages: names, types, questions with their EDNS,
// and what is written in answer. It is pure: bytes in, bytes out.
package dnswire

import "encoding/binary"

// Response codes.
const (
	RcodeOK       = 0
	RcodeFormErr  = 1
	RcodeServFail = 2
	RcodeNXDomain = 3
	RcodeNotImp   = 4
	RcodeRefused  = 5
	RcodeBadVers  = 16
)

// Header flags.
const (
	FlagQR = 0x8000
	FlagAA = 0x0400
	FlagTC = 0x0200
	FlagRD = 0x0100
)

const (
	HeaderLen = 12
	MaxUDP    = 1232 // bytes of an answer over UDP (RFC 9715)
	MinUDP    = 512
	MaxTCP    = 65535
	ClassIN   = 1
	FlagDO    = 0x8000 // in the OPT record (RFC 3225)
)

// Extended DNS errors (RFC 8914).
const (
	EdeNone       = 0
	EdeProhibited = 18
	EdeNotAuth    = 20
)

// Query is a question that was read. Name lies in the packet.
type Query struct {
	ID      uint16
	Flags   uint16
	Name    []byte // wire form, in the case of the client; nil where it could not be read
	Type    uint16
	Class   uint16
	EDNS    bool
	Size    int // what the client can take over UDP
	BadVers bool
	DO      bool
}

// verdicts on a packet.
const (
	Drop   = -1
	Accept = -2
)

// Parse reads a packet: Drop for what must not be answered, Accept for a
// question, else the code of the refusal (with as much of q as could be read).
func Parse(b []byte, q *Query) (verdict int) {
	if len(b) < HeaderLen || b[2]&0x80 != 0 {
		return Drop // no question, or an answer: to answer it could loop
	}
	q.ID, q.Flags = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	q.Size = MinUDP
	if opcode := q.Flags >> 11 & 15; opcode != 0 {
		return RcodeNotImp
	}
	if binary.BigEndian.Uint16(b[4:]) != 1 || binary.BigEndian.Uint16(b[6:]) != 0 || binary.BigEndian.Uint16(b[8:]) != 0 || q.Flags&FlagTC != 0 {
		return RcodeFormErr
	}
	n := NameLen(b[HeaderLen:])
	if n == 0 || HeaderLen+n+4 > len(b) {
		return RcodeFormErr
	}
	q.Name = b[HeaderLen : HeaderLen+n]
	rest := b[HeaderLen+n:]
	q.Type, q.Class = binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])
	return q.additional(rest[4:], int(binary.BigEndian.Uint16(b[10:])))
}

// additional reads the additional section, where EDNS is (RFC 6891 §6.1).
func (q *Query) additional(b []byte, count int) int {
	for range count {
		n := NameLen(b)
		if n == 0 || len(b) < n+10 {
			return RcodeFormErr
		}
		kind, size, ttl := binary.BigEndian.Uint16(b[n:]), binary.BigEndian.Uint16(b[n+2:]), binary.BigEndian.Uint32(b[n+4:])
		length := int(binary.BigEndian.Uint16(b[n+8:]))
		data := b[n+10:]
		if length > len(data) {
			return RcodeFormErr
		}
		if kind == TypeOPT {
			if q.EDNS || n != 1 || !validOptions(data[:length]) {
				return RcodeFormErr
			}
			q.EDNS, q.Size, q.BadVers, q.DO = true, min(max(int(size), MinUDP), MaxUDP), ttl>>16&0xff != 0, ttl&FlagDO != 0
		}
		b = data[length:]
	}
	if len(b) > 0 {
		return RcodeFormErr
	}
	if q.BadVers {
		return RcodeBadVers
	}
	return Accept
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
