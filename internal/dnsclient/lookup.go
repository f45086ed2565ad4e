// SPDX-License-Identifier: ISC

package dnsclient

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"strconv"

	"quill/internal/dnsprint"
	"quill/internal/dnswire"
)

// maxAliases is how many CNAMEs of an answer are followed.
const maxAliases = 16

// The ends of the names of addresses (RFC 1035 §3.5, RFC 3596 §2.5).
const (
	inAddrArpa = "\x07in-addr\x04arpa\x00"
	ip6Arpa    = "\x03ip6\x04arpa\x00"
)

// records asks a question and gives what answers it: records of this type that
// belong to the name, or to what it is an alias for. A server may add what
// nobody asked for; that does not count.
func (c *Client) records(name []byte, kind uint16) (*dnsprint.Reader, []dnsprint.Record, error) {
	packet, err := c.Ask(name, kind)
	if err != nil {
		return nil, nil, err
	}
	return Relevant(packet, name, kind)
}

// Relevant is the records of this type in an answer that belong to the name or
// its aliases. CNAMEs in a ring lead nowhere.
func Relevant(packet, name []byte, kind uint16) (*dnsprint.Reader, []dnsprint.Record, error) {
	r, err := dnsprint.Read(packet)
	if err != nil {
		return nil, nil, err
	}
	if _, _, _, _, err = r.Question(); err != nil {
		return nil, nil, err
	}
	var found []dnsprint.Record
	alias := make(map[string][]byte)
	for {
		rec, ok, err := r.Next()
		switch {
		case err != nil:
			return nil, nil, err
		case !ok || rec.Section != dnsprint.Answer:
			return r, owned(found, alias, name), nil
		case rec.Class != dnswire.ClassIN:
			continue
		case rec.Type == kind:
			found = append(found, rec)
		case rec.Type == dnswire.TypeCNAME:
			target, _, err := r.NameAt(rec, 0)
			if err != nil {
				return nil, nil, err
			}
			alias[string(dnswire.Lower(rec.Name))] = target
		}
	}
}

// owned is those of all records that the name or its first alias with any has.
func owned(all []dnsprint.Record, alias map[string][]byte, name []byte) (out []dnsprint.Record) {
	for range maxAliases + 1 {
		at := string(dnswire.Lower(name))
		for _, rec := range all {
			if string(dnswire.Lower(rec.Name)) == at {
				out = append(out, rec)
			}
		}
		next, ok := alias[at]
		if len(out) > 0 || !ok {
			break
		}
		name = next
	}
	return out
}

// Literal reads what is made of digits, dots and brackets alone as an address:
// 127...1 is 127.0.0.1. Of more than four numbers the first count; less are no
// address, and no name either.
func Literal(s string) (ips []netip.Addr, ok bool) {
	var bytes []byte
	code := byte(0)
	for i := 0; i <= len(s); i++ {
		switch {
		case i == len(s) || s[i] == '.':
			bytes = append(bytes, code)
			code = 0
		case s[i] >= '0' && s[i] <= '9':
			code = code*10 + s[i] - '0'
		case s[i] != '[' && s[i] != ']':
			return nil, false
		}
	}
	for ; len(bytes) >= 4; bytes = bytes[4:] {
		ips = append(ips, netip.AddrFrom4([4]byte(bytes)))
	}
	return ips, true
}

// IP4 is the IPv4 addresses of a name, in random order, or of what Literal
// reads.
func (c *Client) IP4(name string) ([]netip.Addr, error) {
	if ips, ok := Literal(name); ok {
		return ips, nil
	}
	return c.addresses(name, dnswire.TypeA)
}

// IP6 is the IPv6 addresses of a name, in random order; an address is its own.
func (c *Client) IP6(name string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(name); err == nil && ip.Is6() {
		return []netip.Addr{ip}, nil
	}
	if _, ok := Literal(name); ok {
		return nil, nil
	}
	return c.addresses(name, dnswire.TypeAAAA)
}

func (c *Client) addresses(name string, kind uint16) (ips []netip.Addr, err error) {
	q, err := dnswire.Name(name)
	if err != nil {
		return nil, err
	}
	r, found, err := c.records(q, kind)
	if err != nil {
		return nil, err
	}
	length := map[uint16]int{dnswire.TypeA: 4, dnswire.TypeAAAA: 16}[kind]
	for _, rec := range found {
		if ip, ok := netip.AddrFromSlice(r.Data(rec)); ok && rec.Len == length {
			ips = append(ips, ip)
		}
	}
	rand.Shuffle(len(ips), func(i, j int) { ips[i], ips[j] = ips[j], ips[i] })
	return ips, nil
}

// ReverseName is the name of an address, in wire form.
func ReverseName(ip netip.Addr) (out []byte) {
	b := ip.AsSlice()
	if ip.Is4() {
		for i := len(b) - 1; i >= 0; i-- {
			label := strconv.Itoa(int(b[i]))
			out = append(append(out, byte(len(label))), label...)
		}
		return append(out, inAddrArpa...)
	}
	const hex = "0123456789abcdef"
	for i := len(b) - 1; i >= 0; i-- {
		out = append(out, 1, hex[b[i]&15], 1, hex[b[i]>>4])
	}
	return append(out, ip6Arpa...)
}

// HostName is the first name of an address, "" where it has none.
func (c *Client) HostName(ip netip.Addr) (string, error) {
	r, found, err := c.records(ReverseName(ip.Unmap()), dnswire.TypePTR)
	if err != nil || len(found) == 0 {
		return "", err
	}
	name, _, err := r.NameAt(found[0], 0)
	if err != nil {
		return "", err
	}
	return dnswire.Text(name), nil
}

// MX is a mail host of a name.
type MX struct {
	Distance uint16
	Host     string
}

// MX is the mail hosts of a name in the order of the answer.
func (c *Client) MX(name string) (out []MX, err error) {
	q, err := dnswire.Name(name)
	if err != nil {
		return nil, err
	}
	r, found, err := c.records(q, dnswire.TypeMX)
	if err != nil {
		return nil, err
	}
	for _, rec := range found {
		if rec.Len < 3 {
			return nil, dnsprint.ErrProto
		}
		host, _, err := r.NameAt(rec, 2)
		if err != nil {
			return nil, err
		}
		out = append(out, MX{binary.BigEndian.Uint16(r.Data(rec)), dnswire.Text(host)})
	}
	return out, nil
}

// TXT is all texts of a name, one after the other, bytes that are not ASCII or
// not printable as question marks.
func (c *Client) TXT(name string) (string, error) {
	q, err := dnswire.Name(name)
	if err != nil {
		return "", err
	}
	r, found, err := c.records(q, dnswire.TypeTXT)
	if err != nil {
		return "", err
	}
	var out []byte
	for _, rec := range found {
		for data := r.Data(rec); len(data) > 0; {
			n := min(int(data[0]), len(data)-1)
			for _, b := range data[1 : 1+n] {
				if b < 32 || b > 126 {
					b = '?'
				}
				out = append(out, b)
			}
			data = data[1+n:]
		}
	}
	return string(out), nil
}
