// SPDX-License-Identifier: ISC

package main

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"time"

	"quill/internal/cdb"
	"quill/internal/dnsanswer"
	"quill/internal/dnstransfer"
	"quill/internal/dnswire"
	"quill/internal/transferfiles"
	"quill/internal/ucspi"
)

// Limits; axfrdns(8) lists them.
const (
	maxQuestion = 4096
	djbQuestion = 512
	patience    = 60 * time.Second // for a question to come, and for a message to be taken
)

// What a client has no answer for, in djb's words.
var (
	errOutside    = errors.New("unable to locate information in data.cdb")
	errDisallowed = errors.New("disallowed zone transfer request")
)

// session is one client's.
type session struct {
	conn  *ucspi.Stream
	from  netip.AddrPort
	djb   bool
	all   bool                 // AXFR is not set: every zone is allowed
	zones dnstransfer.ZoneList // else these
	files *transferfiles.Files
	data  answers
}

func newSession() (*session, error) {
	env := ucspi.Process().FromSocket(0)
	s := &session{conn: ucspi.NewStream(0, 1, false), files: transferfiles.New(warn)}
	ip, err := netip.ParseAddr(env.Value("TCPREMOTEIP"))
	if err != nil {
		ip = netip.IPv4Unspecified()
	}
	port, _ := strconv.ParseUint(env.Value("TCPREMOTEPORT"), 10, 16)
	s.from = netip.AddrPortFrom(ip.Unmap().WithZone(""), uint16(port))
	list, set := env.Lookup("AXFR")
	s.all, s.zones = !set, dnstransfer.ParseZoneList(list)
	switch v := env.Value("ANSWERS"); v {
	case "djb":
		s.djb = true
		if !s.from.Addr().Is4() {
			s.from = netip.AddrPortFrom(netip.IPv4Unspecified(), s.from.Port())
		}
	case "", "rfc":
	default:
		return nil, fmt.Errorf("$ANSWERS is %q: want rfc or djb", v)
	}
	s.data = answers{warn: warn, composer: dnsanswer.New(dnsanswer.Config{DJB: s.djb})}
	if s.djb {
		s.data.warn = func(error) {} // it dies of having nothing to say
	}
	return s, nil
}

// serve answers questions until the client goes.
func (s *session) serve() error {
	answer, most := s.answer, maxQuestion
	if s.djb {
		answer, most = s.answerDJB, djbQuestion
	}
	for {
		packet, err := s.read(most)
		if packet == nil || err != nil {
			return err
		}
		if err := answer(packet); err != nil {
			return err
		}
	}
}

// read is the next question; nil where the client has gone.
func (s *session) read(most int) ([]byte, error) {
	s.conn.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, dnswire.MaxTCP)
	n := 2
	for at := 0; at < n; {
		got, err := s.conn.Read(b[at:n])
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("unable to read from network: %w", plain(err))
		}
		if at += got; at == 2 && n == 2 {
			if n += int(binary.BigEndian.Uint16(b)); n-2 > most {
				return nil, errors.New("excessively large request")
			}
		}
	}
	return b[2:n], nil
}

// write sends a message.
func (s *session) write(msg []byte) error {
	s.conn.SetWriteDeadline(time.Now().Add(patience))
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(msg)), uint16(len(msg)))
	if _, err := s.conn.Write(append(b, msg...)); err != nil {
		return fmt.Errorf("unable to write to network: %w", plain(err))
	}
	return nil
}

// plain is an error in djb's words.
func plain(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("timed out")
	}
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("file does not exist")
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		return call.Err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// answer answers a question by today's rules.
func (s *session) answer(packet []byte) error {
	if q, ok := dnstransfer.Read(packet); ok {
		s.log(q.ID, q.Type, q.Name)
		return s.transfer(q, packet)
	}
	var q dnswire.Query
	inner := func(out, bare []byte) []byte { return s.data.answer(out, bare, s.from, &q) }
	var said []byte
	if dnstransfer.Signed(packet) {
		said = dnstransfer.Around(nil, packet, s.files.Keys(), time.Now(), true, inner)
	} else {
		said = inner(nil, packet)
	}
	if q.Name != nil {
		s.log(q.ID, q.Type, q.Name)
	}
	if len(said) == 0 {
		return nil // an answer of somebody's
	}
	return s.write(said)
}

// transfer sends a zone, if the client may have it.
func (s *session) transfer(q *dnstransfer.Request, packet []byte) error {
	write := s.write
	if dnstransfer.Signed(packet) {
		_, signer, refusal := dnstransfer.Accept(packet, s.files.Keys(), time.Now())
		if refusal != nil {
			return s.write(refusal)
		}
		write = func(msg []byte) error { return s.write(signer.Sign(msg, time.Now())) }
	}
	if wrong := q.Wrong(); wrong != nil {
		return write(wrong)
	}
	if !s.all && !s.zones.Has(q.Zone()) {
		if err := write(q.Prohibited()); err != nil {
			return err
		}
		return errDisallowed // djb's axfr-get does not see a refusal, but a connection that ends
	}
	err := transferfiles.Send(q, dnstransfer.Client{Addr: s.from.Addr(), Now: time.Now()}, warn, write)
	if errors.Is(err, dnstransfer.ErrNoZone) {
		return nil
	}
	return err
}

// answerDJB answers as djb's axfrdns does, or dies of the question.
func (s *session) answerDJB(packet []byte) error {
	q, err := dnstransfer.ReadDJB(packet)
	if err != nil {
		return err
	}
	s.log(q.ID, q.Type, q.Name)
	if q.Type != dnswire.TypeAXFR {
		var parsed dnswire.Query
		said := s.data.answer(nil, packet, s.from, &parsed)
		if len(said) == 0 {
			return errOutside
		}
		return s.write(said)
	}
	if !s.all && !s.zones.Has(q.Zone()) {
		return errDisallowed
	}
	var broken error // of the network
	err = transferfiles.Use(func(m *cdb.Map) error {
		return q.SendDJB(m, dnstransfer.Client{Addr: s.from.Addr(), Now: time.Now()}, func(msg []byte) error {
			broken = s.write(msg)
			return broken
		})
	})
	switch {
	case err == nil || broken != nil:
		return broken
	case errors.Is(err, dnstransfer.ErrNoZone):
		return errOutside
	}
	return fmt.Errorf("unable to read data.cdb: %w", plain(err))
}

// log is djb's line: address, port and id in hexadecimal, type, name.
func (s *session) log(id, kind uint16, name []byte) {
	b := hex.AppendEncode(nil, s.from.Addr().AsSlice())
	for _, n := range []uint16{s.from.Port(), id} {
		b = append(b, ':')
		b = hex.AppendEncode(b, binary.BigEndian.AppendUint16(nil, n))
	}
	b = append(b, ' ')
	b = hex.AppendEncode(b, binary.BigEndian.AppendUint16(nil, kind))
	os.Stderr.Write(append(append(append(b, ' '), dnswire.Text(name)...), '\n'))
}

// warn says on descriptor 2 what went wrong without ending anything.
func warn(err error) { os.Stderr.WriteString(prog + ": warning: " + err.Error() + "\n") }
