// SPDX-License-Identifier: ISC

package dnswire

import (
	"encoding/binary"
	"net/netip"
)

// Reply is what an OPT record says in answer to a question's (RFC 6891).
type Reply struct {
	Ede     int    // extended error, or EdeNone
	NSID    []byte // said to who asks for it
	Cookies *Cookies
	From    netip.Addr // the client, and
	Now     uint32     // the time, for cookies
}

const optLen = 11 // bytes of an OPT record without options

// Room is the bytes that the OPT record takes.
func (r *Reply) Room(q *Query) int {
	if !q.EDNS {
		return 0
	}
	n := optLen
	if r.Ede != EdeNone {
		n += 6
	}
	if q.NSID && len(r.NSID) > 0 {
		n += 4 + len(r.NSID)
	}
	if q.Cookie != CookieNone {
		n += cookieOption
	}
	return n
}

// Append appends the OPT record, with DO as it came (RFC 3225 §3); nothing for
// who does not speak EDNS.
func (r *Reply) Append(out []byte, q *Query) []byte {
	if !q.EDNS {
		return out
	}
	do := byte(0)
	if q.DO {
		do = FlagDO >> 8
	}
	out = append(out, 0, 0, TypeOPT, MaxUDP>>8, MaxUDP&0xff, byte(q.Rcode>>4), 0, do, 0, 0, 0)
	at := len(out)
	if r.Ede != EdeNone {
		out = append(out, 0, optionEDE, 0, 2, byte(r.Ede>>8), byte(r.Ede))
	}
	if q.NSID && len(r.NSID) > 0 {
		out = append(append(out, 0, optionNSID, byte(len(r.NSID)>>8), byte(len(r.NSID))), r.NSID...)
	}
	if q.Cookie != CookieNone {
		out = r.Cookies.append(out, q.Option, q.Cookie, r.From, r.Now)
	}
	binary.BigEndian.PutUint16(out[at-2:], uint16(len(out)-at))
	return out
}
