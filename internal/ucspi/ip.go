// SPDX-License-Identifier: ISC

package ucspi

import "net/netip"

// IP writes 4 or 16 address bytes the usual way (RFC 5952 for IPv6); an
// IPv4-mapped address is written as IPv4.
func IP(b []byte) string {
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return ""
	}
	return a.Unmap().String()
}

// Loopback says whether ip is an address of this machine's loopback net.
func Loopback(ip string) bool {
	a, err := netip.ParseAddr(ip)
	return err == nil && a.Unmap().IsLoopback()
}
