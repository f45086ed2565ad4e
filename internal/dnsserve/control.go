// SPDX-License-Identifier: ISC

package dnsserve

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Where things lie in a control message of a machine with 64 bits (cmsg(3)).
const (
	controlHead = unix.SizeofCmsghdr
	controlUnit = 8
)

// source makes of the control messages that came with a question the one that
// sends its answer from the address that was asked; nothing where there is none.
// The interface is left to the routes, but for addresses that mean nothing
// without one (RFC 4007).
func source(control []byte) []byte {
	for len(control) >= controlHead {
		length := int(binary.NativeEndian.Uint64(control))
		if length < controlHead || length > len(control) {
			return nil
		}
		level, kind := binary.NativeEndian.Uint32(control[8:]), binary.NativeEndian.Uint32(control[12:])
		data := control[controlHead:length]
		switch {
		case level == unix.IPPROTO_IP && kind == unix.IP_PKTINFO && len(data) == unix.SizeofInet4Pktinfo:
			clear(data[:4])
			return control[:length:length]
		case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_PKTINFO && len(data) == unix.SizeofInet6Pktinfo:
			if data[0] != 0xfe || data[1]&0xc0 != 0x80 {
				clear(data[16:])
			}
			return control[:length:length]
		}
		control = control[min((length+controlUnit-1)&^(controlUnit-1), len(control)):]
	}
	return nil
}
