// SPDX-License-Identifier: ISC

package chain

import (
	"bytes"
	"encoding/binary"
)

// Packet is one connection on its way down a chain.
type Packet struct {
	Serial uint64   // names the session between two programs; Next gives it where it is 0
	Env    []string // VAR=value, laid over the program's own environment
	Ahead  []byte   // read from the client, not used yet
	Conn   int      // the connection; -1 where the packet only asks
	// Control and Data are the descriptors by which TLS can be begun; -1 where
	// it cannot.
	Control, Data int
}

// Report is what comes back: the end of a session, or news of it.
type Report struct {
	Serial uint64
	Status uint32 // as wait(2) gives it, or StatusMore, StatusAccepted
	Text   string // for the caller's log
}

// Statuses beside those of wait(2).
const (
	StatusMore     = 0x10000 // one more packet with this serial is wanted
	StatusAccepted = 0x20000 // the connection is taken; its end comes later
	// StatusCrashed is the end of a session whose program died: as killed.
	StatusCrashed = 9
)

// Exited is the status of a session that ended with an exit code.
func Exited(code int) uint32 { return uint32(code&0xff) << 8 }

// Final says whether no more reports will come for this serial.
func (r Report) Final() bool { return r.Status != StatusMore && r.Status != StatusAccepted }

// ExitCode is the code of an exited session, or -1 for a crashed one and for
// news.
func (r Report) ExitCode() int {
	if r.Status&^0xff00 != 0 {
		return -1
	}
	return int(r.Status >> 8)
}

// appendPacket is p as bytes.
func appendPacket(b []byte, p *Packet) []byte {
	b = binary.LittleEndian.AppendUint64(b, p.Serial)
	for _, v := range p.Env {
		b = append(append(b, v...), 0)
	}
	return append(append(b, 0), p.Ahead...)
}

// fds is the descriptors that go with p.
func (p *Packet) fds() []int {
	if p.Conn < 0 {
		return nil
	}
	if p.Control < 0 {
		return []int{p.Conn}
	}
	return []int{p.Conn, p.Control, p.Data}
}

// parsePacket reads a packet down; it keeps no part of b.
func parsePacket(b []byte, fds []int) (*Packet, error) {
	if len(b) < 9 || len(fds) == 2 || len(fds) > maxFds {
		return nil, ErrMalformed
	}
	p := &Packet{Serial: binary.LittleEndian.Uint64(b), Conn: -1, Control: -1, Data: -1}
	text := string(b[8:])
	for {
		end := bytes.IndexByte(b[len(b)-len(text):], 0)
		if end < 0 {
			return nil, ErrMalformed
		}
		v := text[:end]
		text = text[end+1:]
		if v == "" {
			break
		}
		p.Env = append(p.Env, v)
	}
	if text != "" {
		p.Ahead = []byte(text)
	}
	if len(fds) > 0 {
		p.Conn = fds[0]
	}
	if len(fds) == 3 {
		p.Control, p.Data = fds[1], fds[2]
	}
	return p, nil
}

// appendReport is r as bytes, its text cut to what a packet holds.
func appendReport(b []byte, r Report) []byte {
	b = binary.LittleEndian.AppendUint64(b, r.Serial)
	b = binary.LittleEndian.AppendUint32(b, r.Status)
	return append(b, r.Text[:min(len(r.Text), MaxPacket-12)]...)
}

// parseReport reads a packet up.
func parseReport(b []byte) (Report, error) {
	if len(b) < 12 {
		return Report{}, ErrMalformed
	}
	return Report{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint32(b[8:]), string(b[12:])}, nil
}
