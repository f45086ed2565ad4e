// SPDX-License-Identifier: ISC

package dnsprint

import (
	"net/netip"
	"strings"
)

// types is the names of types that questions may use; the first two rows are
// djb's.
var types = map[string]uint16{
	"any": 255, "a": 1, "ns": 2, "mx": 15, "ptr": 12, "txt": 16, "cname": 5, "soa": 6,
	"hinfo": 13, "rp": 17, "sig": 24, "key": 25, "aaaa": 28, "axfr": 252,

	"afsdb": 18, "loc": 29, "srv": 33, "naptr": 35, "kx": 36, "cert": 37, "dname": 39, "apl": 42, "ds": 43, "sshfp": 44, "ipseckey": 45,
	"rrsig": 46, "nsec": 47, "dnskey": 48, "dhcid": 49, "nsec3": 50, "nsec3param": 51, "tlsa": 52, "smimea": 53, "hip": 55, "cds": 59,
	"cdnskey": 60, "openpgpkey": 61, "csync": 62, "zonemd": 63, "svcb": 64, "https": 65, "spf": 99, "eui48": 108, "eui64": 109, "ixfr": 251,
	"uri": 256, "caa": 257,
}

// Type reads a type: a number, of which the low 16 bits count, a name in any
// case, or TYPE and a number (RFC 3597 §5).
func Type(s string) (kind uint16, ok bool) {
	if n, rest := Digits(s); rest == "" {
		return uint16(n), true
	}
	s = strings.ToLower(s)
	if kind, ok = types[s]; ok {
		return kind, true
	}
	if s, ok = strings.CutPrefix(s, "type"); ok && s != "" {
		n, rest := Digits(s)
		return uint16(n), rest == "" && n <= 0xffff
	}
	return 0, false
}

// Digits reads the decimal digits at the start of s, as djb's programs do: none
// are 0, and too large a number wraps.
func Digits(s string) (n uint64, rest string) {
	for s != "" && s[0] >= '0' && s[0] <= '9' {
		n, s = n*10+uint64(s[0]-'0'), s[1:]
	}
	return n, s
}

// IP4 reads an IPv4 address at the start of s, as djb's programs do: four
// numbers, of which the low 8 bits count.
func IP4(s string) (ip netip.Addr, rest string, ok bool) {
	var b [4]byte
	for i := range b {
		if i > 0 {
			if s == "" || s[0] != '.' {
				return ip, s, false
			}
			s = s[1:]
		}
		n, after := Digits(s)
		if len(after) == len(s) {
			return ip, s, false
		}
		b[i], s = byte(n), after
	}
	return netip.AddrFrom4(b), s, true
}
