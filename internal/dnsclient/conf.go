// SPDX-License-Identifier: ISC

package dnsclient

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"quill/internal/dnsprint"
)

const (
	resolvConf = "/etc/resolv.conf"
	dnsPort    = 53
	maxConf    = 1 << 20 // bytes of a file that is read
)

// Recursive is a client of the servers that the environment names: QUILLDNS
// (one, with its port), else DNSCACHEIP, else resolv.conf(5), else 127.0.0.1.
func Recursive(getenv func(string) string) (*Client, error) {
	c := &Client{Recursive: true, EDNS: true, Times: DefaultTimes(true)}
	if v := getenv("QUILLDNS"); v != "" {
		one, err := netip.ParseAddrPort(v)
		if err != nil {
			return nil, fmt.Errorf("$QUILLDNS is %q; it must be an address and a port, as 127.0.0.1:53", v)
		}
		c.Servers = []netip.AddrPort{one}
		return c, nil
	}
	if c.Servers = ParseServers(getenv("DNSCACHEIP")); len(c.Servers) > 0 {
		return c, nil
	}
	text, _, err := contents(resolvConf)
	if err != nil {
		return nil, fmt.Errorf("unable to read %s: %w", resolvConf, err)
	}
	c.Servers = nameservers(text)
	return c, nil
}

// ParseServers reads DNSCACHEIP: IPv4 addresses with a dot between them, as
// djb's programs want it, or IPv4 and IPv6 addresses, with a port or without,
// with a space, comma or slash between them. It ends at what is no address.
func ParseServers(s string) (out []netip.AddrPort) {
	for _, word := range strings.FieldsFunc(s, func(c rune) bool { return c == ' ' || c == ',' || c == '/' }) {
		if one, err := ParseServer(word); err == nil {
			out = append(out, one)
			continue
		}
		for word = strings.TrimLeft(word, "."); word != ""; word = strings.TrimLeft(word, ".") {
			ip, rest, ok := dnsprint.IP4(word)
			if !ok {
				return out
			}
			out, word = append(out, netip.AddrPortFrom(ip, dnsPort)), rest
		}
	}
	return out
}

// ParseServer reads an address, with a port or without.
func ParseServer(s string) (netip.AddrPort, error) {
	if one, err := netip.ParseAddrPort(s); err == nil {
		return one, nil
	}
	ip, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return netip.AddrPortFrom(ip, dnsPort), err
}

// SplitPort takes the port off a server's name or address; without one it is
// 53.
func SplitPort(s string) (host string, port uint16) {
	at := strings.LastIndexByte(s, ':')
	if at < 0 || strings.Count(s, ":") > 1 && !strings.HasSuffix(s[:at], "]") {
		return s, dnsPort
	}
	n, err := strconv.ParseUint(s[at+1:], 10, 16)
	if err != nil || n == 0 {
		return s, dnsPort
	}
	return s[:at], uint16(n)
}

// Find is where a server is that is named by an address or a name, with a port
// or without: its IPv4 addresses, else its IPv6 addresses.
func (c *Client) Find(rules Rules, server string) (out []netip.AddrPort, err error) {
	host, port := SplitPort(server)
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil && ip.Is6() {
		return []netip.AddrPort{netip.AddrPortFrom(ip, port)}, nil
	}
	fqdn, ips, err := rules.Qualify(host, c.IP4)
	if err == nil && len(ips) == 0 {
		ips, err = c.IP6(fqdn)
	}
	for _, ip := range ips[:min(len(ips), MaxServers)] {
		out = append(out, netip.AddrPortFrom(ip, port))
	}
	return out, err
}

// nameservers is the servers of a resolv.conf(5). 0.0.0.0 is this host.
func nameservers(text string) (out []netip.AddrPort) {
	here := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	for line := range strings.Lines(text) {
		word, ok := after(line, "nameserver")
		if !ok {
			continue
		}
		words := strings.Fields(word)
		if len(words) == 0 {
			continue
		}
		word = words[0]
		ip, _, ok := dnsprint.IP4(word)
		if !ok {
			var err error
			if ip, err = netip.ParseAddr(word); err != nil {
				continue
			}
		}
		if ip == netip.IPv4Unspecified() {
			ip = here
		}
		out = append(out, netip.AddrPortFrom(ip, dnsPort))
	}
	if len(out) == 0 {
		out = []netip.AddrPort{netip.AddrPortFrom(here, dnsPort)}
	}
	return out[:min(len(out), MaxServers)]
}

// after is what follows a keyword and a space or tab.
func after(line, key string) (string, bool) {
	rest, ok := strings.CutPrefix(line, key)
	if !ok || rest == "" || rest[0] != ' ' && rest[0] != '\t' {
		return "", false
	}
	return rest[1:], true
}

// contents is a file as text, if it is there.
func contents(name string) (text string, there bool, err error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, plain(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConf+1))
	switch {
	case err != nil:
		return "", false, plain(err)
	case len(b) > maxConf:
		return "", false, errors.New("file too big")
	}
	return string(b), true, nil
}
