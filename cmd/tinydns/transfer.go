// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"quill/internal/dnsanswer"
	"quill/internal/dnsserve"
	"quill/internal/dnstransfer"
	"quill/internal/dnswire"
	"quill/internal/transferfiles"
)

// maxTransfers is the zones that are on their way at once; each has a map of
// data.cdb of its own.
const maxTransfers = 10

// signing is a worker that also answers signed questions, signed.
type signing struct{ *worker }

// signing makes one, for good.
func (s *server) signing() dnsserve.Answerer { return signing{s.worker().(*worker)} }

// Answer appends the answer to a packet to out.
func (s signing) Answer(out, packet []byte, from netip.AddrPort, tcp bool) []byte {
	if !dnstransfer.Signed(packet) {
		return s.worker.Answer(out, packet, from, tcp)
	}
	asked := false
	said := dnstransfer.Around(out, packet, s.files.Keys(), s.now, tcp, func(out, bare []byte) []byte {
		asked = true
		return s.worker.Answer(out, bare, from, tcp)
	})
	if asked || s.stopped.Load() {
		return said
	}
	dnswire.Parse(packet, &s.query)
	s.query.Rcode = int(said[3] & 15)
	return s.finish(out, said, from, tcp, 'I')
}

// transfer sends a zone to who may have it.
func (s *server) transfer(packet []byte, from netip.AddrPort, write func([]byte) error) (handled bool, err error) {
	q, ok := dnstransfer.Read(packet)
	if !ok {
		return false, nil
	}
	status := dnsanswer.Status('I')
	defer func() {
		if s.config.sample > 0 {
			s.log.put(line(nil, from, &dnswire.Query{ID: q.ID, Type: q.Type, Name: q.Name}, status), 1)
		}
	}()
	var key *dnstransfer.Key
	if dnstransfer.Signed(packet) {
		_, signer, refusal := dnstransfer.Accept(packet, s.files.Keys(), time.Now())
		if refusal != nil {
			return true, write(refusal)
		}
		bare := write
		write = func(msg []byte) error { return bare(signer.Sign(msg, time.Now())) }
		key = signer.Key()
	}
	if wrong := q.Wrong(); wrong != nil {
		return true, write(wrong)
	}
	if !s.files.Rules().Allow(q.Zone(), from.Addr(), key) {
		return true, write(q.Prohibited())
	}
	select {
	case s.leaving <- struct{}{}:
	default:
		s.warn(fmt.Errorf("%s wants %s: more than %d transfers at once; it will come again", from, dnswire.Text(q.Name), maxTransfers))
		return true, write(q.Failure())
	}
	defer func() { <-s.leaving }()
	status, err = s.send(q, from, write)
	return true, err
}

// send sends a zone. An error means that the connection is of no more use.
func (s *server) send(q *dnstransfer.Request, from netip.AddrPort, write func([]byte) error) (dnsanswer.Status, error) {
	var gone error
	err := transferfiles.Send(q, dnstransfer.Client{Addr: from.Addr(), Now: time.Now()}, s.warn, func(msg []byte) error {
		gone = write(msg)
		return gone
	})
	switch {
	case err == nil:
		return '+', nil
	case errors.Is(err, dnstransfer.ErrNoZone):
		return '-', gone
	}
	s.warn(fmt.Errorf("%s to %s: %w", dnswire.Text(q.Name), from, err))
	return '+', err
}
