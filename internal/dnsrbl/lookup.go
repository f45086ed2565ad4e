// SPDX-License-Identifier: ISC

// Package dnsrbl is the lists of addresses that rbldns serves: how their data are
// written, kept in data.cdb and looked up, and what is answered (RFC 5782). It is
// pure: it takes readers and a Source.
package dnsrbl

import (
	"encoding/binary"
	"net/netip"
)

// Source is data.cdb. What it gives must not change while an answer is composed.
type Source interface {
	// Value is the first value of key.
	Value(key []byte) (val []byte, ok bool, err error)
}

// data.cdb has the key of 4 bytes of address and 1 of length for each prefix of
// IPv4, the empty key for what is answered, and, where there are prefixes of
// IPv6, keys of 16 bytes and 1, and lengthsKey for the lengths that they have.
const (
	lengthsKey  = "ipv6"
	maxLengths  = 129
	shortest    = 8 // of IPv4 that is looked for
	defaultData = "\x7f\x00\x00\x02Listed $"
)

// listed4 says whether a prefix of an address is there, of 32 to 8 bits.
func listed4(src Source, ip [4]byte) (bool, error) {
	n := binary.BigEndian.Uint32(ip[:])
	var key [5]byte
	for bits := 32; bits >= shortest; bits-- {
		binary.BigEndian.PutUint32(key[:], n&^(1<<(32-bits)-1))
		key[4] = byte(bits)
		if _, ok, err := src.Value(key[:]); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// lengths6 is the lengths that prefixes of IPv6 have, longest first; empty where
// there are none.
func lengths6(src Source) ([]byte, error) {
	val, _, err := src.Value([]byte(lengthsKey))
	return val[:min(len(val), maxLengths)], err
}

// listed6 says whether a prefix of an address is there, of one of these lengths.
func listed6(src Source, ip [16]byte, lengths []byte) (bool, error) {
	for _, bits := range lengths {
		p, err := netip.AddrFrom16(ip).Prefix(int(bits))
		if err != nil {
			continue // more than 128: not tinydns-data's
		}
		if _, ok, err := src.Value(key6(p)); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// key6 is the key of a prefix of IPv6.
func key6(p netip.Prefix) []byte {
	b := p.Addr().As16()
	return append(b[:], byte(p.Bits()))
}

// said is the address and the text that are answered for ip: at most limit bytes
// are read of what the data have; a $ at the end is the address that was asked
// for.
func said(src Source, ip netip.Addr, limit int) (addr, text []byte, err error) {
	val, ok, err := src.Value(nil)
	if err != nil {
		return nil, nil, err
	}
	if !ok || len(val) < 4 {
		val = []byte(defaultData)
	}
	val = val[:min(len(val), limit)]
	text = append(make([]byte, 0, 255), val[4:]...)
	if n := len(text); n > 0 && text[n-1] == '$' {
		text = ip.AppendTo(text[:n-1])
	}
	return val[:4], text, nil
}
