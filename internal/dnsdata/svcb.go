// SPDX-License-Identifier: ISC

package dnsdata

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Parameters of services (RFC 9460 §14.3.2) that have names.
const (
	keyMandatory = iota
	keyALPN
	keyNoDefaultALPN
	keyPort
	keyIPv4
	keyECH
	keyIPv6
	keyDoHPath
	keyOHTTP
)

var paramNames = []string{"mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp"}

// param is one key and its value in wire form.
type param struct {
	key   uint16
	value []byte
}

// parseParams reads key=value words; they may come in any order.
func parseParams(out []byte, words [][]byte) ([]byte, error) {
	var all []param
	for _, w := range words {
		p, err := parseParam(w)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	slices.SortStableFunc(all, func(a, b param) int { return int(a.key) - int(b.key) })
	for i, p := range all {
		if i > 0 && p.key == all[i-1].key {
			return nil, fmt.Errorf("%s twice", paramName(p.key))
		}
		out = binary.BigEndian.AppendUint16(out, p.key)
		out = binary.BigEndian.AppendUint16(out, uint16(len(p.value)))
		out = append(out, p.value...)
	}
	return out, checkMandatory(all)
}

// checkMandatory wants the keys that are mandatory to be there, and not to name
// mandatory itself (RFC 9460 §8).
func checkMandatory(all []param) error {
	if len(all) == 0 || all[0].key != keyMandatory {
		return nil
	}
	for b := all[0].value; len(b) >= 2; b = b[2:] {
		key := binary.BigEndian.Uint16(b)
		if key == keyMandatory || !slices.ContainsFunc(all, func(p param) bool { return p.key == key }) {
			return fmt.Errorf("mandatory names %s, which is not there", paramName(key))
		}
	}
	return nil
}

func paramName(key uint16) string {
	if int(key) < len(paramNames) {
		return paramNames[key]
	}
	return "key" + strconv.Itoa(int(key))
}

func paramKey(name string) (uint16, bool) {
	if i := slices.Index(paramNames, name); i >= 0 {
		return uint16(i), true
	}
	rest, ok := strings.CutPrefix(name, "key")
	if !ok || rest == "" || digits([]byte(rest)) != len(rest) || rest[0] == '0' && rest != "0" {
		return 0, false
	}
	n, err := strconv.ParseUint(rest, 10, 16)
	return uint16(n), err == nil && n != 65535
}

func parseParam(w []byte) (param, error) {
	name, text, has := bytes.Cut(w, []byte("="))
	key, ok := paramKey(string(name))
	if !ok {
		return param{}, fmt.Errorf("%.80q: not a parameter; write a name like alpn= or port=, or key and its number", name)
	}
	if n := len(text); n >= 2 && text[0] == '"' {
		text = text[1 : n-1]
	}
	t, err := unescapeWord(text)
	if err != nil {
		return param{}, err
	}
	if !has && key != keyNoDefaultALPN && key != keyOHTTP && !bytes.HasPrefix(name, []byte("key")) {
		return param{}, fmt.Errorf("%s lacks = and a value", name)
	}
	if len(t) > maxData {
		return param{}, fmt.Errorf("%s is longer than %d bytes", name, maxData)
	}
	v := t
	if !bytes.HasPrefix(name, []byte("key")) {
		v, err = paramValue(key, t)
	}
	if err == nil && !validParam(key, v) {
		err = fmt.Errorf("%s has no right value", paramName(key))
	}
	return param{key, v}, err
}

// paramValue is the wire form of a value in words.
func paramValue(key uint16, t []byte) (v []byte, err error) {
	switch key {
	case keyMandatory:
		var keys []int
		for name := range strings.SplitSeq(string(t), ",") {
			k, ok := paramKey(name)
			if !ok || slices.Contains(keys, int(k)) {
				return nil, fmt.Errorf("mandatory: %.80q is no parameter, or there twice", name)
			}
			keys = append(keys, int(k))
		}
		slices.Sort(keys)
		for _, k := range keys {
			v = binary.BigEndian.AppendUint16(v, uint16(k))
		}
		return v, nil
	case keyALPN:
		return parseALPN(t)
	case keyPort:
		return parseNumber(nil, '2', t)
	case keyIPv4, keyIPv6:
		for a := range strings.SplitSeq(string(t), ",") {
			if v, err = parseAddress(v, map[uint16]byte{keyIPv4: 'a', keyIPv6: 'A'}[key], a); err != nil {
				return nil, err
			}
		}
		return v, nil
	case keyECH:
		if v, err = base64.StdEncoding.Strict().DecodeString(string(t)); err != nil {
			return nil, errors.New("ech: not base64")
		}
		return v, nil
	}
	return t, nil
}

// parseALPN reads names with commas between them; in a name a comma is \, and a
// backslash \\ (RFC 9460 appendix A.1).
func parseALPN(t []byte) (v []byte, err error) {
	name := []byte{}
	for i := 0; ; i++ {
		if i == len(t) || t[i] == ',' {
			if len(name) == 0 || len(name) > maxString {
				return nil, fmt.Errorf("alpn: a name of %d bytes", len(name))
			}
			v = append(append(v, byte(len(name))), name...)
			if i == len(t) {
				return v, nil
			}
			name = name[:0]
			continue
		}
		if t[i] == '\\' && i+1 < len(t) {
			i++
		}
		name = append(name, t[i])
	}
}

// validParam says whether a value is right for its key.
func validParam(key uint16, v []byte) bool {
	switch key {
	case keyMandatory:
		for i := 2; i < len(v)-1; i += 2 {
			if binary.BigEndian.Uint16(v[i-2:]) >= binary.BigEndian.Uint16(v[i:]) {
				return false
			}
		}
		return len(v) > 0 && len(v)%2 == 0
	case keyALPN:
		n := len(v)
		for ; len(v) > 0; v = v[1+int(v[0]):] {
			if v[0] == 0 || int(v[0]) >= len(v) {
				return false
			}
		}
		return n > 0
	case keyNoDefaultALPN, keyOHTTP:
		return len(v) == 0
	case keyPort:
		return len(v) == 2
	case keyIPv4:
		return len(v) > 0 && len(v)%4 == 0
	case keyIPv6:
		return len(v) > 0 && len(v)%16 == 0
	case keyECH, keyDoHPath:
		return len(v) > 0
	}
	return true
}

// formatParams writes the parameters; they must be right and in order.
func formatParams(out, data []byte) ([]byte, []byte, bool) {
	var all []param
	for last := -1; len(data) > 0; {
		if len(data) < 4 {
			return nil, nil, false
		}
		key, n := binary.BigEndian.Uint16(data), int(binary.BigEndian.Uint16(data[2:]))
		if len(data) < 4+n || int(key) <= last || key == 65535 || !validParam(key, data[4:4+n]) {
			return nil, nil, false
		}
		last = int(key)
		all = append(all, param{key, data[4 : 4+n]})
		out = appendParam(append(out, ' '), key, data[4:4+n])
		data = data[4+n:]
	}
	return out, nil, checkMandatory(all) == nil
}

// appendParam writes one parameter. Keys that older programs do not know stand
// as keyNNN, which all read.
func appendParam(out []byte, key uint16, v []byte) []byte {
	if key > keyDoHPath {
		out = append(out, "key"+strconv.Itoa(int(key))...)
		if len(v) > 0 {
			out = appendQuoted(append(out, '='), v)
		}
		return out
	}
	out = append(out, paramNames[key]...)
	if key == keyNoDefaultALPN {
		return out
	}
	out = append(out, '=')
	var items []string
	switch key {
	case keyMandatory:
		for ; len(v) > 0; v = v[2:] {
			items = append(items, paramName(binary.BigEndian.Uint16(v)))
		}
	case keyALPN:
		for ; len(v) > 0; v = v[1+int(v[0]):] {
			items = append(items, strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace(string(v[1:1+int(v[0])])))
		}
		return appendQuoted(out, []byte(strings.Join(items, ",")))
	case keyPort:
		return strconv.AppendUint(out, uint64(binary.BigEndian.Uint16(v)), 10)
	case keyIPv4, keyIPv6:
		for step := map[uint16]int{keyIPv4: 4, keyIPv6: 16}[key]; len(v) > 0; v = v[step:] {
			ip, _ := netip.AddrFromSlice(v[:step])
			items = append(items, ip.String())
		}
	case keyECH:
		return base64.StdEncoding.AppendEncode(out, v)
	default:
		return appendQuoted(out, v)
	}
	return append(out, strings.Join(items, ",")...)
}
