// SPDX-License-Identifier: ISC

package dnstransfer

import (
	"encoding/binary"
	"time"

	"quill/internal/dnswire"
)

// Around answers a question that Signed saw: verified and without its signature
// it is inner's, which appends its answer to out as for any question; the answer
// is signed. What does not hold is refused.
func Around(out, packet []byte, keys Keys, now time.Time, tcp bool, inner func(out, bare []byte) []byte) []byte {
	bare, s, refusal := Accept(packet, keys, now)
	if refusal != nil {
		return append(out, refusal...)
	}
	limit, edns, do := room(bare, tcp, s.size())
	said := inner(nil, bare)
	if len(said) < dnswire.HeaderLen {
		return out
	}
	if len(said)+s.size() > limit {
		said = cut(said, edns, do)
	}
	return append(out, s.Sign(said, now)...)
}

// size is the bytes of a signature.
func (s *Session) size() int {
	return len(s.key.name) + 10 + len(s.key.algorithm) + 16 + s.key.hash().Size()
}

// room is how long the answer to a question may be. In EDNS what the client
// takes is lowered by the signature's size, so that what is cut is cut well.
func room(bare []byte, tcp bool, size int) (limit int, edns, do bool) {
	limit = dnswire.MinUDP
	at := question(bare) + 4
	for n := u16(bare, 6) + u16(bare, 8) + u16(bare, 10); n > 0; n-- {
		h, ok := record(bare, at)
		if !ok {
			break
		}
		if h.kind == dnswire.TypeOPT && bare[h.owner] == 0 {
			limit = min(max(int(h.class), dnswire.MinUDP), dnswire.MaxUDP)
			edns, do = true, h.ttl&dnswire.FlagDO != 0
			binary.BigEndian.PutUint16(bare[h.owner+3:], uint16(limit-size))
		}
		at = h.end
	}
	if tcp {
		limit = dnswire.MaxTCP
	}
	return limit, edns, do
}

// cut is an answer without its records, with TC (RFC 8945 §5.3).
func cut(said []byte, edns, do bool) []byte {
	end := question(said)
	if end == 0 {
		return said[:dnswire.HeaderLen]
	}
	var w writer
	w.begin(uint16(u16(said, 0)), uint16(u16(said, 2))|dnswire.FlagTC)
	w.ask(said[dnswire.HeaderLen:end], uint16(u16(said, end)), uint16(u16(said, end+2)))
	if edns {
		w.opt(dnswire.RcodeOK, dnswire.EdeNone, do)
	}
	return w.message()
}
