// SPDX-License-Identifier: ISC

package dnstransfer

import "quill/internal/dnswire"

// Types whose data have a form that others check.
const (
	typeMD    = 3
	typeMF    = 4
	typeMB    = 7
	typeMG    = 8
	typeMR    = 9
	typeMINFO = 14
	typeRP    = 17
	typeAFSDB = 18
	typeRT    = 21
	typePX    = 26
	typeNXT   = 30
	typeNAPTR = 35
	typeKX    = 36
)

// layout is the form of data with names: bytes, strings, names, and bytes
// again.
type layout struct {
	before  int
	strings int
	names   int
	after   int // -1: any
}

// layouts of the types whose names may come compressed (RFC 3597 §4) or that we
// compress (RFC 1035 §3.3).
var layouts = map[uint16]layout{
	dnswire.TypeNS: {0, 0, 1, 0}, typeMD: {0, 0, 1, 0}, typeMF: {0, 0, 1, 0}, dnswire.TypeCNAME: {0, 0, 1, 0}, dnswire.TypeSOA: {0, 0, 2, 20},
	typeMB: {0, 0, 1, 0}, typeMG: {0, 0, 1, 0}, typeMR: {0, 0, 1, 0}, dnswire.TypePTR: {0, 0, 1, 0}, typeMINFO: {0, 0, 2, 0}, dnswire.TypeMX: {2, 0, 1, 0},
	typeRP: {0, 0, 2, 0}, typeAFSDB: {2, 0, 1, 0}, typeRT: {2, 0, 1, 0}, typeSIG: {18, 0, 1, -1}, typePX: {2, 0, 2, 0}, typeNXT: {0, 0, 1, -1},
	dnswire.TypeSRV: {6, 0, 1, 0}, typeNAPTR: {4, 3, 1, 0}, typeKX: {2, 0, 1, 0}, dnswire.TypeDNAME: {0, 0, 1, 0},
}

// meta says whether a type is none of records in zones.
func meta(kind uint16) bool {
	return kind == 0 || kind == dnswire.TypeOPT || kind >= 128 && kind <= 255
}

// sound says whether data are of the form that their type wants. One record
// that is not makes other servers refuse the whole zone.
func sound(kind uint16, data []byte) bool {
	switch kind {
	case dnswire.TypeA:
		return len(data) == 4
	case dnswire.TypeAAAA:
		return len(data) == 16
	case dnswire.TypeTXT:
		return wholeStrings(data)
	}
	l, known := layouts[kind]
	if !known {
		return !meta(kind)
	}
	if len(data) < l.before {
		return false
	}
	data = data[l.before:]
	for range l.strings {
		if len(data) < 1 || len(data) < 1+int(data[0]) {
			return false
		}
		data = data[1+int(data[0]):]
	}
	for range l.names {
		n := dnswire.NameLen(data)
		if n == 0 {
			return false
		}
		data = data[n:]
	}
	return l.after < 0 || len(data) == l.after
}

// wholeStrings says whether data are one string or more.
func wholeStrings(data []byte) bool {
	if len(data) == 0 {
		return false
	}
	for len(data) > 0 {
		if len(data) < 1+int(data[0]) {
			return false
		}
		data = data[1+int(data[0]):]
	}
	return true
}

// expand gives a record's data with all names whole.
func expand(msg []byte, h header) (data []byte, ok bool) {
	l, known := layouts[h.kind]
	if !known {
		return msg[h.at:h.end], true
	}
	at := h.at + l.before
	for range l.strings {
		if at >= h.end {
			return nil, false
		}
		at += 1 + int(msg[at])
	}
	if at > h.end {
		return nil, false
	}
	data = append(data, msg[h.at:at]...)
	for range l.names {
		wire, next, ok := name(msg[:h.end], at)
		if !ok {
			return nil, false
		}
		data = append(data, wire...)
		at = next
	}
	return append(data, msg[at:h.end]...), true
}
