// SPDX-License-Identifier: ISC

package dnsreply

import "quill/internal/dnswire"

// Octets reads the labels of a name in lower case before base as numbers of 0 to
// 255, as djb's dd does: n is how many there are, at most 4, and -1 where the name
// is not of this kind. A number has no zeros before it.
func Octets(name, base []byte) (ip [4]byte, n int) {
	for ; ; n++ {
		if string(name) == string(base) {
			return ip, n
		}
		if n == 4 || name[0] == 0 || name[0] > 3 {
			return ip, -1
		}
		x := 0
		for i, c := range name[1 : 1+name[0]] {
			if c < '0' || c > '9' || i == 1 && x == 0 {
				return ip, -1
			}
			x = x*10 + int(c-'0')
		}
		if x > 255 {
			return ip, -1
		}
		ip[n] = byte(x)
		name = dnswire.Parent(name)
	}
}

// Nibbles reads the labels of a name in lower case before base as hexadecimal
// digits of an IPv6 address, the last first (RFC 3596 §2.5): n is how many there
// are, at most 32, and -1 where the name is not of this kind. ip is whole where n
// is 32.
func Nibbles(name, base []byte) (ip [16]byte, n int) {
	for ; ; n++ {
		if string(name) == string(base) {
			return ip, n
		}
		if n == 32 || name[0] != 1 {
			return ip, -1
		}
		var x byte
		switch c := name[1]; {
		case c >= '0' && c <= '9':
			x = c - '0'
		case c >= 'a' && c <= 'f':
			x = c - 'a' + 10
		default:
			return ip, -1
		}
		ip[15-n/2] |= x << (n % 2 * 4)
		name = name[2:]
	}
}
