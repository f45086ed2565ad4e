// SPDX-License-Identifier: ISC

package main

import (
	"encoding/binary"
	"net/netip"
	"time"

	"quill/internal/cdb"
	"quill/internal/dnsanswer"
	"quill/internal/dnsrate"
	"quill/internal/dnswire"
)

// engine composes answers for one worker.
type engine struct {
	config   dnsanswer.Config
	composer *dnsanswer.Composer
	message  dnswire.Message
}

func newEngine(c *config) *engine {
	e := &engine{config: dnsanswer.Config{DJB: c.djb, NSID: c.nsid, Cookies: c.cookies, Repeats: true}}
	e.composer = dnsanswer.New(e.config)
	return e
}

// compose has the answer made; SERVFAIL where data.cdb was cut short under us.
func (e *engine) compose(d *dnsanswer.Data, out, packet []byte, from netip.Addr, tcp bool, now time.Time, q *dnswire.Query) (said []byte, status dnsanswer.Status) {
	defer cdb.Faulted(func() {
		if said, status = out, '-'; !e.config.DJB {
			said = dnsanswer.Failure(out, q)
		}
	})
	return e.composer.Answer(d, out, packet, from, tcp, now, q)
}

// warm looks ahead at questions.
func (e *engine) warm(d *dnsanswer.Data, n int, packet func(i int) []byte) {
	defer cdb.Faulted(func() {}) // the answers will meet it too
	e.composer.Warm(d, n, packet)
}

// slip makes of the answer to a question one without records, that has the
// client ask over TCP, or with the cookie that comes with it.
func (e *engine) slip(out []byte, from netip.Addr, now time.Time, q *dnswire.Query) []byte {
	q.Rcode, q.Truncated = dnswire.RcodeOK, true
	m := &e.message
	m.Begin(out, q.ID, dnswire.FlagQR|dnswire.FlagTC|q.Flags&dnswire.FlagRD)
	if q.Name != nil {
		m.Question(q)
	}
	if q.EDNS && !e.config.DJB {
		opt := dnswire.Reply{Ede: dnswire.EdeNone, NSID: e.config.NSID, Cookies: e.config.Cookies, From: from, Now: uint32(now.Unix())}
		m.Count(dnswire.Additional, 1)
		m.B = opt.Append(m.B, q)
	}
	return m.B
}

// kind is what an answer counts as for the limit of their rate.
func kind(said []byte) dnsrate.Kind {
	answers, authority := binary.BigEndian.Uint16(said[dnswire.Answers:]), binary.BigEndian.Uint16(said[dnswire.Authority:])
	switch code := said[3] & 15; {
	case code == dnswire.RcodeNXDomain:
		return dnsrate.NXDomain
	case code != dnswire.RcodeOK:
		return dnsrate.Failure
	case answers > 0:
		return dnsrate.Positive
	case authority > 0 && said[2]&(dnswire.FlagAA>>8) == 0:
		return dnsrate.Referral
	}
	return dnsrate.NoData
}
