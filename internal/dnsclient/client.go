// SPDX-License-Identifier: ISC

// Package dnsclient asks name servers the way djb's client programs do: over
// UDP, one server after the other, in rounds with more and more patience, and
// over TCP where an answer was cut. It takes an answer only from the server it
// asked, to the port, id and question that it asked with, and gives up at a
// deadline. It does not cache, and follows no delegation.
package dnsclient

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"quill/internal/dnsprint"
	"quill/internal/dnswire"
	"quill/internal/random"
)

// What became of a question, in the words of djb's programs.
var (
	ErrTimeout = errors.New("timed out")
	ErrAgain   = errors.New("temporary failure") // a server said so: SERVFAIL, REFUSED, ...
	ErrIO      = errors.New("input/output error")
)

// Times are how long a question waits for its answers.
type Times struct {
	Rounds []time.Duration // over UDP, for each server in each round
	TCP    time.Duration   // to connect, and again to ask and hear
	Total  time.Duration   // for all of it
}

// MaxServers is how many servers are asked; further ones are not.
const MaxServers = 16

// DefaultTimes is djb's, and a limit to all of it. Recursive servers, which do
// the work themselves, are not hurried: their first round is the second.
func DefaultTimes(recursive bool) Times {
	t := Times{Rounds: []time.Duration{time.Second, 3 * time.Second, 11 * time.Second, 45 * time.Second}, TCP: 10 * time.Second, Total: 2 * time.Minute}
	if recursive {
		t.Rounds = t.Rounds[1:]
	}
	return t
}

// Client asks Servers. Any number of questions may be under way at once.
type Client struct {
	Servers   []netip.AddrPort
	Recursive bool // wants the servers to do the work
	EDNS      bool // asks for up to dnswire.MaxUDP bytes over UDP; the answer has an OPT record more
	Times     Times
}

// Ask gives the answer to a question, in wire form: a packet of 12 bytes or
// more that has its id, one question, which is ours, and the code 0 or 3. Where
// there is none, the error is in djb's words.
func (c *Client) Ask(name []byte, kind uint16) ([]byte, error) {
	q := question{name: name, kind: kind, recursive: c.Recursive, edns: c.EDNS}
	servers := slices.Clone(c.Servers[:min(len(c.Servers), MaxServers)])
	end := time.Now().Add(c.Times.Total)
	last := ErrIO
	for _, wait := range c.Times.Rounds {
		for i := range servers {
			if !servers[i].IsValid() {
				continue
			}
			left := min(wait, time.Until(end))
			if left <= 0 {
				return nil, ErrTimeout
			}
			packet, err := q.overUDP(servers[i], left)
			switch {
			case err == nil && truncated(packet):
				return c.askTCP(q, end)
			case err == nil:
				return packet, nil
			case errors.Is(err, ErrAgain):
				servers[i] = netip.AddrPort{} // it will say so again
			}
			last = err
		}
		q.edns = false // some that do not answer dislike it
	}
	return nil, last
}

// askTCP asks the servers over TCP, each once.
func (c *Client) askTCP(q question, end time.Time) ([]byte, error) {
	last := ErrIO
	for _, server := range c.Servers[:min(len(c.Servers), MaxServers)] {
		if time.Until(end) <= 0 {
			return nil, ErrTimeout
		}
		packet, err := q.overTCP(server, c.Times.TCP, end)
		if err == nil && truncated(packet) {
			err = ErrIO
		}
		if err == nil {
			return packet, nil
		}
		last = err
	}
	return nil, last
}

// truncated says whether an answer was cut (TC).
func truncated(packet []byte) bool { return packet[2]&2 != 0 }

// question is what is asked; each time with an id of its own.
type question struct {
	name      []byte
	kind      uint16
	recursive bool
	edns      bool
}

// wire is the packet that asks.
func (q *question) wire(id uint16, edns bool) []byte {
	flags, extra := uint16(0), uint16(0)
	if q.recursive {
		flags = dnswire.FlagRD
	}
	if edns {
		extra = 1
	}
	out := make([]byte, 0, dnswire.HeaderLen+len(q.name)+4+11)
	for _, n := range []uint16{id, flags, 1, 0, 0, extra} {
		out = binary.BigEndian.AppendUint16(out, n)
	}
	out = append(out, q.name...)
	out = binary.BigEndian.AppendUint16(out, q.kind)
	out = binary.BigEndian.AppendUint16(out, dnswire.ClassIN)
	if edns {
		out = append(out, 0, 0, dnswire.TypeOPT, dnswire.MaxUDP>>8, dnswire.MaxUDP&0xff, 0, 0, 0, 0, 0, 0)
	}
	return out
}

// answeredBy says whether a packet is an answer to this question (RFC 5452 §3).
func (q *question) answeredBy(packet []byte, id uint16) bool {
	r, err := dnsprint.Read(packet)
	if err != nil || r.ID != id || r.Flags&dnswire.FlagQR == 0 || r.Counts[0] != 1 {
		return false
	}
	name, kind, class, _, err := r.Question()
	return err == nil && kind == q.kind && class == dnswire.ClassIN && string(dnswire.Lower(name)) == string(dnswire.Lower(q.name))
}

// failed says whether an answer is none: only "here it is" and "no such name"
// are.
func failed(packet []byte) bool {
	rcode := packet[3] & 15
	return rcode != dnswire.RcodeOK && rcode != dnswire.RcodeNXDomain
}

// overUDP asks one server. One that does not know EDNS is asked without
// (RFC 6891 §7).
func (q *question) overUDP(server netip.AddrPort, wait time.Duration) ([]byte, error) {
	packet, err := q.exchange(server, wait, q.edns)
	if err == nil && q.edns && !truncated(packet) && (packet[3]&15 == dnswire.RcodeFormErr || packet[3]&15 == dnswire.RcodeNotImp) {
		packet, err = q.exchange(server, wait, false)
	}
	if err == nil && !truncated(packet) && failed(packet) {
		err = ErrAgain
	}
	return packet, err
}

// exchange sends a packet from a port of its own, and waits for the answer;
// what is none is passed over.
func (q *question) exchange(server netip.AddrPort, wait time.Duration, edns bool) ([]byte, error) {
	conn, err := dialUDP(server)
	if err != nil {
		return nil, plain(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(wait)); err != nil {
		return nil, plain(err)
	}
	id := number(1 << 16)
	if _, err := conn.Write(q.wire(id, edns)); err != nil {
		return nil, plain(err)
	}
	limit := dnswire.MinUDP
	if edns {
		limit = dnswire.MaxUDP
	}
	packet := make([]byte, limit+1)
	for {
		n, err := conn.Read(packet)
		if err != nil {
			return nil, plain(err)
		}
		if n <= limit && q.answeredBy(packet[:n], id) {
			return packet[:n], nil
		}
	}
}

// dialUDP is a socket that takes packets of this server only, at a port that
// nobody can guess.
func dialUDP(server netip.AddrPort) (*net.UDPConn, error) {
	const tries = 10
	to := net.UDPAddrFromAddrPort(server)
	for range tries {
		if conn, err := net.DialUDP("udp", &net.UDPAddr{Port: 1025 + int(number(64510))}, to); err == nil {
			return conn, nil
		}
	}
	return net.DialUDP("udp", nil, to)
}

// overTCP asks one server over TCP.
func (q *question) overTCP(server netip.AddrPort, wait time.Duration, end time.Time) ([]byte, error) {
	d := net.Dialer{Timeout: min(wait, time.Until(end))}
	d.SetMultipathTCP(false)
	conn, err := d.Dial("tcp", server.String())
	if err != nil {
		return nil, plain(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(min(wait, time.Until(end)))); err != nil {
		return nil, plain(err)
	}
	id := number(1 << 16)
	packet := q.wire(id, false)
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)); err != nil {
		return nil, plain(err)
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, plain(err)
	}
	packet = make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, packet); err != nil {
		return nil, plain(err)
	}
	switch {
	case !q.answeredBy(packet, id):
		return nil, ErrIO
	case !truncated(packet) && failed(packet):
		return nil, ErrAgain
	}
	return packet, nil
}

// number is a random number below n, which is at most 65536.
func number(n int) uint16 {
	var b [4]byte
	random.Fill(b[:])
	return uint16(uint64(binary.BigEndian.Uint32(b[:])) * uint64(n) >> 32)
}

// words is system errors as djb's programs say them.
var words = map[syscall.Errno]string{
	syscall.ENOENT: "file does not exist", syscall.EPERM: "permission denied", syscall.EACCES: "access denied", syscall.EISDIR: "is a directory",
	syscall.ECONNREFUSED: "connection refused", syscall.ECONNRESET: "connection reset", syscall.ENETUNREACH: "network unreachable", syscall.ENETDOWN: "network down",
	syscall.EHOSTUNREACH: "host unreachable", syscall.EADDRNOTAVAIL: "address not available", syscall.EADDRINUSE: "address already used",
	syscall.EINVAL: "invalid argument", syscall.EMFILE: "process cannot open more files", syscall.ENFILE: "system cannot open more files",
	syscall.EPIPE: "broken pipe", syscall.ENOSPC: "out of disk space", syscall.ETIMEDOUT: "timed out",
}

// plain is a system's error in djb's words.
func plain(err error) error {
	var errno syscall.Errno
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrTimeout
	case errors.As(err, &errno) && words[errno] != "":
		return errors.New(words[errno])
	}
	return ErrIO
}
