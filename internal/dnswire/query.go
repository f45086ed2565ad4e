// SPDX-License-Identifier: ISC

// Package dnswire knows DNS messages: names, types, questions with their EDNS
// and cookies, and what is written in answer. It is pure: bytes in, bytes out.
package dnswire

import "encoding/binary"

// Sizes of messages.
const (
	HeaderLen = 12
	MaxUDP    = 1232 // bytes of an answer over UDP (RFC 9715)
	MinUDP    = 512
	MaxTCP    = 65535
)

// Query is a question that was read, and what became of it. What it points to
// lies in the packet, or in who answered, and holds until the next question.
type Query struct {
	ID      uint16
	Flags   uint16
	Opcode  int
	Name    []byte // wire form, in the case of the client; nil where it could not be read
	Type    uint16
	Class   uint16
	EDNS    bool
	Size    int // what the client can take over UDP
	BadVers bool
	DO      bool
	NSID    bool   // the server's identity is asked for (RFC 5001)
	Option  []byte // the data of its COOKIE option; nil: none

	Rcode     int // of the answer
	Cookie    CookieState
	Account   []byte // the name, in lower case, that a rate limiter counts the answer against; the root for refusals
	Truncated bool   // the answer says TC
}

// verdicts on a packet.
const (
	Drop   = -1
	Accept = -2
)

// Parse reads a packet: Drop for what must not be answered, Accept for a
// question, else the code of the refusal (with as much of q as could be read).
// A packet without a question is accepted if it has a cookie (RFC 7873 §5.4);
// Name is nil then.
func Parse(b []byte, q *Query) (verdict int) {
	*q = Query{Size: MinUDP}
	if len(b) < HeaderLen || b[2]&0x80 != 0 {
		return Drop // no question, or an answer: to answer it could loop
	}
	q.ID, q.Flags = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	q.Opcode = int(q.Flags >> 11 & 15)
	questions, answers, authority, additional := binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:]), int(binary.BigEndian.Uint16(b[8:])), int(binary.BigEndian.Uint16(b[10:]))
	if q.Opcode != 0 {
		if rest := q.question(b[HeaderLen:]); questions == 1 && rest != nil {
			q.records(rest, int(answers)+authority, additional) // as much as there is of it, for the answer's OPT
		} else {
			q.Name, q.Type, q.Class = nil, 0, 0
		}
		return RcodeNotImp
	}
	if answers != 0 || q.Flags&FlagTC != 0 || questions > 1 {
		return RcodeFormErr
	}
	rest := b[HeaderLen:]
	if questions == 1 {
		if rest = q.question(rest); rest == nil {
			return RcodeFormErr
		}
	}
	if authority != 0 && q.Type != TypeIXFR { // which says there what it has (RFC 1995 §3)
		return RcodeFormErr
	}
	verdict = q.records(rest, authority, additional)
	if questions == 0 && verdict == Accept && q.Option == nil {
		return RcodeFormErr
	}
	return verdict
}

// question reads the question at the start of b, and is what follows; nil where
// there is none. Names are not compressed there: there is nothing before them.
func (q *Query) question(b []byte) []byte {
	n := NameLen(b)
	if n == 0 || n+4 > len(b) {
		return nil
	}
	q.Name, q.Type, q.Class = b[:n:n], binary.BigEndian.Uint16(b[n:]), binary.BigEndian.Uint16(b[n+2:])
	return b[n+4:]
}

// records reads what follows the question; EDNS is in the additional section
// (RFC 6891 §6.1).
func (q *Query) records(b []byte, before, additional int) int {
	for i := range before + additional {
		n := skipName(b)
		if n == 0 || len(b) < n+10 {
			return RcodeFormErr
		}
		length := int(binary.BigEndian.Uint16(b[n+8:]))
		data := b[n+10:]
		if length > len(data) {
			return RcodeFormErr
		}
		if i >= before && binary.BigEndian.Uint16(b[n:]) == TypeOPT {
			if q.EDNS || n != 1 || !q.options(data[:length]) {
				return RcodeFormErr
			}
			ttl := binary.BigEndian.Uint32(b[n+4:])
			q.EDNS, q.BadVers, q.DO = true, ttl>>16&0xff != 0, ttl&FlagDO != 0
			q.Size = min(max(int(binary.BigEndian.Uint16(b[n+2:])), MinUDP), MaxUDP)
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

// options reads those of an OPT record; unknown ones do not count (RFC 6891
// §6.1.2). Of cookies the first does (RFC 7873 §5.2).
func (q *Query) options(b []byte) bool {
	for len(b) > 0 {
		if len(b) < 4 {
			return false
		}
		end := 4 + int(binary.BigEndian.Uint16(b[2:]))
		if end > len(b) {
			return false
		}
		switch binary.BigEndian.Uint16(b) {
		case optionNSID:
			q.NSID = true
		case optionCookie:
			if q.Option == nil {
				q.Option = b[4:end:end]
			}
		}
		b = b[end:]
	}
	return true
}

// skipName is the bytes that a name takes at the start of b, which may end in
// a pointer; 0 where there is none.
func skipName(b []byte) int {
	for n := 0; n < len(b) && n < MaxName; {
		l := int(b[n])
		switch {
		case l == 0:
			return n + 1
		case l >= 0xc0 && n+1 < len(b):
			return n + 2
		case l > MaxLabel:
			return 0
		}
		n += 1 + l
	}
	return 0
}
