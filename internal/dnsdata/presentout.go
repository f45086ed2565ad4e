// SPDX-License-Identifier: ISC

package dnsdata

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
)

// FormatData is a record's data in the words of master files, as ParseData and
// other servers read it. It is false for types whose words we do not know and
// data that is not right for its type; "\# length hex" can say these.
func FormatData(typ uint16, data []byte) (text string, ok bool) {
	d, known := typeOf(typ)
	if !known || d.fields == "" {
		return "", false
	}
	var out []byte
	for i, field := range []byte(d.fields) {
		if i > 0 && field != 'k' {
			out = append(out, ' ')
		}
		if out, data, ok = formatField(out, field, data); !ok {
			return "", false
		}
	}
	return string(out), len(data) == 0
}

// FormatUnknown is data in the words of RFC 3597.
func FormatUnknown(data []byte) string {
	if len(data) == 0 {
		return `\# 0`
	}
	return fmt.Sprintf(`\# %d %x`, len(data), data)
}

// formatField writes one field, and is what data is left.
func formatField(out []byte, field byte, data []byte) ([]byte, []byte, bool) {
	switch field {
	case '1', '2', '4':
		n := int(field - '0')
		if len(data) < n {
			return nil, nil, false
		}
		var four [4]byte
		copy(four[4-n:], data)
		return strconv.AppendUint(out, uint64(binary.BigEndian.Uint32(four[:])), 10), data[n:], true
	case 'a', 'A':
		n := map[byte]int{'a': 4, 'A': 16}[field]
		if len(data) < n {
			return nil, nil, false
		}
		ip, _ := netip.AddrFromSlice(data[:n])
		return ip.AppendTo(out), data[n:], true
	case 'n':
		name := nameAt(data)
		if len(name) == 0 {
			return nil, nil, false
		}
		return append(out, FormatName(name)...), data[len(name):], true
	case 's', 'g':
		if len(data) == 0 || len(data) < 1+int(data[0]) || field == 'g' && !isTag(data[1:1+int(data[0])]) {
			return nil, nil, false
		}
		t := data[1 : 1+int(data[0])]
		if field == 'g' {
			return append(out, t...), data[1+len(t):], true
		}
		return appendQuoted(out, t), data[1+len(t):], true
	case 'S':
		return formatStrings(out, data)
	case 't':
		return appendQuoted(out, data), nil, true
	case 'h':
		return hex.AppendEncode(out, data), nil, len(data) > 0
	case 'b':
		return base64.StdEncoding.AppendEncode(out, data), nil, len(data) > 0
	}
	return formatParams(out, data)
}

// formatStrings writes one string or more.
func formatStrings(out, data []byte) ([]byte, []byte, bool) {
	for i := 0; i == 0 || len(data) > 0; i++ {
		if len(data) == 0 || len(data) < 1+int(data[0]) {
			return nil, nil, false
		}
		if i > 0 {
			out = append(out, ' ')
		}
		n := int(data[0])
		out, data = appendQuoted(out, data[1:1+n]), data[1+n:]
	}
	return out, nil, true
}

// appendQuoted writes text in quotes, bytes that are not printable as \ddd.
func appendQuoted(out, t []byte) []byte {
	out = append(out, '"')
	for _, ch := range t {
		switch {
		case ch == '"' || ch == '\\':
			out = append(out, '\\', ch)
		case ch < ' ' || ch > '~':
			out = appendDecimal(out, ch)
		default:
			out = append(out, ch)
		}
	}
	return append(out, '"')
}

func appendDecimal(out []byte, ch byte) []byte {
	return append(out, '\\', '0'+ch/100, '0'+ch/10%10, '0'+ch%10)
}

// FormatName is a name in the words of master files, with the dot at its end.
func FormatName(name []byte) string {
	if len(name) == 0 || name[0] == 0 {
		return "."
	}
	var out []byte
	for len(name) > 1 && name[0] != 0 && int(name[0]) < len(name) {
		for _, ch := range name[1 : 1+int(name[0])] {
			switch {
			case ch <= ' ' || ch > '~':
				out = appendDecimal(out, ch)
			case isSpecial(ch):
				out = append(out, '\\', ch)
			default:
				out = append(out, ch)
			}
		}
		out = append(out, '.')
		name = name[1+int(name[0]):]
	}
	return string(out)
}

// isSpecial says whether master files give ch a meaning of its own.
func isSpecial(ch byte) bool {
	switch ch {
	case '.', '\\', '"', ';', '(', ')', '@', '$':
		return true
	}
	return false
}
