// SPDX-License-Identifier: ISC

package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// loopback is the index of the interface lo: the first in every namespace.
const loopback = 1

// kernel is a netlink socket, rtnetlink(7), of the network that the thread was
// in when it was opened.
type kernel struct{ fd int }

func dialKernel() (kernel, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	return kernel{fd}, err
}

func (k kernel) close() { unix.Close(k.fd) }

func (k kernel) loopbackUp() error {
	return k.do(unix.RTM_NEWLINK, 0, &unix.IfInfomsg{Index: loopback, Flags: unix.IFF_UP, Change: unix.IFF_UP})
}

// addAddress gives the loopback interface an address, alone in its net.
func (k kernel) addAddress(a netip.Addr) error {
	m := &unix.IfAddrmsg{Family: unix.AF_INET, Prefixlen: 32, Index: loopback}
	return k.do(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m, attr{unix.IFA_LOCAL, a.AsSlice()}, attr{unix.IFA_ADDRESS, a.AsSlice()})
}

// sourceOf makes src the source address of what goes to dst and has none yet:
// in place of the route that the kernel made for dst, which says dst.
func (k kernel) sourceOf(dst, src netip.Addr) error {
	m := &unix.RtMsg{Family: unix.AF_INET, Dst_len: 32, Table: unix.RT_TABLE_LOCAL, Protocol: unix.RTPROT_KERNEL, Scope: unix.RT_SCOPE_HOST, Type: unix.RTN_LOCAL}
	return k.do(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, m,
		attr{unix.RTA_DST, dst.AsSlice()}, attr{unix.RTA_PREFSRC, src.AsSlice()}, attr{unix.RTA_OIF, binary.NativeEndian.AppendUint32(nil, loopback)})
}

// attr is an attribute of a request.
type attr struct {
	kind  uint16
	value []byte
}

// do sends one request and waits for the kernel's word on it.
func (k kernel) do(kind, flags uint16, message any, attrs ...attr) error {
	b, err := request(kind, flags, message, attrs)
	if err != nil {
		return err
	}
	if err := unix.Sendto(k.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	for {
		n, _, err := unix.Recvfrom(k.fd, answer, 0)
		if err == nil {
			return verdict(answer[:n])
		}
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// request is the bytes of a request that wants an answer. Every attribute of
// ours is a multiple of 4 bytes, so none needs padding.
func request(kind, flags uint16, message any, attrs []attr) ([]byte, error) {
	body, err := binary.Append(nil, binary.NativeEndian, message)
	if err != nil {
		return nil, err
	}
	for _, a := range attrs {
		body = binary.NativeEndian.AppendUint16(body, uint16(unix.SizeofRtAttr+len(a.value)))
		body = binary.NativeEndian.AppendUint16(body, a.kind)
		body = append(body, a.value...)
	}
	head := unix.NlMsghdr{Len: uint32(unix.SizeofNlMsghdr + len(body)), Type: kind, Flags: unix.NLM_F_REQUEST | unix.NLM_F_ACK | flags, Seq: 1}
	b, err := binary.Append(nil, binary.NativeEndian, &head)
	return append(b, body...), err
}

// verdict is what the kernel's answer to a request says: nil, or an errno.
func verdict(b []byte) error {
	if len(b) < unix.SizeofNlMsghdr+4 {
		return fmt.Errorf("netlink: an answer of %d bytes", len(b))
	}
	if kind := binary.NativeEndian.Uint16(b[4:]); kind != unix.NLMSG_ERROR {
		return fmt.Errorf("netlink: an answer of type %d", kind)
	}
	if code := int32(binary.NativeEndian.Uint32(b[unix.SizeofNlMsghdr:])); code != 0 {
		return syscall.Errno(-code)
	}
	return nil
}
