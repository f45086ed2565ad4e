// SPDX-License-Identifier: ISC

package main

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"time"

	"quill/internal/dnsanswer"
	"quill/internal/dnswire"
)

// server answers from a store.
type server struct {
	store    *store
	log      bool
	composer *dnsanswer.Composer
}

// Answer appends the answer to a packet to out; nothing where there is nothing
// to say.
func (s *server) Answer(out, packet []byte, from netip.AddrPort, tcp bool) []byte {
	var q dnswire.Query
	said, status := s.compose(out, packet, from.Addr(), tcp, &q)
	if s.log {
		logLine(from.Addr().Unmap().AsSlice(), from.Port(), &q, status)
	}
	return said
}

// compose has the answer made; SERVFAIL where data.cdb was cut short under us.
func (s *server) compose(out, packet []byte, from netip.Addr, tcp bool, q *dnswire.Query) (said []byte, status dnsanswer.Status) {
	defer recovered(func() { said, status = dnsanswer.Failure(out, q), '-' })
	s.store.use(func(d *dnsanswer.Data) {
		said, status = s.composer.Answer(d, out, packet, from, tcp, time.Now(), q)
	})
	return said, status
}

// logLine is djb's: address, port and id in hexadecimal, status, type, name.
func logLine(ip []byte, port uint16, q *dnswire.Query, status dnsanswer.Status) {
	b := hex.AppendEncode(make([]byte, 0, 128), ip)
	for _, n := range []uint16{port, q.ID} {
		b = append(b, ':')
		b = hex.AppendEncode(b, binary.BigEndian.AppendUint16(nil, n))
	}
	b = append(b, ' ', byte(status), ' ')
	b = hex.AppendEncode(b, binary.BigEndian.AppendUint16(nil, q.Type))
	b = append(append(append(b, ' '), dnswire.Text(q.Name)...), '\n')
	os.Stderr.Write(b)
}

// warn says on descriptor 2 what went wrong without ending anything.
func warn(err error) { os.Stderr.WriteString(prog + ": warning: " + err.Error() + "\n") }
