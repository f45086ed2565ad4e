// SPDX-License-Identifier: ISC

package dnswire

import (
	"encoding/binary"
	"net/netip"
)

const (
	clientCookie = 8
	serverCookie = 16 // of RFC 9018; other servers' are of 8 to 32 bytes
	maxCookie    = 40
	cookieOption = 4 + clientCookie + serverCookie // bytes in our OPT record

	cookieAge   = 3600 // seconds that a server cookie holds (RFC 9018 §4.3)
	cookieAhead = 300  // seconds that another server's clock may be ahead
	cookieRenew = 1800 // seconds after which a client gets a new one
)

// CookieState is what cookie a question came with.
type CookieState uint8

const (
	CookieNone   CookieState = iota
	CookieClient             // the client's alone
	CookieBad                // with a server's that is not ours, or too old
	CookieGood               // with ours: the address is the client's own
)

// Cookies makes and knows server cookies (RFC 7873) as all servers with its
// secret do (RFC 9018).
type Cookies struct {
	keys [2][2]uint64
	n    int
}

// NewCookies is a maker of cookies with secret. Those made with a previous
// secret are known too (RFC 9018 §5).
func NewCookies(secret [16]byte, previous ...[16]byte) *Cookies {
	c := &Cookies{}
	for _, s := range append([][16]byte{secret}, previous...) {
		if c.n < len(c.keys) {
			c.keys[c.n] = [2]uint64{binary.LittleEndian.Uint64(s[:]), binary.LittleEndian.Uint64(s[8:])}
			c.n++
		}
	}
	return c
}

// hash is of a client cookie and the first half of a server cookie.
func (c *Cookies) hash(key int, client, half []byte, from netip.Addr) uint64 {
	var b [clientCookie + serverCookie/2 + 16]byte
	n := copy(b[:], client[:clientCookie])
	n += copy(b[n:], half[:serverCookie/2])
	if from = from.Unmap(); from.Is4() {
		ip := from.As4()
		n += copy(b[n:], ip[:])
	} else {
		ip := from.As16()
		n += copy(b[n:], ip[:])
	}
	return siphash(c.keys[key][0], c.keys[key][1], b[:n])
}

// Read says what the data of a COOKIE option are; ok is false where they
// cannot be read (RFC 7873 §5.2.2).
func (c *Cookies) Read(option []byte, from netip.Addr, now uint32) (state CookieState, ok bool) {
	switch n := len(option); {
	case n == clientCookie:
		return CookieClient, true
	case n < 2*clientCookie || n > maxCookie:
		return CookieNone, false
	case n != clientCookie+serverCookie || option[clientCookie] != 1:
		return CookieBad, true
	}
	server := option[clientCookie:]
	if age := int32(now - binary.BigEndian.Uint32(server[4:])); age < -cookieAhead || age > cookieAge {
		return CookieBad, true
	}
	for k := range c.n {
		if c.hash(k, option, server, from) == binary.LittleEndian.Uint64(server[8:]) {
			return CookieGood, true
		}
	}
	return CookieBad, true
}

// append appends the COOKIE option that answers one: with the server cookie
// that came, if it is good, young and of the newest secret, else with a new one.
func (c *Cookies) append(out, option []byte, state CookieState, from netip.Addr, now uint32) []byte {
	out = append(out, 0, optionCookie, 0, clientCookie+serverCookie)
	if state == CookieGood {
		server := option[clientCookie : clientCookie+serverCookie]
		young := int32(now-binary.BigEndian.Uint32(server[4:])) < cookieRenew
		if young && server[1]|server[2]|server[3] == 0 && c.hash(0, option, server, from) == binary.LittleEndian.Uint64(server[8:]) {
			return append(out, option...)
		}
	}
	half := [serverCookie / 2]byte{0: 1}
	binary.BigEndian.PutUint32(half[4:], now)
	out = append(append(out, option[:clientCookie]...), half[:]...)
	return binary.LittleEndian.AppendUint64(out, c.hash(0, option, half[:], from))
}
