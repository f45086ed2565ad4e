// SPDX-License-Identifier: ISC

package main

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"runtime/debug"
	"time"

	"quill/internal/dnsdata"
)

// Limits; tinydns(8) lists them.
const (
	maxPacket = 4096 // bytes of a question
	maxConns  = 100  // TCP connections at once
	tcpIdle   = 10 * time.Second
	tcpTime   = 2 * time.Minute
)

// server answers from a store.
type server struct {
	store *store
	log   bool
	conns conns
}

// answer appends the answer to a packet to out; nothing where there is nothing
// to say.
func (s *server) answer(out, packet []byte, from netip.AddrPort, tcp bool) []byte {
	ip := from.Addr().Unmap().AsSlice()
	var q dnsdata.Query
	said, status := s.compose(out, packet, ip, tcp, &q)
	if s.log {
		logLine(ip, from.Port(), &q, status)
	}
	return said
}

// compose has the answer made; SERVFAIL where data.cdb was cut short under us.
func (s *server) compose(out, packet, ip []byte, tcp bool, q *dnsdata.Query) (said []byte, status dnsdata.Status) {
	defer recovered(func() { said, status = dnsdata.Failure(out, q), '-' })
	s.store.use(func(d *dnsdata.Data) {
		said, status = d.Answer(out, packet, ip, tcp, time.Now(), q)
	})
	return said, status
}

// logLine is djb's: address, port and id in hexadecimal, status, type, name.
func logLine(ip []byte, port uint16, q *dnsdata.Query, status dnsdata.Status) {
	b := hex.AppendEncode(make([]byte, 0, 128), ip)
	for _, n := range []uint16{port, q.ID} {
		b = append(b, ':')
		b = hex.AppendEncode(b, binary.BigEndian.AppendUint16(nil, n))
	}
	b = append(b, ' ', byte(status), ' ')
	b = hex.AppendEncode(b, binary.BigEndian.AppendUint16(nil, q.Type))
	b = append(append(append(b, ' '), dnsdata.Text(q.Name)...), '\n')
	os.Stderr.Write(b)
}

// warn says on descriptor 2 what went wrong without ending anything.
func warn(err error) { os.Stderr.WriteString(prog + ": warning: " + err.Error() + "\n") }

// udp answers datagrams for ever.
func (s *server) udp(u udpSocket) {
	debug.SetPanicOnFault(true)
	in, out, control := make([]byte, maxPacket), make([]byte, 0, maxPacket), make([]byte, 128)
	for {
		n, cn, _, from, err := u.ReadMsgUDPAddrPort(in, control)
		if err != nil {
			warn(err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if from.Port() == 0 {
			continue // nobody can be there
		}
		if out = s.answer(out[:0], in[:n], from, false); len(out) > 0 {
			u.WriteMsgUDPAddrPort(out, u.source(control[:cn]), from) // lost like any datagram
		}
	}
}
