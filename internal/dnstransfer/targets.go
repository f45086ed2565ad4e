// SPDX-License-Identifier: ISC

package dnstransfer

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

const domainPort = 53

// Target is who is told of a zone's changes.
type Target struct {
	Zone []byte // wire form, lower case
	To   netip.AddrPort
	Key  string // as it is written; "": none
}

// ParseAddress reads address, address:port or address@port; IPv6 is in brackets
// where a port follows a colon. Without a port it is 53.
func ParseAddress(s string) (netip.AddrPort, error) {
	if at, err := netip.ParseAddrPort(s); err == nil && at.Port() != 0 {
		return at, nil
	}
	host, port, has := strings.Cut(s, "@")
	n := uint64(domainPort)
	var err error
	if has {
		n, err = strconv.ParseUint(port, 10, 16)
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	a, aerr := netip.ParseAddr(host)
	if err != nil || aerr != nil || n == 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address, nor one with a port", s)
	}
	return netip.AddrPortFrom(a, uint16(n)), nil
}

// ParseTargets reads lines zone:address or zone:address:keyname. A port stands
// behind @; addresses of IPv6 are in brackets, with their port.
func ParseTargets(r io.Reader) ([]Target, error) {
	var all []Target
	err := eachLine(r, func(line string) error {
		zone, rest, ok := strings.Cut(line, ":")
		if !ok {
			return errors.New("want zone:address or zone:address:keyname")
		}
		wire, err := wireName(zone)
		if err != nil {
			return err
		}
		to, key, keyed := cutAddress(rest)
		at, err := ParseAddress(to)
		if err != nil {
			return err
		}
		if keyed && key == "" {
			return errors.New("the name of the key is missing")
		}
		all = append(all, Target{wire, at, key})
		return nil
	})
	return all, err
}
