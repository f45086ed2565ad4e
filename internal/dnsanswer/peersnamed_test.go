// SPDX-License-Identifier: ISC

//go:build peers

package dnsanswer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// zoneFile is a zone for a server that reads zone files, and for us.
type zoneFile struct {
	origin string
	rrs    []dns.RR
}

func (z *zoneFile) add(t *testing.T, format string, args ...any) {
	t.Helper()
	r, err := dns.NewRR(fmt.Sprintf(format, args...))
	if err != nil {
		t.Fatal(err)
	}
	z.rrs = append(z.rrs, r)
}

// generateZone makes a zone with delegations, wildcards, empty non-terminals,
// aliases and DNAMEs.
func generateZone(t *testing.T, random *rand.Rand, origin, other string) *zoneFile {
	z := &zoneFile{origin: origin}
	z.add(t, "%s 3600 IN SOA ns.%s root.%s 7 3600 600 86400 300", origin, origin, origin)
	z.add(t, "%s 3600 IN NS ns.%s", origin, origin)
	z.add(t, "ns.%s 3600 IN A 192.0.2.1", origin)
	owners := []string{origin}
	seen := map[string]bool{"ns." + origin: true}
	for i := range 60 {
		label := []string{"a", "b", "c", "d", "e", "*"}[random.IntN(6)]
		parent := owners[random.IntN(len(owners))]
		if random.IntN(4) == 0 {
			parent = "x." + parent // an empty non-terminal
		}
		name := label + "." + parent
		if seen[name] || strings.Contains(parent, "*") || strings.Count(name, ".") > 6 {
			continue
		}
		seen[name] = true
		target := []string{owners[random.IntN(len(owners))], "q." + owners[random.IntN(len(owners))], other, "a." + other, "out.test."}[random.IntN(5)]
		kind := random.IntN(12)
		if label == "*" && (kind == 4 || kind == 5) {
			kind = 0 // a wildcard with NS or DNAME is for nobody
		}
		switch kind {
		case 4:
			z.add(t, "%s 60 IN NS ns.%s", name, name)
			z.add(t, "ns.%s 60 IN A 192.0.2.2", name)
			z.add(t, "ns.%s 60 IN AAAA 2001:db8::2", name)
			if i%2 == 0 {
				z.add(t, "%s 60 IN DS 1 13 2 %064x", name, i)
			}
			continue // nothing else below it
		case 5:
			z.add(t, "%s 60 IN DNAME %s", name, target)
			continue
		case 6, 7:
			z.add(t, "%s 60 IN CNAME %s", name, target)
		case 8:
			z.add(t, "%s 60 IN MX 10 %s", name, target)
			z.add(t, "%s 60 IN TXT \"text\"", name)
		default:
			z.add(t, "%s 60 IN A 192.0.2.%d", name, i)
			z.add(t, "%s 60 IN AAAA 2001:db8::%x", name, i)
		}
		if label != "*" {
			owners = append(owners, name)
		}
	}
	return z
}

// put adds a zone's records to the bytes of data.cdb.
func (z *zoneFile) put(t *testing.T, s *table) {
	t.Helper()
	for _, r := range z.rrs {
		b := make([]byte, 1024)
		n, err := dns.PackRR(r, b, 0, nil, false)
		owner := make([]byte, 256)
		m, err2 := dns.PackDomainName(r.Header().Name, owner, 0, nil, false)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		key, marker := owner[:m], byte('=')
		if strings.HasPrefix(r.Header().Name, "*.") {
			key, marker = key[2:], '*'
		}
		val := append(binary.BigEndian.AppendUint16(nil, r.Header().Rrtype), marker)
		val = binary.BigEndian.AppendUint32(val, r.Header().Ttl)
		s.put(key, append(append(val, make([]byte, 8)...), b[m+10:n]...))
	}
}

// startNamed has BIND's named serve zones, and is its address.
func startNamed(t *testing.T, zones []*zoneFile) string {
	t.Helper()
	if _, err := exec.LookPath("named"); err != nil {
		t.Fatalf("%v: install Debian's package bind9", err)
	}
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := u.LocalAddr().String()
	u.Close()
	_, port, _ := net.SplitHostPort(addr)
	dir := t.TempDir()
	conf := fmt.Sprintf("options { directory %q; pid-file none; session-keyfile none; listen-on port %s { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; minimal-responses yes; allow-query { any; }; max-query-restarts 11; notify no; zero-no-soa-ttl no; dnssec-validation no; };\ncontrols { };\n", dir, port)
	for i, z := range zones {
		var b strings.Builder
		for _, r := range z.rrs {
			b.WriteString(r.String() + "\n")
		}
		file := fmt.Sprintf("zone%d", i)
		conf += fmt.Sprintf("zone %q { type primary; file %q; check-names ignore; check-integrity no; };\n", z.origin, file)
		if err := os.WriteFile(filepath.Join(dir, file), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "named.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command("named", "-g", "-n", "1", "-c", filepath.Join(dir, "named.conf"))
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() })
	for range 100 {
		if a, err := dns.Exchange(new(dns.Msg).SetQuestion(zones[0].origin, dns.TypeSOA), addr); err == nil && a.Rcode == 0 {
			return addr
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("named does not answer: %s", log.String())
	return ""
}

// TestPeerNamed: what the RFCs say of names, wildcards, aliases and
// delegations, BIND's named and we read alike.
func TestPeerNamed(t *testing.T) {
	random := rand.New(rand.NewPCG(4592, 8020))
	zones := []*zoneFile{generateZone(t, random, "one.test.", "two.test."), generateZone(t, random, "two.test.", "kid.one.test."), generateZone(t, random, "kid.one.test.", "one.test.")}
	for _, r := range []string{"kid.one.test. 3600 IN NS ns.kid.one.test.", "ns.kid.one.test. 3600 IN A 192.0.2.1", "kid.one.test. 60 IN DS 1 13 2 " + strings.Repeat("ab", 32)} {
		zones[0].add(t, "%s", r)
	}
	s := &table{}
	for _, z := range zones {
		z.put(t, s)
	}
	d := open(t, s.finish())
	addr := startNamed(t, zones)
	client := &dns.Client{Timeout: 5 * time.Second, UDPSize: 4096}
	conn, err := client.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	rcodes, wrong, crossed := make(map[string]int), 0, 0
	for range 6000 {
		z := zones[random.IntN(len(zones))]
		name := z.rrs[random.IntN(len(z.rrs))].Header().Name
		switch random.IntN(5) {
		case 0:
			name = []string{"q.", "a.", "x.", "q.a.", "*."}[random.IntN(5)] + name
		case 1:
			if name != z.origin {
				_, name, _ = strings.Cut(name, ".")
			}
		}
		kind := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeTXT, dns.TypeNS, dns.TypeDS, dns.TypeCNAME, dns.TypeDNAME, dns.TypeSOA}[random.IntN(9)]
		m := new(dns.Msg).SetQuestion(name, kind)
		m.RecursionDesired = false
		m.SetEdns0(1232, false)
		theirs, _, err := client.ExchangeWithConn(m, conn)
		if err != nil {
			t.Fatal(err)
		}
		ours, _ := ask(t, d, m, false)
		if leaves(theirs, zones) || theirs.Rcode == dns.RcodeServerFailure { // we follow aliases into our other zones, and end rings, named does not
			crossed++
			for _, r := range theirs.Answer {
				if !slices.ContainsFunc(ours.Answer, func(o dns.RR) bool { return strings.EqualFold(o.String(), r.String()) }) {
					t.Errorf("%s %s: no %v in %v", name, dns.TypeToString[kind], r, ours.Answer)
				}
			}
			continue
		}
		a, b := summary(theirs), summary(ours)
		rcodes[dns.RcodeToString[ours.Rcode]]++
		if a != b {
			if wrong++; wrong < 10 {
				t.Errorf("%s %s:\nnamed %s\n ours %s", name, dns.TypeToString[kind], a, b)
			}
		}
	}
	t.Logf("rcodes %v, %d aliases that lead to another zone", rcodes, crossed)
}

// leaves says whether an alias in the answer leads out of the zone of the
// question.
func leaves(m *dns.Msg, zones []*zoneFile) bool {
	zoneOf := func(name string) (origin string) {
		for _, z := range zones {
			if dns.IsSubDomain(z.origin, name) && len(z.origin) > len(origin) {
				origin = z.origin
			}
		}
		return origin
	}
	for _, r := range m.Answer {
		if c, ok := r.(*dns.CNAME); ok && (zoneOf(c.Target) != zoneOf(m.Question[0].Name) || m.Question[0].Qtype == dns.TypeDS) {
			return true
		}
	}
	return false
}

// summary is an answer as two servers must agree on it.
func summary(m *dns.Msg) string {
	lines := func(rrs []dns.RR) string {
		var out []string
		for _, r := range rrs {
			if r.Header().Rrtype != dns.TypeOPT {
				out = append(out, strings.ToLower(strings.Join(strings.Fields(r.String()), " ")))
			}
		}
		slices.Sort(out)
		return strings.Join(out, "; ")
	}
	authority := m.Ns
	if len(m.Answer) > 0 && len(authority) > 0 && authority[0].Header().Rrtype == dns.TypeNS {
		authority = nil // where an alias leads to a delegation; we leave that to who asks
	}
	glue := ""
	if len(m.Answer) == 0 && m.Rcode == 0 && !m.Authoritative {
		glue = lines(m.Extra)
	}
	return fmt.Sprintf("%s aa=%v [%s] [%s] [%s]", dns.RcodeToString[m.Rcode], m.Authoritative, lines(m.Answer), lines(authority), glue)
}
