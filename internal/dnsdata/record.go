// SPDX-License-Identifier: ISC

package dnsdata

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"quill/internal/dnswire"
)

// Record is one of data.cdb.
type Record struct {
	Owner []byte // wire form; a wildcard has its * label
	Type  uint16
	TTL   uint32
	Stamp uint64  // TAI64 label: begin or, with TTL 0, end; 0 is none
	Loc   [2]byte // location of the clients that see it; zero is everybody
	Data  []byte  // wire form, names not compressed
}

// Markers of records.
const (
	markPlain       = '='
	markWildcard    = '*'
	markPlainLoc    = '>'
	markWildcardLoc = '+'
)

// ParseRecord reads a key and a value of data.cdb. It is false for locations and
// for what is no record. Data is part of val; of key only a wildcard's owner is
// a copy.
func ParseRecord(key, val []byte) (r Record, ok bool) {
	if dnswire.NameLen(key) != len(key) || len(key) == 0 || len(val) < ValueHeader {
		return r, false
	}
	r = Record{Owner: key, Type: binary.BigEndian.Uint16(val)}
	mark, rest := val[2], val[3:]
	switch mark {
	case markPlainLoc, markWildcardLoc:
		if len(val) < ValueHeader+2 {
			return r, false
		}
		r.Loc = [2]byte(rest)
		rest = rest[2:]
	case markPlain, markWildcard:
	default:
		return r, false
	}
	if (mark == markPlain || mark == markPlainLoc) && len(key) > 2 && key[0] == 1 && key[1] == '*' {
		return r, false // no line makes it, and it would pass for a wildcard
	}
	if mark == markWildcard || mark == markWildcardLoc {
		if len(key)+2 > dnswire.MaxName {
			return r, false
		}
		r.Owner = append([]byte("\x01*"), key...)
	}
	r.TTL, r.Stamp, r.Data = binary.BigEndian.Uint32(rest), binary.BigEndian.Uint64(rest[4:]), rest[12:]
	return r, len(r.Data) <= maxData
}

// FormatLine is the data line that makes this one record: djb's own where there
// is one, a 3 or ! line, else a : line. It is empty for what no line can make:
// an owner that is no name, a type that records cannot have, an NS, CNAME, PTR,
// MX or SOA with broken data.
func FormatLine(owner []byte, typ uint16, ttl uint32, rdata []byte) string {
	return Record{Owner: owner, Type: typ, TTL: ttl, Data: rdata}.Line()
}

// Line is FormatLine with timestamp and location. A location that lines cannot
// hold (with a colon or a newline in it) makes it empty.
func (r Record) Line() string {
	tail := fmt.Sprintf("%d:", r.TTL)
	if r.Stamp != 0 {
		tail += fmt.Sprintf("%016x", r.Stamp)
	}
	lo := strings.TrimRight(string(r.Loc[:]), "\x00")
	if dnswire.NameLen(r.Owner) != len(r.Owner) || len(r.Owner) == 0 || len(r.Data) > maxData || strings.ContainsAny(lo, ":\n") {
		return ""
	}
	owner := dotName(r.Owner)
	if line := r.djbLine(owner, tail+":"+lo); line != "" {
		return guard(line)
	}
	if text, ok := FormatData(r.Type, r.Data); ok && isData(r.Type) {
		if r.TTL <= maxTTL {
			return "!" + owner + ":" + TypeName(r.Type) + ":" + tail + ":" + lo + ":" + text
		}
	}
	if _, no := prohibited[r.Type]; no {
		return ""
	}
	return guard(":" + owner + fmt.Sprintf(":%d:", r.Type) + octal(r.Data) + ":" + tail + ":" + lo)
}

// guard keeps a line's last field whole: spaces at the end do not count. Empty
// fields there go.
func guard(line string) string {
	line = strings.TrimRight(line, ":")
	if n := len(line); n > 0 && (line[n-1] == ' ' || line[n-1] == '\t') {
		line += ":"
	}
	return line
}

// djbLine is a line with fields of its own for the data; empty where there is
// none that makes exactly this data.
func (r Record) djbLine(owner, tail string) string {
	d, ok := typeOf(r.Type)
	if _, right := FormatData(r.Type, r.Data); !ok || !right && r.Type != dnswire.TypeTXT {
		return ""
	}
	switch d.number {
	case dnswire.TypeA:
		return fmt.Sprintf("+%s:%d.%d.%d.%d:%s", owner, r.Data[0], r.Data[1], r.Data[2], r.Data[3], tail)
	case dnswire.TypeAAAA:
		return fmt.Sprintf("3%s:%x:%s", owner, r.Data, tail)
	case dnswire.TypeNS:
		return fmt.Sprintf("&%s::%s:%s", owner, serverName(r.Data), tail)
	case dnswire.TypeCNAME:
		return fmt.Sprintf("C%s:%s:%s", owner, dotName(r.Data), tail)
	case dnswire.TypePTR:
		return fmt.Sprintf("^%s:%s:%s", owner, dotName(r.Data), tail)
	case dnswire.TypeMX:
		return fmt.Sprintf("@%s::%s:%d:%s", owner, serverName(r.Data[2:]), binary.BigEndian.Uint16(r.Data), tail)
	case dnswire.TypeSRV:
		n := func(at int) uint16 { return binary.BigEndian.Uint16(r.Data[at:]) }
		return fmt.Sprintf("S%s::%s:%d:%d:%d:%s", owner, serverName(r.Data[6:]), n(4), n(0), n(2), tail)
	case dnswire.TypeSOA:
		mname := nameAt(r.Data)
		rname := nameAt(r.Data[len(mname):])
		n := r.Data[len(mname)+len(rname):]
		u := func(i int) uint32 { return binary.BigEndian.Uint32(n[4*i:]) }
		return fmt.Sprintf("Z%s:%s:%s:%d:%d:%d:%d:%d:%s", owner, dotName(mname), dotName(rname), u(0), u(1), u(2), u(3), u(4), tail)
	case dnswire.TypeTXT:
		if text, ok := oneText(r.Data); ok {
			return "'" + owner + ":" + octal(text) + ":" + tail
		}
	}
	return ""
}

// oneText is the text of a ' line that is cut into exactly these strings.
func oneText(data []byte) (text []byte, ok bool) {
	for len(data) > 0 {
		n := int(data[0])
		if n == 0 || n > txtPart || 1+n > len(data) || n < txtPart && 1+n < len(data) {
			return nil, false
		}
		text, data = append(text, data[1:1+n]...), data[1+n:]
	}
	return text, true
}

// dotName is a name for a field of djb's lines, in its case; bytes other than
// letters, digits, -, _ and a * label as \ooo.
func dotName(name []byte) string {
	if name[0] == 0 {
		return "."
	}
	var out []byte
	for first := true; name[0] != 0; first = false {
		label := name[1 : 1+int(name[0])]
		if !first {
			out = append(out, '.')
		}
		for _, ch := range label {
			if ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9' || ch == '-' || ch == '_' || ch == '*' {
				out = append(out, ch)
			} else {
				out = append(out, '\\', '0'+ch>>6, '0'+ch>>3&7, '0'+ch&7)
			}
		}
		name = name[1+len(label):]
	}
	return string(out)
}

// serverName is a name for a field that takes one without a dot for a part.
func serverName(name []byte) string {
	s := dotName(name)
	if !strings.Contains(s, ".") {
		s += "."
	}
	return s
}

// octal is text for a ' or : line.
func octal(t []byte) string {
	var out bytes.Buffer
	for _, ch := range t {
		if ch < ' ' || ch > '~' || ch == ':' || ch == '\\' {
			out.Write([]byte{'\\', '0' + ch>>6, '0' + ch>>3&7, '0' + ch&7})
		} else {
			out.WriteByte(ch)
		}
	}
	return out.String()
}
