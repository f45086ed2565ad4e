// SPDX-License-Identifier: ISC

package dnsserve

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// stride lies between packets. It is no power of two: those would fall on
	// the same lines of the processor's cache.
	stride      = maxPacket + 64
	nameRoom    = unix.SizeofSockaddrInet6
	controlRoom = 64                 // a message with the address that was asked, of either family
	arenaSize   = batch*512 + answer // answers, one after the other
	answer      = 4096               // an answer that is longer is given memory of its own
)

// packets is room for what recvmmsg(2) and sendmmsg(2) move at once. The kernel
// writes the addresses of clients to names, from where they are sent to again.
type packets struct {
	in, out       [batch]unix.Mmsghdr
	inAt, outAt   [batch]unix.Iovec
	names         [batch][nameRoom]byte
	control       [batch][controlRoom]byte
	bytes         []byte
	arena         []byte
	used          int  // messages of in that the kernel has written to
	count, filled int  // answers that wait in out, and their bytes in arena
	where         bool // take and give the address that was asked
}

func newPackets(where bool) *packets {
	p := &packets{bytes: make([]byte, batch*stride), arena: make([]byte, arenaSize), used: batch, where: where}
	for i := range p.in {
		p.inAt[i].Base = &p.bytes[i*stride]
		p.inAt[i].SetLen(maxPacket)
		h := &p.in[i].Hdr
		h.Name, h.Iov, h.Iovlen = &p.names[i][0], &p.inAt[i], 1
		if where {
			h.Control = &p.control[i][0]
		}
		o := &p.out[i].Hdr
		o.Iov, o.Iovlen = &p.outAt[i], 1
	}
	return p
}

// receive waits for datagrams and takes those that are there.
func (p *packets) receive(fd int) (n int, err error) {
	for i := range p.used {
		h := &p.in[i].Hdr
		h.Namelen = nameRoom
		if p.where {
			h.Controllen = controlRoom
		}
	}
	p.used = 0
	r, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&p.in)), batch, unix.MSG_WAITFORONE, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	p.used = int(r)
	return p.used, nil
}

// packet is the i-th that was received.
func (p *packets) packet(i int) []byte {
	return p.bytes[i*stride : i*stride+min(int(p.in[i].Len), maxPacket)]
}

// from is who sent the i-th; ok is false for one that cannot be answered.
func (p *packets) from(i int) (from netip.AddrPort, ok bool) {
	name := &p.names[i]
	port := binary.BigEndian.Uint16(name[2:])
	switch family := binary.NativeEndian.Uint16(name[:]); {
	case family == unix.AF_INET && p.in[i].Hdr.Namelen >= unix.SizeofSockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(name[4:])), port), port != 0
	case family == unix.AF_INET6 && p.in[i].Hdr.Namelen >= unix.SizeofSockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(name[8:])).Unmap(), port), port != 0
	}
	return from, false
}

// room is where the next answer is to be written; nil where the answers that
// wait must be sent first.
func (p *packets) room() []byte {
	if len(p.arena)-p.filled < answer {
		return nil
	}
	return p.arena[p.filled : p.filled : p.filled+answer]
}

// add has b, which was appended to room, sent to who sent the i-th packet.
func (p *packets) add(i int, b []byte) {
	h, at := &p.out[p.count].Hdr, &p.outAt[p.count]
	at.Base = &b[0]
	at.SetLen(len(b))
	h.Name, h.Namelen = &p.names[i][0], p.in[i].Hdr.Namelen
	h.Control, h.Controllen = nil, 0
	if p.where {
		if c := source(p.control[i][:p.in[i].Hdr.Controllen]); len(c) > 0 {
			h.Control = &c[0]
			h.SetControllen(len(c))
		}
	}
	p.count++
	if len(b) <= answer {
		p.filled += (len(b) + 63) &^ 63
	}
}

// send sends the answers that wait. One that the system does not take is lost,
// like any datagram.
func (p *packets) send(fd int) {
	for at := 0; at < p.count; {
		n, _, errno := syscall.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&p.out[at])), uintptr(p.count-at), 0, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			at++
		default:
			at += int(n)
		}
	}
	p.count, p.filled = 0, 0
}
