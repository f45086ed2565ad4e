// SPDX-License-Identifier: ISC

package main

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"quill/internal/procuse"
)

// pktinfoRoom is a control message of IP_PKTINFO (ip(7)).
const pktinfoRoom = 32

// spoof floods from addresses of 127.0.0.0/8 chosen at random, one for each
// question, and says what memory the server has before and after.
func spoof(args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	r, err := spoofed(o)
	if err != nil {
		return err
	}
	r.print(o)
	if r.Answered == 0 {
		return errServer
	}
	return nil
}

// spoofed sends for the time that is wished for.
func spoofed(o *options) (*outcome, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var pids []int
	if o.pid != 0 {
		if pids = procuse.Tree(o.pid); len(pids) == 0 {
			return nil, errors.New("there is no process of that pid")
		}
	}
	p, in, out, control := pack(o.names, o.edns), newBatch(maxWindow, true, false), spoofBatch(o.to), make([]byte, sendBatch*pktinfoRoom)
	sources := spoofSources(out, control)
	var fds []int
	for range o.sockets {
		fd, err := bound(netip.AddrPortFrom(netip.IPv4Unspecified(), 0))
		if err != nil {
			return nil, err
		}
		defer syscall.Close(fd)
		fds = append(fds, fd)
	}
	r, random, n := &outcome{}, rand.New(rand.NewPCG(127, 0)), counters{}
	if err := r.weigh(&r.Before, pids); err != nil {
		return nil, err
	}
	next, start, used := 0, time.Now(), procuse.Clock(pids)
	for time.Since(start).Seconds() < o.seconds {
		for _, fd := range fds {
			for i := range sendBatch {
				packet := p.at(next)
				binary.BigEndian.PutUint16(packet, uint16(next))
				out.set(i, packet)
				binary.BigEndian.PutUint32(sources[i], 127<<24|random.Uint32N(1<<24-2)+1)
				next = (next + 1) % p.len()
			}
			sent, _ := out.send(fd, sendBatch)
			n.sent += int64(sent)
			n.hear(in, fd)
		}
	}
	r.Seconds, r.server = time.Since(start).Seconds(), procuse.Clock(pids)-used
	r.take(&n)
	r.Lost = r.Sent - r.Answered
	return r, r.weigh(&r.After, pids)
}

// weigh looks how much memory the server has.
func (r *outcome) weigh(kib *int, pids []int) (err error) {
	*kib, err = procuse.Memory(pids...)
	return err
}

// hear counts what answers are there.
func (n *counters) hear(in *batch, fd int) {
	for got := maxWindow; got == maxWindow; {
		got, _ = in.receive(fd, maxWindow)
		for i := range got {
			if a := in.got(i); len(a) >= header {
				n.answered++
				n.bytes += int64(len(a))
				n.rcodes[a[3]&15]++
			}
		}
	}
}

// spoofBatch is one to send, all packets to one address.
func spoofBatch(to netip.AddrPort) *batch {
	b := newBatch(sendBatch, false, true)
	for i := range b.names {
		n := &b.names[i]
		n.Family, n.Addr = syscall.AF_INET, to.Addr().As4()
		binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&n.Port))[:], to.Port())
	}
	return b
}

// spoofSources gives each packet a control message with its source, and says
// where in control that is.
func spoofSources(b *batch, control []byte) [][]byte {
	var at [][]byte
	for i := range b.msgs {
		c := control[i*pktinfoRoom:][:pktinfoRoom]
		h := (*syscall.Cmsghdr)(unsafe.Pointer(&c[0]))
		h.Level, h.Type = syscall.IPPROTO_IP, syscall.IP_PKTINFO
		h.SetLen(syscall.CmsgLen(syscall.SizeofInet4Pktinfo))
		b.msgs[i].hdr.Control = &c[0]
		b.msgs[i].hdr.SetControllen(syscall.CmsgSpace(syscall.SizeofInet4Pktinfo))
		at = append(at, c[syscall.CmsgLen(0)+4:][:4])
	}
	return at
}
