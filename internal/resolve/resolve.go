// SPDX-License-Identifier: ISC

// Package resolve asks recursive or authoritative servers the few questions a
// door has about its clients: the name of an address, the addresses of a name.
// It asks the servers of QUILLDNS (host:port), else of DNSCACHEIP, else of
// resolv.conf, over UDP and on truncation TCP. An answer that does not come in
// time is no answer; it never decides who is allowed.
package resolve

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Limits of a look-up.
const (
	maxServers = 16
	maxNames   = 8   // names of one address that are looked at
	maxRounds  = 4   // times that all servers are asked
	maxIdent   = 200 // bytes of an ident reply
)

// Resolver asks the servers it was made with.
type Resolver struct {
	servers []string
	dialer  net.Dialer
}

// New makes a resolver from an environment; where conf is nil, resolv.conf is
// read as the last resort.
func New(getenv func(string) string, conf []string) *Resolver {
	r := &Resolver{}
	r.dialer.SetMultipathTCP(false)
	switch {
	case getenv("QUILLDNS") != "":
		r.servers = []string{getenv("QUILLDNS")}
	case getenv("DNSCACHEIP") != "":
		r.servers = withPort(strings.FieldsFunc(getenv("DNSCACHEIP"), func(c rune) bool { return c == ' ' || c == '/' || c == ',' }))
	case conf != nil:
		r.servers = conf
	default:
		r.servers = withPort(resolvConf("/etc/resolv.conf"))
	}
	r.servers = r.servers[:min(len(r.servers), maxServers)]
	return r
}

func withPort(hosts []string) []string {
	out := make([]string, 0, len(hosts))
	for _, h := range hosts {
		out = append(out, net.JoinHostPort(h, "53"))
	}
	return out
}

// resolvConf is the nameservers of a resolv.conf(5), or the local one.
func resolvConf(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return []string{"127.0.0.1"}
	}
	defer f.Close()
	var out []string
	for in := bufio.NewScanner(f); in.Scan(); {
		if w := strings.Fields(in.Text()); len(w) > 1 && w[0] == "nameserver" {
			out = append(out, w[1])
		}
	}
	if len(out) == 0 {
		out = []string{"127.0.0.1"}
	}
	return out
}

// ask asks the servers in turn until one answers, within the time, and gives
// the records that answer.
func (r *Resolver) ask(name string, kind uint16, end time.Time) []dns.RR {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), kind)
	m.SetEdns0(1232, false)
	wait := time.Second
	for range maxRounds {
		for _, server := range r.servers {
			left := min(time.Until(end), wait)
			if left <= 0 {
				return nil
			}
			for _, over := range []string{"udp", "tcp"} {
				c := dns.Client{Net: over, Timeout: left, Dialer: &net.Dialer{Timeout: left}}
				c.Dialer.SetMultipathTCP(false)
				a, _, err := c.Exchange(m, server)
				if err != nil || !genuine(m, a) {
					break
				}
				if a.Truncated && over == "udp" {
					continue
				}
				if a.Rcode == dns.RcodeSuccess || a.Rcode == dns.RcodeNameError {
					return relevant(a)
				}
				break
			}
		}
		wait *= 3
	}
	return nil
}

// genuine says whether a is an answer to the question of m (RFC 5452 §3); the
// client has looked at the id.
func genuine(m, a *dns.Msg) bool {
	return a.Response && len(a.Question) == 1 && a.Question[0].Qtype == m.Question[0].Qtype && a.Question[0].Qclass == m.Question[0].Qclass &&
		strings.EqualFold(a.Question[0].Name, m.Question[0].Name)
}

// relevant is the records of an answer that belong to its question's name, or
// to where that is an alias for: a server may add what nobody asked it.
func relevant(a *dns.Msg) (out []dns.RR) {
	name := a.Question[0].Name
	for _, rr := range a.Answer {
		if !strings.EqualFold(rr.Header().Name, name) {
			continue
		}
		if alias, ok := rr.(*dns.CNAME); ok {
			name = alias.Target
			continue
		}
		out = append(out, rr)
	}
	return out
}

// Host is the name of an address, without its last dot, or "". A paranoid
// look-up wants the name to lead back to the address.
func (r *Resolver) Host(ip string, paranoid bool, timeout time.Duration) string {
	reverse, err := dns.ReverseAddr(ip)
	if err != nil {
		return ""
	}
	end := time.Now().Add(timeout)
	names := 0
	for _, rr := range r.ask(reverse, dns.TypePTR, end) {
		ptr, ok := rr.(*dns.PTR)
		if names++; !ok || names > maxNames {
			continue
		}
		name := strings.TrimSuffix(ptr.Ptr, ".")
		if !paranoid || r.leadsBack(name, ip, end) {
			return name
		}
	}
	return ""
}

func (r *Resolver) leadsBack(name, ip string, end time.Time) bool {
	for _, a := range r.Addrs(name, time.Until(end)) {
		if a.String() == ip {
			return true
		}
	}
	return false
}

// Addrs is the addresses of a name, IPv4 first.
func (r *Resolver) Addrs(name string, timeout time.Duration) []netip.Addr {
	var out []netip.Addr
	end := time.Now().Add(timeout)
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		for _, rr := range r.ask(name, kind, end) {
			var ip net.IP
			switch a := rr.(type) {
			case *dns.A:
				ip = a.A
			case *dns.AAAA:
				ip = a.AAAA
			}
			if a, ok := netip.AddrFromSlice(ip); ok {
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
// of the type asked for, and the answer's status.
func Ask(server, name, kind string, timeout time.Duration) (answers []string, status string, err error) {
	want, ok := dns.StringToType[kind]
	if !ok {
		return nil, "", fmt.Errorf("type %s is not known", kind)
	}
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), want)
	c := dns.Client{Timeout: timeout, Dialer: &net.Dialer{Timeout: timeout}}
	c.Dialer.SetMultipathTCP(false)
	a, _, err := c.Exchange(m, server)
	if err != nil {
		return nil, "", err
	}
	if !genuine(m, a) {
		return nil, "", fmt.Errorf("%s answers another question", server)
	}
	for _, rr := range a.Answer {
		if rr.Header().Rrtype == want {
			answers = append(answers, strings.TrimPrefix(rr.String(), rr.Header().String()))
		}
	}
	return answers, dns.RcodeToString[a.Rcode], nil
}
