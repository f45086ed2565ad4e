// SPDX-License-Identifier: ISC

package dnsdata

import (
	"bytes"

	"quill/internal/dnswire"
)

// Lines that djb's program refuses, and what they become: records like all.

// host6 is a 3 line (AAAA) or a 6 line (AAAA, and PTR in ip6.arpa). The old
// ip6.int is left alone: nobody asks there since RFC 4159.
func (c *compiler) host6(kind byte) error {
	var ok bool
	if c.d1, ok = appendName(c.d1[:0], c.f[0]); !ok {
		return ErrProtocol
	}
	ip, ok := hex6(c.f[1])
	if !ok {
		ip, ok = ip6(c.f[1])
	}
	if !ok {
		return refuse("%q is not an IPv6 address: write 32 hexadecimal digits, or the address with _ for every colon", c.f[1])
	}
	ttl := number(c.f[2], ttlPositive)
	c.start(dnswire.TypeAAAA, ttl, 3)
	c.add(ip[:]...)
	if err := c.finish(c.d1); err != nil || kind == '3' {
		return err
	}
	c.d2 = reverse6(c.d2[:0], ip)
	c.start(dnswire.TypePTR, ttl, 3)
	c.add(c.d1...)
	return c.finish(c.d2)
}

// hex6 is an address of 32 hexadecimal digits.
func hex6(s []byte) (ip [16]byte, ok bool) {
	if len(s) != 32 {
		return ip, false
	}
	for i, ch := range s {
		d, ok := nibble(ch)
		if !ok {
			return ip, false
		}
		ip[i/2] = ip[i/2]<<4 | d
	}
	return ip, true
}

const hexDigits = "0123456789abcdef"

// reverse6 appends the name of an address in ip6.arpa (RFC 3596 §2.5).
func reverse6(b []byte, ip [16]byte) []byte {
	for i := 15; i >= 0; i-- {
		b = append(b, 1, hexDigits[ip[i]&15], 1, hexDigits[ip[i]>>4])
	}
	return append(b, "\x03ip6\x04arpa\x00"...)
}

// location6 is a / line: clients whose IPv6 addresses begin with these
// hexadecimal digits.
func (c *compiler) location6(byte) error { return c.prefix6(c.f[1]) }

// minPrefix6 is the least of digits: with fewer, the key \0%s and the digits is
// that of IPv4 clients 115.x too.
const minPrefix6 = 4

// prefix6 puts the location of an IPv6 prefix: the key is \0%s and its digits.
func (c *compiler) prefix6(digits []byte) error {
	if len(digits) < minPrefix6 || len(digits) > 32 {
		return refuse("an IPv6 prefix of %d digits; write %d to 32 hexadecimal digits, like 20010db8", len(digits), minPrefix6)
	}
	c.key = append(c.key[:0], 0, '%', 's')
	for _, ch := range digits {
		d, ok := nibble(ch)
		if !ok {
			return refuse("%q is not an IPv6 prefix: write hexadecimal digits only, like 20010db8", digits)
		}
		c.key = append(c.key, hexDigits[d])
	}
	return c.putLocation()
}

// readable is a ! line, !fqdn:TYPE:ttl:timestamp:lo:data: the data of any type
// in the words of master files (RFC 1035 §5), to the end of the line.
func (c *compiler) readable(byte) error {
	f := bytes.SplitN(c.text[1:], []byte(":"), 6)
	if len(f) < 6 {
		return refuse("a ! line of %d fields; write !fqdn:TYPE:ttl:timestamp:lo:data, empty fields too", len(f))
	}
	var ok bool
	if c.d1, ok = appendName(c.d1[:0], f[0]); !ok {
		return ErrProtocol
	}
	typ, ok := TypeNumber(string(f[1]))
	if !ok {
		return refuse("unknown type %q: write its name, or TYPE and its number", f[1])
	}
	if err := strictFields(f[2], f[3], f[4]); err != nil {
		return err
	}
	data, err := ParseData(typ, f[5])
	if err != nil {
		return refuse("%s: %v", TypeName(typ), err)
	}
	c.f[3], c.f[4] = f[3], f[4]
	c.start(typ, number(f[2], defaultTTL(typ)), 3)
	c.add(data...)
	return c.finish(c.d1)
}

func defaultTTL(typ uint16) uint64 {
	switch typ {
	case dnswire.TypeNS:
		return ttlNS
	case dnswire.TypeSOA:
		return ttlNegative
	}
	return ttlPositive
}

// maxTTL is the greatest time to live (RFC 2181 §8).
const maxTTL = 1<<31 - 1

// strictFields refuses what ! lines may not hold in these fields.
func strictFields(ttl, ts, lo []byte) error {
	if digits(ttl) != len(ttl) || len(ttl) > 10 || number(ttl, 0) > maxTTL {
		return refuse("ttl %q: write seconds, 0 to %d, or nothing", ttl, maxTTL)
	}
	if len(ts) > 16 {
		return refuse("timestamp %q: write at most 16 hexadecimal digits in lower case, or nothing", ts)
	}
	for _, ch := range ts {
		if _, ok := nibble(ch); !ok || ch >= 'A' && ch <= 'F' {
			return refuse("timestamp %q: write at most 16 hexadecimal digits in lower case, or nothing", ts)
		}
	}
	if len(lo) > 2 {
		return refuse("location %q: write at most two characters", lo)
	}
	return nil
}
