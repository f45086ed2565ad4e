// SPDX-License-Identifier: ISC

package main

import (
	"net/netip"
	"time"

	"quill/internal/dnsanswer"
	"quill/internal/dnsrate"
	"quill/internal/dnswire"
)

// engine composes answers for one worker.
type engine struct{}

func newEngine(c *config) *engine { return &engine{} }

// compose has the answer made; SERVFAIL where data.cdb was cut short under us.
func (e *engine) compose(d *dnsanswer.Data, out, packet []byte, from netip.Addr, tcp bool, now time.Time, q *dnswire.Query) (said []byte, status dnsanswer.Status) {
	defer recovered(func() { said, status = dnsanswer.Failure(out, q), '-' })
	return d.Answer(out, packet, from.AsSlice(), tcp, now, q)
}

// account is what an answer counts as for the limit of their rate.
func account(q *dnswire.Query, said []byte) (dnsrate.Kind, []byte) {
	switch said[3] & (rcodes - 1) {
	case dnswire.RcodeOK:
		return dnsrate.Positive, q.Name
	case dnswire.RcodeNXDomain:
		return dnsrate.NXDomain, nil
	}
	return dnsrate.Failure, nil
}

// goodCookie says whether a client has proven that its address is its own.
func goodCookie(q *dnswire.Query) bool { return false }
