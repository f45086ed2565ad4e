// SPDX-License-Identifier: ISC

package dnstransfer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"quill/internal/dnsdata"
	"quill/internal/dnswire"
)

// ErrFormat says that the source is not of tinydns-data's making.
var ErrFormat = errors.New("format error")

// djbValue is the bytes of a value that axfrdns reads, djbKey those of a key.
const (
	djbValue = 32767
	djbKey   = 512
)

// SendDJB writes what axfrdns of djbdns 1.05 writes in answer to q: a message
// for each record, without question and compression; every record below the
// zone's name, but for SOAs, between two copies of its first SOA.
func (q *Request) SendDJB(src Source, c Client, write func(msg []byte) error) error {
	v, err := see(src, c)
	if err != nil {
		return err
	}
	zone := q.Zone()
	var soa []byte
	err = src.Each(zone, func(val []byte) bool {
		if soa, err = v.djb(q.ID, zone, val, true); err != nil {
			return false
		}
		return soa == nil
	})
	switch {
	case err != nil:
		return err
	case soa == nil:
		return ErrNoZone
	}
	if err = write(soa); err != nil {
		return err
	}
	aerr := src.All(func(key, val []byte) bool {
		var msg []byte
		switch {
		case len(key) > djbKey || len(val) > djbValue || len(key) == 0:
			err = ErrFormat
		case len(key) > 1 && key[0] == 0: // a location
		case dnswire.NameLen(key) != len(key):
			err = ErrFormat
		case below(key, zone):
			if msg, err = v.djb(q.ID, key, val, false); msg != nil && err == nil {
				err = write(msg)
			}
		}
		return err == nil
	})
	if err = errors.Join(err, aerr); err != nil {
		return err
	}
	return write(soa)
}

// djb is the message of one record; nil where it is not sent: SOA or not is what
// is asked for.
func (v *view) djb(id uint16, key, val []byte, soa bool) ([]byte, error) {
	if len(val) < 3 {
		return nil, ErrFormat
	}
	kind := binary.BigEndian.Uint16(val)
	if soa != (kind == dnswire.TypeSOA) {
		return nil, nil
	}
	mark, rest := val[2], val[3:]
	if mark == '>' || mark == '+' {
		if len(rest) < 2 {
			return nil, ErrFormat
		}
		if [2]byte(rest) != v.loc {
			return nil, nil
		}
		mark, rest = mark-1, rest[2:]
	}
	if mark == '*' && soa {
		return nil, nil
	}
	if len(rest) < dnsdata.ValueHeader-3 {
		return nil, ErrFormat
	}
	ttl, stamp := binary.BigEndian.Uint32(rest), binary.BigEndian.Uint64(rest[4:])
	if stamp != 0 {
		if ended := stamp < v.now; ended != (ttl != 0) {
			return nil, nil
		}
		if ttl == 0 {
			ttl = 2
		}
	}
	data, ok := djbData(kind, rest[12:])
	if !ok {
		return nil, ErrFormat
	}
	msg := append(binary.BigEndian.AppendUint16(nil, id), 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0)
	if mark == '*' {
		msg = append(msg, 1, '*')
	}
	msg = append(msg, key...)
	msg = binary.BigEndian.AppendUint16(msg, kind)
	msg = binary.BigEndian.AppendUint16(msg, dnswire.ClassIN)
	msg = binary.BigEndian.AppendUint32(msg, ttl)
	msg = binary.BigEndian.AppendUint16(msg, uint16(len(data)))
	if len(msg)+len(data) > dnswire.MaxTCP {
		return nil, ErrFormat
	}
	return append(msg, data...), nil
}

// djbData is as much of a record's data as axfrdns reads.
func djbData(kind uint16, data []byte) ([]byte, bool) {
	var l layout
	switch kind {
	case dnswire.TypeSOA, dnswire.TypeNS, dnswire.TypePTR, dnswire.TypeCNAME, dnswire.TypeMX:
		l = layouts[kind]
	default:
		return data, true
	}
	at := l.before
	for range l.names {
		if at > len(data) {
			return nil, false
		}
		n := dnswire.NameLen(data[at:])
		if n == 0 {
			return nil, false
		}
		at += n
	}
	at += l.after
	if at > len(data) {
		return nil, false
	}
	return bytes.Clone(data[:at]), true
}

// What axfrdns dies of, in its words.
var (
	ErrTruncated = errors.New("truncated request")
	ErrBogus     = errors.New("bogus query")
	ErrClass     = errors.New("bogus query: bad class")
)

// ReadDJB reads a packet as axfrdns does: names may be compressed, what is behind
// the question does not count, and what is not to its liking is an error.
func ReadDJB(packet []byte) (*Request, error) {
	if len(packet) < dnswire.HeaderLen {
		return nil, ErrTruncated
	}
	if packet[2]&0xfe != 0 || u16(packet, 4) != 1 {
		return nil, ErrBogus
	}
	owner, at, ok := name(packet, dnswire.HeaderLen)
	if !ok || at+4 > len(packet) {
		return nil, ErrTruncated
	}
	q := &Request{ID: uint16(u16(packet, 0)), Flags: uint16(u16(packet, 2)), Name: owner, Type: uint16(u16(packet, at)), Class: uint16(u16(packet, at+2))}
	if q.Class != dnswire.ClassIN && q.Class != dnswire.TypeANY {
		return nil, ErrClass
	}
	return q, nil
}

// ZoneList is axfrdns's AXFR: zones between slashes.
type ZoneList [][]byte

// ParseZoneList reads one; names that cannot be read allow nothing.
func ParseZoneList(s string) ZoneList {
	var zones ZoneList
	for part := range strings.SplitSeq(s, "/") {
		if wire, err := wireName(part); err == nil {
			zones = append(zones, wire)
		}
	}
	return zones
}

// Has says whether a zone, in wire form and lower case, is in the list.
func (z ZoneList) Has(zone []byte) bool {
	return slices.ContainsFunc(z, func(one []byte) bool { return bytes.Equal(one, zone) })
}
