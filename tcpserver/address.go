// SPDX-License-Identifier: ISC

package tcpserver

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Keys under which a rules database has the lengths of its nets, a byte each,
// the longest first: so a look-up asks for those alone.
const (
	lengths4 = "/4"
	lengths6 = "/6"
)

// lengthsKey is the key of the lengths for an address's family.
func lengthsKey(a netip.Addr) string {
	if a.Is4() {
		return lengths4
	}
	return lengths6
}

// canonical is a client's address as rules have it: RFC 5952's text, an
// IPv4-mapped address as IPv4. What is no address stays as it is, and a is not
// valid then.
func canonical(ip string) (text string, a netip.Addr) {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ip, netip.Addr{}
	}
	a = a.Unmap().WithZone("")
	return a.String(), a
}

// splitRule splits a line at the colon before its instruction. Addresses of IPv6
// have colons too, and `dead` and `a` are words in them: so it is the first
// colon that a whole allow or deny stands behind; where there is none, the
// first, and the instruction cannot be read.
func splitRule(line string) (addr, what string, ok bool) {
	for i := 0; i < len(line); i++ {
		if line[i] != ':' {
			continue
		}
		rest, found := strings.CutPrefix(line[i+1:], "allow")
		if !found {
			rest, found = strings.CutPrefix(line[i+1:], "deny")
		}
		if found && (rest == "" || rest[0] == ',') {
			return line[:i], line[i+1:], true
		}
	}
	return strings.Cut(line, ":")
}

// address is the key of a rule's address that is a net, or one of IPv6; ok is
// false for all others, which stay as they were written, the family's way. n is
// the net's length, -1 where it is none.
func address(text string) (key string, a netip.Addr, n int, ok bool, err error) {
	info, ip := "", text
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		info, ip = text[:at+1], text[at+1:]
	}
	host := strings.HasPrefix(ip, "=")
	slash, colon := strings.Contains(ip, "/") && !host, strings.Contains(text, ":")
	switch {
	case !slash && !colon:
		return "", a, -1, false, nil
	case host || strings.Contains(info, ":"):
		err = errors.New("a colon where there is no address")
	case slash && info != "":
		err = errors.New("a net cannot have an info before it")
	case slash:
		key, a, n, err = network(ip)
		return key, a, n, true, err
	default:
		key, err = address6(ip)
	}
	return info + key, a, -1, true, err
}

// network is a net as address/length, the bits behind its length cleared. An
// IPv4 address may end early (10./8).
func network(text string) (key string, a netip.Addr, n int, err error) {
	ip, length, _ := strings.Cut(text, "/")
	n, err = strconv.Atoi(length)
	if err != nil || strconv.Itoa(n) != length {
		return "", a, 0, fmt.Errorf("%q is no length of a net", length)
	}
	if !strings.Contains(ip, ":") {
		ip = strings.TrimSuffix(ip, ".")
		ip += strings.Repeat(".0", max(0, 3-strings.Count(ip, ".")))
	}
	if a, err = netip.ParseAddr(ip); err != nil || a.Zone() != "" {
		return "", a, 0, fmt.Errorf("%q is no address", ip)
	}
	if a.Is4In6() {
		a, n = a.Unmap(), n-96
	}
	p, err := a.Prefix(n)
	if err != nil {
		return "", a, 0, fmt.Errorf("a net of %s has at most %d bits", a, a.BitLen())
	}
	return p.String(), p.Addr(), n, nil
}

// address6 is an IPv6 address as canonical writes it, or the begin of one, which
// ends in a colon, in the same spelling.
func address6(text string) (string, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return a.Unmap().String(), nil
	}
	begin, ok := strings.CutSuffix(text, ":")
	groups := strings.Split(begin, ":")
	if !ok || len(groups) > 7 || strings.Count(text, "::") > 1 || strings.Contains(text, ":::") {
		return "", fmt.Errorf("%q is neither an address nor the begin of one", text)
	}
	for i, g := range groups {
		if g == "" && (i > 0 || begin == "" || strings.HasPrefix(text, "::")) {
			continue // of the two colons
		}
		v, err := strconv.ParseUint(g, 16, 16)
		if err != nil || len(g) > 4 {
			return "", fmt.Errorf("%q is neither an address nor the begin of one", text)
		}
		groups[i] = strconv.FormatUint(v, 16)
	}
	return strings.Join(groups, ":") + ":", nil
}

// lengths gathers what lengths of nets there are, by their key.
type lengths map[string][]byte

func (l lengths) add(a netip.Addr, n int) {
	key := lengthsKey(a)
	if !slices.Contains(l[key], byte(n)) {
		l[key] = append(l[key], byte(n))
	}
}

// networks is the keys of the nets around an address, the longest first, of
// those lengths.
func networks(a netip.Addr, lengths []byte) (keys []string) {
	for _, n := range lengths {
		if p, err := a.Prefix(int(n)); err == nil {
			keys = append(keys, p.String())
		}
	}
	return keys
}
