// SPDX-License-Identifier: ISC

package dnsrbl

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"quill/internal/cdb"
	"quill/internal/dnsreply"
	"quill/internal/dnswire"
)

// build makes a database of text, in a file.
func build(t testing.TB, text string) (path string) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "data.cdb"))
	if err != nil {
		t.Fatal(err)
	}
	w := cdb.NewWriter(f)
	if err := errors.Join(Compile(strings.NewReader(text), w.Put), w.Finish(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// compile makes a database of text.
func compile(t testing.TB, text string) *cdb.Map {
	t.Helper()
	m, err := cdb.Open(build(t, text))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// list is one below base.
func list(t testing.TB, base string, servers ...string) *List {
	t.Helper()
	b, err := dnsreply.Names(base)
	if err != nil {
		t.Fatal(err)
	}
	s, err := dnsreply.Names(strings.Join(servers, "/"))
	if err != nil {
		t.Fatal(err)
	}
	return &List{Zone: dnsreply.Zone{Base: b[0], Servers: s}}
}

// ask is the answer as words: code, aa, answers, authority.
func ask(t *testing.T, l *List, src Source, name string, kind uint16) string {
	t.Helper()
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	m.SetEdns0(1232, false)
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	var q dnswire.Query
	said, status := l.Answer(src, 99, nil, b, false, &q)
	var a dns.Msg
	if err := a.Unpack(said); err != nil {
		t.Fatalf("%s: %v in %x", name, err, said)
	}
	words := []string{string(status), dns.RcodeToString[a.Rcode]}
	if a.Authoritative {
		words = append(words, "aa")
	}
	for _, rr := range a.Answer {
		words = append(words, strings.Join(strings.Fields(strings.TrimPrefix(rr.String(), rr.Header().Name)), " "))
	}
	for _, rr := range a.Ns {
		words = append(words, "/ "+strings.Join(strings.Fields(rr.String()), " "))
	}
	for _, o := range a.IsEdns0().Option {
		words = append(words, "EDE", fmt.Sprint(o.(*dns.EDNS0_EDE).InfoCode))
	}
	return strings.Join(words, " ")
}

const sample = "#test\n127.0.0.2\n10.0.0.0/8\n192.0.2.0/24\n[2001:db8:1::]/48\n[::ffff:127.0.0.2]\n:127.0.0.3:Blocked, see http://x/?$\n"

const (
	soa = " / rbl.example. 300 IN SOA rbl.example. hostmaster.rbl.example. 99 16384 2048 1048576 300"
	v6  = ".1.0.0.0.8.b.d.0.1.0.0.2.rbl.example"
)

// TestAnswers: RFC 5782, with negative answers that can be kept.
func TestAnswers(t *testing.T) {
	l, m := list(t, "RBL.example"), compile(t, sample)
	rest := strings.TrimSuffix(strings.Repeat("0.", 20), ".")
	for _, c := range []struct {
		name string
		kind uint16
		want string
	}{
		{"2.0.0.127.rbl.example", dns.TypeA, "+ NOERROR aa 2048 IN A 127.0.0.3"},
		{"2.0.0.127.RBL.example", dns.TypeTXT, `+ NOERROR aa 2048 IN TXT "Blocked, see http://x/?127.0.0.2"`},
		{"2.0.0.127.rbl.example", dns.TypeANY, `+ NOERROR aa 2048 IN A 127.0.0.3 2048 IN TXT "Blocked, see http://x/?127.0.0.2"`},
		{"2.0.0.127.rbl.example", dns.TypeAAAA, "+ NOERROR aa" + soa},
		{"1.0.0.127.rbl.example", dns.TypeA, "+ NXDOMAIN aa" + soa},
		{"4.3.2.10.rbl.example", dns.TypeA, "+ NOERROR aa 2048 IN A 127.0.0.3"},
		{"255.2.0.192.rbl.example", dns.TypeA, "+ NOERROR aa 2048 IN A 127.0.0.3"},
		{"255.3.0.192.rbl.example", dns.TypeTXT, "+ NXDOMAIN aa" + soa},
		{"x.2.0.0.127.rbl.example", dns.TypeA, "+ NXDOMAIN aa" + soa},
		{"256.0.0.127.rbl.example", dns.TypeA, "+ NXDOMAIN aa" + soa},
		{"127.rbl.example", dns.TypeA, "+ NOERROR aa" + soa},
		{"0.0.127.rbl.example", dns.TypeNS, "+ NOERROR aa" + soa},
		{"rbl.example", dns.TypeSOA, "+ NOERROR aa" + strings.Replace(soa, " / rbl.example.", "", 1)},
		{"rbl.example", dns.TypeNS, "+ NOERROR aa" + soa},
		{"rbl.example", dns.TypeA, "+ NOERROR aa" + soa},
		{"example", dns.TypeA, "- REFUSED EDE 20"},
		{"xrbl.example", dns.TypeA, "- REFUSED EDE 20"},
		{"2.0.0.127.other", dns.TypeA, "- REFUSED EDE 20"},
		{rest + v6, dns.TypeA, "+ NOERROR aa 2048 IN A 127.0.0.3"},
		{rest + v6, dns.TypeTXT, `+ NOERROR aa 2048 IN TXT "Blocked, see http://x/?2001:db8:1::"`},
		{strings.Replace(rest+v6, ".1.0.0.0.8", ".2.0.0.0.8", 1), dns.TypeA, "+ NXDOMAIN aa" + soa},
		{"0.0" + v6, dns.TypeA, "+ NOERROR aa" + soa},
		{"0." + rest + v6, dns.TypeA, "+ NXDOMAIN aa" + soa},
		{"2.0.0.0.0.0.f.7.f.f.f.f." + rest + ".rbl.example", dns.TypeA, "+ NOERROR aa 2048 IN A 127.0.0.3"},
		{"1.0.0.0.0.0.f.7.f.f.f.f." + rest + ".rbl.example", dns.TypeA, "+ NXDOMAIN aa" + soa},
		{"1.0.0.2.rbl.example", dns.TypeA, "+ NOERROR aa" + soa},
	} {
		if got := ask(t, l, m, c.name, c.kind); got != c.want {
			t.Errorf("%s %s = %s; want %s", c.name, dns.TypeToString[c.kind], got, c.want)
		}
	}
}

// TestOnlyIPv4: without prefixes of IPv6 no name of such an address exists.
func TestOnlyIPv4(t *testing.T) {
	l, m := list(t, "rbl.example", "ns1.example", "ns2.example"), compile(t, "10.0.0.0/8\n")
	soa := strings.Replace(soa, "SOA rbl.example.", "SOA ns1.example.", 1)
	for _, c := range []struct {
		name string
		kind uint16
		want string
	}{
		{"1.0.0.0.8.b.d.0.1.0.0.2.rbl.example", dns.TypeA, "+ NXDOMAIN aa" + soa},
		{"1.0.0.2.rbl.example", dns.TypeA, "+ NXDOMAIN aa" + soa},
		{"1.0.0.10.rbl.example", dns.TypeTXT, `+ NOERROR aa 2048 IN TXT "Listed 10.0.0.1"`},
		{"1.0.0.10.rbl.example", dns.TypeA, "+ NOERROR aa 2048 IN A 127.0.0.2"},
		{"rbl.example", dns.TypeNS, "+ NOERROR aa 259200 IN NS ns1.example. 259200 IN NS ns2.example."},
	} {
		if got := ask(t, l, m, c.name, c.kind); got != c.want {
			t.Errorf("%s %s = %s; want %s", c.name, dns.TypeToString[c.kind], got, c.want)
		}
	}
}

// TestLongText: one TXT string holds text and address, however long the text.
func TestLongText(t *testing.T) {
	for _, n := range []int{0, 95, 96, 97, limit - 5, limit - 4, limit - 3, 5000} {
		m := compile(t, "[::]/0\n:127.0.0.2:"+strings.Repeat("x", n)+"$\n")
		got := ask(t, list(t, "b"), m, strings.Repeat("f.", 32)+"b", dns.TypeTXT)
		want := strings.Repeat("x", n) + "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
		if n+1 > limit-4 {
			want = strings.Repeat("x", limit-4)
		}
		if got != `+ NOERROR aa 2048 IN TXT "`+want+`"` {
			t.Errorf("text of %d bytes and $: %s", n, got)
		}
	}
}

// failing is data that cannot be read.
type failing struct{}

func (failing) Value([]byte) ([]byte, bool, error) { return nil, false, cdb.ErrCorrupt }

// TestUnreadable: SERVFAIL, or silence as djb's has it; what needs no data is
// answered.
func TestUnreadable(t *testing.T) {
	l := list(t, "rbl.example")
	for name, want := range map[string]string{"2.0.0.127.rbl.example": "- SERVFAIL", "x.rbl.example": "- SERVFAIL", "example": "- REFUSED EDE 20", "rbl.example": "+ NOERROR aa" + soa} {
		if got := ask(t, l, failing{}, name, dns.TypeA); got != want {
			t.Errorf("%s = %s; want %s", name, got, want)
		}
	}
	l.Old = true
	b, err := new(dns.Msg).SetQuestion("2.0.0.127.rbl.example.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	var q dnswire.Query
	if said, status := l.Answer(failing{}, 0, nil, b, false, &q); len(said) != 0 || status != '-' {
		t.Errorf("djb's: %x %c; want silence", said, status)
	}
}

// FuzzAnswer: no packet and no data make either way of answering panic, and
// answers are whole messages. Data are the sample's, with each three bytes of wrong
// a place and what stands there instead; a last odd byte cuts the end off.
func FuzzAnswer(f *testing.F) {
	text, err := os.ReadFile(build(f, sample))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"2.0.0.127.rbl.example.", "rbl.example.", "0.0" + v6 + ".", "127.rbl.example.", "x."} {
		m := new(dns.Msg).SetQuestion(name, dns.TypeANY)
		m.SetEdns0(1232, true)
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, []byte{0, 0, 255})
	}
	l, old := list(f, "rbl.example", "ns.example"), list(f, "rbl.example")
	old.Old = true
	f.Fuzz(func(t *testing.T, packet, wrong []byte) {
		db := bytes.Clone(text)
		for ; len(wrong) >= 3; wrong = wrong[3:] {
			db[(int(wrong[0])<<8|int(wrong[1]))%len(db)] = wrong[2]
		}
		if len(wrong) > 0 {
			db = db[:len(db)-int(wrong[0])]
		}
		m, err := cdb.FromBytes(db)
		if err != nil {
			return
		}
		for _, l := range []*List{l, old} {
			var q dnswire.Query
			said, _ := l.Answer(m, 1, nil, packet, false, &q)
			if len(said) > dnswire.MaxUDP {
				t.Errorf("an answer of %d bytes over UDP to %x", len(said), packet)
			}
			var a dns.Msg
			if err := a.Unpack(said); len(said) > 0 && !l.Old && err != nil {
				t.Errorf("to %x: %v in %x", packet, err, said)
			}
		}
	})
}

// FuzzCompile: any data compile or are refused, and Check says the same.
func FuzzCompile(f *testing.F) {
	f.Add(sample)
	f.Add("::x\n[1]\n9/9/9\n[::]/129\n:1.2.3.4:$$\n2001:db8::/32\n1.2.3.4/24")
	f.Fuzz(func(t *testing.T, text string) {
		err := Compile(strings.NewReader(text), func(key, val []byte) error { return nil })
		bad := 0
		if cerr := Check(strings.NewReader(text), func(f Finding) {
			if f.Bad {
				bad++
			}
		}); cerr != nil || (bad > 0) != (err != nil) {
			t.Errorf("Compile = %v, but Check tells of %d bad lines, %v", err, bad, cerr)
		}
	})
}
