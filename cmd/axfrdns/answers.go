// SPDX-License-Identifier: ISC

package main

import (
	"net/netip"
	"time"

	"quill/internal/cdb"
	"quill/internal/dnsanswer"
	"quill/internal/dnswire"
	"quill/internal/transferfiles"
)

// answers answers questions that are no transfers, each from data.cdb as it is
// then.
type answers struct{}

func (a *answers) answer(out, packet []byte, from netip.AddrPort, q *dnswire.Query) (said []byte) {
	err := transferfiles.Use(func(m *cdb.Map) error {
		d, err := dnsanswer.Open(m)
		if err == nil {
			said, _ = d.Answer(out, packet, from.Addr().AsSlice(), true, time.Now(), q)
		}
		return err
	})
	if err != nil {
		warn(err)
		said = dnsanswer.Failure(out, q)
	}
	return said
}

func (a *answers) answerDJB(out, packet []byte, from netip.AddrPort, q *dnswire.Query) (said []byte) {
	return a.answer(out, packet, from, q)
}
