// SPDX-License-Identifier: ISC

package main

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"quill/internal/cdb"
	"quill/internal/dnsdata"
)

// Limits; tinydns(8) lists them.
const (
	maxPacket = 4096 // bytes of a question
	maxConns  = 100  // TCP connections at once, on each address
	tcpIdle   = 10 * time.Second
	tcpTime   = 2 * time.Minute
	lookEvery = 100 * time.Millisecond // between looks for a new data.cdb
)

// store is data.cdb, mapped; a new one is taken when it replaces the old.
type store struct {
	mu     sync.Mutex
	open   *dnsdata.Data
	m      *cdb.Map
	mtime  time.Time
	inode  uint64
	looked time.Time
	old    []*cdb.Map // may still be read by answers on their way
}

// data is the data as they are now. A file that cannot be read leaves the old
// ones in use.
func (s *store) data() (*dnsdata.Data, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.open != nil && now.Sub(s.looked) < lookEvery {
		return s.open, nil
	}
	s.looked = now
	st, err := os.Stat("data.cdb")
	if err != nil {
		return s.open, orNil(s.open, err)
	}
	ino := st.Sys().(*syscall.Stat_t).Ino
	if s.open != nil && ino == s.inode && st.ModTime().Equal(s.mtime) {
		return s.open, nil
	}
	m, err := cdb.Open("data.cdb")
	if err != nil {
		return s.open, orNil(s.open, err)
	}
	d, err := dnsdata.Open(m)
	if err != nil {
		m.Close()
		return s.open, orNil(s.open, err)
	}
	s.retire()
	s.open, s.m, s.mtime, s.inode = d, m, st.ModTime(), ino
	return d, nil
}

// retire keeps the last map for answers that are being composed, and unmaps
// those before it.
func (s *store) retire() {
	for _, m := range s.old {
		m.Close()
	}
	s.old = nil
	if s.m != nil {
		s.old = []*cdb.Map{s.m}
	}
}

func orNil(d *dnsdata.Data, err error) error {
	if d != nil {
		return nil
	}
	return err
}

// server answers from a store.
type server struct {
	store *store
	log   bool
	logMu sync.Mutex
}

// answer answers one packet; nil where there is nothing to say.
func (s *server) answer(out, packet []byte, from netip.AddrPort, tcp bool) []byte {
	d, err := s.store.data()
	if d == nil || err != nil {
		d, _ = dnsdata.Open(nothing{})
	}
	ip := from.Addr().Unmap().AsSlice()
	var q dnsdata.Query
	out, status := d.Answer(out, packet, ip, tcp, time.Now(), &q)
	if s.log {
		s.logLine(ip, from.Port(), &q, status)
	}
	return out
}

// nothing is data without a record.
type nothing struct{}

func (nothing) Each([]byte, func([]byte) bool) error { return nil }
func (nothing) All(func(k, v []byte) bool) error     { return nil }

// logLine is djb's: address, port and id in hexadecimal, status, type, name.
func (s *server) logLine(ip []byte, port uint16, q *dnsdata.Query, status dnsdata.Status) {
	b := hex.AppendEncode(make([]byte, 0, 128), ip)
	for _, n := range []uint16{port, q.ID} {
		b = append(b, ':')
		b = hex.AppendEncode(b, binary.BigEndian.AppendUint16(nil, n))
	}
	b = append(b, ' ', byte(status), ' ')
	b = hex.AppendEncode(b, binary.BigEndian.AppendUint16(nil, q.Type))
	b = append(append(append(b, ' '), dnsdata.Text(q.Name)...), '\n')
	s.logMu.Lock()
	defer s.logMu.Unlock()
	os.Stderr.Write(b)
}

// udp answers datagrams for ever.
func (s *server) udp(c *net.UDPConn) {
	in, out := make([]byte, maxPacket), make([]byte, 0, maxPacket)
	for {
		n, from, err := c.ReadFromUDPAddrPort(in)
		if err != nil {
			os.Stderr.WriteString(prog + ": warning: " + err.Error() + "\n")
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if from.Port() == 0 {
			continue
		}
		if out = s.answer(out[:0], in[:n], from, false); len(out) > 0 {
			c.WriteToUDPAddrPort(out, from)
		}
	}
}

// tcp accepts connections, a bounded number at once.
func (s *server) tcp(l net.Listener) {
	slots := make(chan struct{}, maxConns)
	for {
		slots <- struct{}{}
		c, err := l.Accept()
		if err != nil {
			os.Stderr.WriteString(prog + ": warning: " + err.Error() + ", waiting\n")
			time.Sleep(100 * time.Millisecond)
			<-slots
			continue
		}
		go func() {
			defer func() { <-slots }()
			defer c.Close()
			s.stream(c)
		}()
	}
}

// stream answers the questions of one connection, one after another (RFC 7766).
func (s *server) stream(c net.Conn) {
	from, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return
	}
	end := time.Now().Add(tcpTime)
	in := make([]byte, 2+maxPacket)
	for time.Now().Before(end) {
		c.SetDeadline(time.Now().Add(tcpIdle))
		if _, err := io.ReadFull(c, in[:2]); err != nil {
			return
		}
		n := int(binary.BigEndian.Uint16(in))
		if n > maxPacket {
			os.Stderr.WriteString(prog + ": warning: question of " + strconv.Itoa(n) + " bytes over TCP\n")
			return
		}
		if _, err := io.ReadFull(c, in[:n]); err != nil {
			return
		}
		out := s.answer(make([]byte, 2, 2048), in[:n], from, true)
		if len(out) <= 2 {
			return
		}
		binary.BigEndian.PutUint16(out, uint16(len(out)-2))
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}
