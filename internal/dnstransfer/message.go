// SPDX-License-Identifier: ISC

// Package dnstransfer knows how zones move between servers: it composes the
// messages of AXFR and IXFR (RFC 5936, RFC 1995) from the records of data.cdb,
// reads those of others into lines of a data file, signs and verifies them by
// TSIG (RFC 8945), and composes NOTIFY (RFC 1996). It also has axfrdns's form
// of AXFR, to the byte. It is pure: it opens nothing and waits for nothing. No
// bytes of others make it panic, and none make it take more than their own
// length in memory a few times over.
package dnstransfer

import (
	"encoding/binary"

	"quill/internal/dnswire"
)

// Types and codes that transfers alone need.
const (
	typeSIG  = 24
	typeTSIG = 250
	classANY = 255

	opNotify = 4

	rcodeNotAuth = 9 // RFC 8945 §5.3, RFC 5936 §2.2.1
)

// maxHops bounds the pointers of a name.
const maxHops = 128

func u16(b []byte, at int) int { return int(binary.BigEndian.Uint16(b[at:])) }

// name reads the name at a place of a message, its pointers followed; next is
// what comes behind it.
func name(msg []byte, at int) (wire []byte, next int, ok bool) {
	next = -1
	for hops := 0; at < len(msg); {
		l := int(msg[at])
		switch {
		case l == 0:
			if next < 0 {
				next = at + 1
			}
			return append(wire, 0), next, true
		case l <= dnswire.MaxLabel:
			if at+1+l > len(msg) || len(wire)+l+2 > dnswire.MaxName {
				return nil, 0, false
			}
			wire = append(wire, msg[at:at+1+l]...)
			at += 1 + l
		case l >= 0xc0 && at+1 < len(msg) && hops < maxHops:
			if next < 0 {
				next = at + 2
			}
			at = u16(msg, at) & 0x3fff
			hops++
		default:
			return nil, 0, false
		}
	}
	return nil, 0, false
}

// skip is where the name at a place of a message ends; 0 where it does not.
func skip(msg []byte, at int) int {
	for at < len(msg) {
		switch l := int(msg[at]); {
		case l == 0:
			return at + 1
		case l <= dnswire.MaxLabel:
			at += 1 + l
		case l >= 0xc0 && at+1 < len(msg):
			return at + 2
		default:
			return 0
		}
	}
	return 0
}

// header is the fixed part of a record in a message.
type header struct {
	owner int // where its name begins
	kind  uint16
	class uint16
	ttl   uint32
	at    int // where its data begin
	end   int // and end
}

// record reads the record at a place of a message.
func record(msg []byte, at int) (h header, ok bool) {
	h.owner = at
	if at = skip(msg, at); at == 0 || at+10 > len(msg) {
		return h, false
	}
	h.kind, h.class, h.ttl = uint16(u16(msg, at)), uint16(u16(msg, at+2)), binary.BigEndian.Uint32(msg[at+4:])
	h.at = at + 10
	h.end = h.at + u16(msg, at+8)
	return h, h.end <= len(msg)
}

// question is where the name of a message's one question ends; 0 where that
// cannot be read.
func question(msg []byte) int {
	if len(msg) < dnswire.HeaderLen || u16(msg, 4) != 1 {
		return 0
	}
	at := dnswire.HeaderLen + dnswire.NameLen(msg[dnswire.HeaderLen:])
	if at == dnswire.HeaderLen || at+4 > len(msg) {
		return 0
	}
	return at
}
