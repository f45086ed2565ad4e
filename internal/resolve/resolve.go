// SPDX-License-Identifier: ISC

// Package resolve asks recursive or authoritative servers the few questions a
// door has about its clients: the name of an address, the addresses of a name.
// It asks the servers that dnsclient finds. An answer that does not come in
// time is no answer; it never decides who is allowed.
package resolve

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"quill/internal/dnsclient"
	"quill/internal/dnsprint"
	"quill/internal/dnswire"
)

// Limits of a look-up.
const (
	maxNames = 8   // names of one address that are looked at
	maxIdent = 200 // bytes of an ident reply
)

// Resolver asks the servers it was made with.
type Resolver struct {
	client dnsclient.Client
	dialer net.Dialer
}

// New makes a resolver from an environment; where conf is not nil, its servers
// take the place of resolv.conf's. This host is asked where resolv.conf cannot
// be read; a QUILLDNS that is no address and port is an error.
func New(getenv func(string) string, conf []netip.AddrPort) (*Resolver, error) {
	r := &Resolver{client: dnsclient.Client{Recursive: true, EDNS: true}}
	r.dialer.SetMultipathTCP(false)
	r.client.Servers = conf
	if conf != nil && getenv("QUILLDNS") == "" && getenv("DNSCACHEIP") == "" {
		return r, nil
	}
	c, err := dnsclient.Recursive(getenv)
	switch {
	case err == nil:
		r.client.Servers = c.Servers
	case getenv("QUILLDNS") != "":
		return nil, err
	default:
		r.client.Servers = dnsclient.ParseServers("127.0.0.1")
	}
	return r, nil
}

// times is how long servers are waited for, till the end.
func times(end time.Time) dnsclient.Times {
	left := time.Until(end)
	return dnsclient.Times{Rounds: []time.Duration{time.Second, 3 * time.Second, 9 * time.Second, 27 * time.Second}, TCP: left, Total: left}
}

// ask gives the records that answer a question in time.
func (r *Resolver) ask(name []byte, kind uint16, end time.Time) (*dnsprint.Reader, []dnsprint.Record) {
	c := r.client
	c.Times = times(end)
	packet, err := c.Ask(name, kind)
	if err != nil {
		return nil, nil
	}
	m, found, err := dnsclient.Relevant(packet, name, kind)
	if err != nil {
		return nil, nil
	}
	return m, found
}

// Host is the name of an address, without its last dot, or "". A paranoid
// look-up wants the name to lead back to the address.
func (r *Resolver) Host(ip string, paranoid bool, timeout time.Duration) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	end := time.Now().Add(timeout)
	m, found := r.ask(dnsclient.ReverseName(addr.Unmap()), dnswire.TypePTR, end)
	for _, rec := range found[:min(len(found), maxNames)] {
		name, _, err := m.NameAt(rec, 0)
		if err == nil && (!paranoid || r.leadsBack(name, addr.Unmap(), end)) {
			return dnswire.Text(name)
		}
	}
	return ""
}

func (r *Resolver) leadsBack(name []byte, ip netip.Addr, end time.Time) bool {
	for _, a := range r.addrs(name, end) {
		if a == ip {
			return true
		}
	}
	return false
}

// Addrs is the addresses of a name, IPv4 first.
func (r *Resolver) Addrs(name string, timeout time.Duration) []netip.Addr {
	q, err := dnswire.Name(name)
	if err != nil {
		return nil
	}
	return r.addrs(q, time.Now().Add(timeout))
}

func (r *Resolver) addrs(name []byte, end time.Time) (out []netip.Addr) {
	for _, kind := range []uint16{dnswire.TypeA, dnswire.TypeAAAA} {
		m, found := r.ask(name, kind, end)
		for _, rec := range found {
			if a, ok := netip.AddrFromSlice(m.Data(rec)); ok && a.Is4() == (kind == dnswire.TypeA) {
				out = append(out, a.Unmap())
			}
		}
	}
	return out
}

// Info asks the ident server of a connection's client for its user (RFC 1413);
// local and remote are "IP PORT".
func (r *Resolver) Info(local, remote string, timeout time.Duration) string {
	lip, lport, _ := strings.Cut(local, " ")
	rip, rport, _ := strings.Cut(remote, " ")
	from, err := netip.ParseAddr(lip)
	if err != nil {
		return ""
	}
	d := r.dialer
	d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(rip, "113"))
	if err != nil {
		return ""
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(timeout))
	if _, err := c.Write([]byte(rport + " , " + lport + "\r\n")); err != nil {
		return ""
	}
	line, _ := bufio.NewReaderSize(c, maxIdent).ReadSlice('\n')
	f := strings.SplitN(strings.TrimSpace(string(line)), ":", 4)
	if len(f) != 4 || strings.TrimSpace(f[1]) != "USERID" {
		return ""
	}
	return strings.TrimSpace(f[3])
}

// Port is a port by number, or by a name of services(5).
func Port(s string) (uint16, error) {
	if n, err := strconv.ParseUint(s, 10, 16); err == nil {
		return uint16(n), nil
	}
	n, err := net.LookupPort("tcp", s)
	return uint16(n), err
}

// Ask asks one server one question and gives the answers' data as text, those
// of the type asked for: A, AAAA, PTR, NS, CNAME or MX; and the answer's status.
func Ask(server, name, kind string, timeout time.Duration) (answers []string, status string, err error) {
	want, ok := dnsprint.Type(kind)
	if !ok || forms[want] == nil {
		return nil, "", fmt.Errorf("type %s is not known", kind)
	}
	q, err := dnswire.Name(name)
	if err != nil {
		return nil, "", err
	}
	at, err := netip.ParseAddrPort(server)
	if err != nil {
		return nil, "", err
	}
	c := dnsclient.Client{Servers: []netip.AddrPort{at}, Recursive: true, Times: times(time.Now().Add(timeout))}
	packet, err := c.Ask(q, want)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", server, err)
	}
	m, found, err := dnsclient.Relevant(packet, q, want)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", server, err)
	}
	for _, rec := range found {
		text, err := forms[want](m, rec)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", server, err)
		}
		answers = append(answers, text)
	}
	return answers, map[int]string{dnswire.RcodeOK: "NOERROR", dnswire.RcodeNXDomain: "NXDOMAIN"}[m.Rcode()], nil
}

// forms is data as text.
var forms = map[uint16]func(*dnsprint.Reader, dnsprint.Record) (string, error){
	dnswire.TypeA: addressText, dnswire.TypeAAAA: addressText,
	dnswire.TypePTR: nameText, dnswire.TypeNS: nameText, dnswire.TypeCNAME: nameText,
	dnswire.TypeMX: func(m *dnsprint.Reader, rec dnsprint.Record) (string, error) {
		name, _, err := m.NameAt(rec, 2)
		if err != nil || rec.Len < 3 {
			return "", dnsprint.ErrProto
		}
		return fmt.Sprintf("%d %s.", binary.BigEndian.Uint16(m.Data(rec)), strings.TrimSuffix(dnswire.Text(name), ".")), nil
	},
}

func addressText(m *dnsprint.Reader, rec dnsprint.Record) (string, error) {
	a, ok := netip.AddrFromSlice(m.Data(rec))
	if !ok {
		return "", dnsprint.ErrProto
	}
	return a.String(), nil
}

func nameText(m *dnsprint.Reader, rec dnsprint.Record) (string, error) {
	name, _, err := m.NameAt(rec, 0)
	return strings.TrimSuffix(dnswire.Text(name), ".") + ".", err
}
