// SPDX-License-Identifier: ISC

package dnsdata

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"quill/internal/dnswire"
)

const maxString = 255 // bytes of a string (RFC 1035 §3.3)

var errMissing = errors.New("data is missing at the end")

// ParseData reads a record's data in the words of master files into wire form:
// RFC 3597's "\# length hex" for any type, and a type's own words where we know
// them (TypeNumber). Names are always from the root.
func ParseData(typ uint16, text []byte) ([]byte, error) {
	d, known := typeOf(typ)
	words, err := lex(text, strings.HasSuffix(d.fields, "k"))
	if err != nil {
		return nil, err
	}
	if len(words) > 0 && string(words[0]) == `\#` {
		return parseUnknown(d, words[1:])
	}
	if !known || d.fields == "" {
		return nil, fmt.Errorf(`no words are known for its data: write \# length hexdigits (RFC 3597)`)
	}
	var out []byte
	for _, field := range []byte(d.fields) {
		if out, words, err = parseField(out, field, words); err != nil {
			return nil, err
		}
	}
	if len(words) > 0 {
		return nil, fmt.Errorf("too much at the end: %.80q", words[0])
	}
	if len(out) > maxData {
		return nil, fmt.Errorf("%d bytes; at most %d", len(out), maxData)
	}
	return out, nil
}

// parseUnknown reads length and hexadecimal digits. Data of a type that we know
// must be right in it.
func parseUnknown(d dataType, words [][]byte) ([]byte, error) {
	if len(words) == 0 || digits(words[0]) != len(words[0]) {
		return nil, errors.New(`no length after \#`)
	}
	data, err := hexWords(words[1:])
	if err != nil {
		return nil, err
	}
	if uint64(len(data)) != number(words[0], 0) || len(words[0]) > 5 {
		return nil, fmt.Errorf("%d bytes where the length says %.10s", len(data), words[0])
	}
	if d.fields != "" {
		if _, ok := FormatData(d.number, data); !ok {
			return nil, errors.New("not the data of such a record")
		}
	}
	return data, nil
}

func hexWords(words [][]byte) ([]byte, error) {
	var all []byte
	for _, w := range words {
		all = append(all, w...)
	}
	out := make([]byte, len(all)/2)
	if _, err := hex.Decode(out, all); err != nil {
		return nil, fmt.Errorf("%.80q: not an even number of hexadecimal digits", all)
	}
	return out, nil
}

// parseField reads one field, and is what words are left.
func parseField(out []byte, field byte, words [][]byte) ([]byte, [][]byte, error) {
	if len(words) == 0 && field != 'k' {
		return nil, nil, errMissing
	}
	switch field {
	case '1', '2', '4':
		out, err := parseNumber(out, field, words[0])
		return out, words[1:], err
	case 'a', 'A':
		out, err := parseAddress(out, field, string(words[0]))
		return out, words[1:], err
	case 'n':
		name, err := wordName(words[0])
		return append(out, name...), words[1:], err
	case 's', 'g', 't':
		out, err := parseText(out, field, words[0])
		return out, words[1:], err
	case 'S':
		for _, w := range words {
			t, err := unescapeWord(w)
			if err != nil {
				return nil, nil, err
			}
			for ; len(t) > maxString; t = t[maxString:] {
				out = append(append(out, maxString), t[:maxString]...)
			}
			out = append(append(out, byte(len(t))), t...)
		}
		return out, nil, nil
	case 'k':
		out, err := parseParams(out, words)
		return out, nil, err
	}
	data, err := parseBinary(field, words)
	if err == nil && len(data) == 0 {
		err = errMissing
	}
	return append(out, data...), nil, err
}

func parseBinary(field byte, words [][]byte) ([]byte, error) {
	if field == 'h' {
		return hexWords(words)
	}
	var all []byte
	for _, w := range words {
		all = append(all, w...)
	}
	data, err := base64.StdEncoding.Strict().DecodeString(string(all))
	if err != nil {
		return nil, fmt.Errorf("%.80q: not base64", all)
	}
	return data, nil
}

func parseNumber(out []byte, field byte, w []byte) ([]byte, error) {
	bits := int(field-'0') * 8
	n, err := strconv.ParseUint(string(w), 10, bits)
	if err != nil || digits(w) != len(w) {
		return nil, fmt.Errorf("%.80q: not a number from 0 to %d", w, uint64(1)<<bits-1)
	}
	return append(out, binary.BigEndian.AppendUint32(nil, uint32(n))[4-bits/8:]...), nil
}

func parseAddress(out []byte, field byte, w string) ([]byte, error) {
	a, err := netip.ParseAddr(w)
	switch {
	case err == nil && field == 'a' && a.Is4():
		return append(out, a.AsSlice()...), nil
	case err == nil && field == 'A' && a.Is6() && a.Zone() == "":
		return append(out, a.AsSlice()...), nil
	case field == 'a':
		return nil, fmt.Errorf("%.80q: not an IPv4 address", w)
	}
	return nil, fmt.Errorf("%.80q: not an IPv6 address", w)
}

func parseText(out []byte, field byte, w []byte) ([]byte, error) {
	t, err := unescapeWord(w)
	switch {
	case err != nil:
		return nil, err
	case field == 't':
		return append(out, t...), nil
	case len(t) > maxString:
		return nil, fmt.Errorf("a string of %d bytes; at most %d", len(t), maxString)
	case field == 'g' && !isTag(t):
		return nil, fmt.Errorf("%.80q: not a property of letters and digits", t)
	}
	return append(append(out, byte(len(t))), t...), nil
}

// isTag says whether b can be the property of a CAA record (RFC 8659 §4.1).
func isTag(b []byte) bool {
	for _, ch := range b {
		if !(ch >= '0' && ch <= '9' || ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z') {
			return false
		}
	}
	return len(b) > 0
}

// nameAt is the name at the start of b; nil where there is none.
func nameAt(b []byte) []byte { return b[:dnswire.NameLen(b)] }
