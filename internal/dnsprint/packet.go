// SPDX-License-Identifier: ISC

// Package dnsprint reads DNS answers and prints them as djb's client programs
// do: a line for the packet, one for each question and record. It promises that
// no packet makes it panic, loop or print a byte that a terminal would obey.
package dnsprint

import (
	"encoding/binary"
	"errors"

	"quill/internal/dnswire"
)

// ErrProto says that a packet cannot be read: it ends too early, a name in it
// has no end, a record has not the length it claims.
var ErrProto = errors.New("protocol error")

// maxSteps is how many bytes and pointers of a name are looked at: a name has
// 255 bytes, pointers may lead in a ring.
const maxSteps = 1000

// Name appends to dst the wire form of the name at packet[pos:], and gives the
// place after it. Compressed names are put together (RFC 1035 §4.1.4).
func Name(dst, packet []byte, pos int) (name []byte, next int, err error) {
	start := len(dst)
	for range maxSteps {
		if pos < 0 || pos >= len(packet) {
			return dst, 0, ErrProto
		}
		l := int(packet[pos])
		pos++
		switch {
		case l >= 0xc0:
			if pos >= len(packet) {
				return dst, 0, ErrProto
			}
			if next == 0 {
				next = pos + 1
			}
			pos = l&0x3f<<8 | int(packet[pos])
			continue
		case l > dnswire.MaxLabel || pos+l > len(packet) || len(dst)-start+1+l > dnswire.MaxName:
			return dst, 0, ErrProto
		}
		dst = append(append(dst, byte(l)), packet[pos:pos+l]...)
		if pos += l; l > 0 {
			continue
		}
		if next == 0 {
			next = pos
		}
		return dst, next, nil
	}
	return dst, 0, ErrProto
}

// Header is the first 12 bytes of a packet.
type Header struct {
	ID, Flags uint16
	Counts    [4]int // questions, answers, authority, additional
}

// Rcode is the response code, without the bits of EDNS.
func (h Header) Rcode() int { return int(h.Flags & 15) }

// Section is the part of a packet that a record lies in.
type Section int

// The sections in their order.
const (
	Answer Section = iota + 1
	Authority
	Additional
)

// Record is a record of a packet. Data is where in the packet its data lies;
// the names in it may be compressed.
type Record struct {
	Section     Section
	Name        []byte
	Type, Class uint16
	TTL         uint32
	At, Len     int
}

// Reader goes through a packet, question by question, then record by record.
type Reader struct {
	Header
	packet []byte
	pos    int
	left   [4]int
}

// Read starts with a packet.
func Read(packet []byte) (*Reader, error) {
	if len(packet) < dnswire.HeaderLen {
		return nil, ErrProto
	}
	r := &Reader{packet: packet, pos: dnswire.HeaderLen}
	r.ID, r.Flags = binary.BigEndian.Uint16(packet), binary.BigEndian.Uint16(packet[2:])
	for i := range r.Counts {
		r.Counts[i] = int(binary.BigEndian.Uint16(packet[4+2*i:]))
	}
	r.left = r.Counts
	return r, nil
}

// Question is the next question; ok is false after the last.
func (r *Reader) Question() (name []byte, kind, class uint16, ok bool, err error) {
	if r.left[0] == 0 {
		return nil, 0, 0, false, nil
	}
	r.left[0]--
	name, pos, err := Name(nil, r.packet, r.pos)
	if err != nil || pos+4 > len(r.packet) {
		return nil, 0, 0, false, ErrProto
	}
	r.pos = pos + 4
	return name, binary.BigEndian.Uint16(r.packet[pos:]), binary.BigEndian.Uint16(r.packet[pos+2:]), true, nil
}

// Next is the next record, once the questions are read; ok is false after the
// last.
func (r *Reader) Next() (rec Record, ok bool, err error) {
	for rec.Section = Answer; rec.Section <= Additional && r.left[rec.Section] == 0; {
		rec.Section++
	}
	if rec.Section > Additional {
		return rec, false, nil
	}
	r.left[rec.Section]--
	name, pos, err := Name(nil, r.packet, r.pos)
	if err != nil || pos+10 > len(r.packet) {
		return rec, false, ErrProto
	}
	h := r.packet[pos:]
	rec.Name, rec.Type, rec.Class, rec.TTL = name, binary.BigEndian.Uint16(h), binary.BigEndian.Uint16(h[2:]), binary.BigEndian.Uint32(h[4:])
	rec.At, rec.Len = pos+10, int(binary.BigEndian.Uint16(h[8:]))
	if r.pos = rec.At + rec.Len; r.pos > len(r.packet) {
		return rec, false, ErrProto
	}
	return rec, true, nil
}

// End says whether the packet ends where its last record does.
func (r *Reader) End() bool { return r.pos == len(r.packet) }

// Data is a record's data as it lies in the packet.
func (r *Reader) Data(rec Record) []byte { return r.packet[rec.At : rec.At+rec.Len] }

// NameAt reads the name that lies at bytes into a record's data, and says how
// far into the data it goes.
func (r *Reader) NameAt(rec Record, at int) (name []byte, next int, err error) {
	if at > rec.Len {
		return nil, 0, ErrProto
	}
	name, pos, err := Name(nil, r.packet, rec.At+at)
	return name, pos - rec.At, err
}
