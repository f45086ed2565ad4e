// SPDX-License-Identifier: ISC

package dnsclient

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"quill/internal/dnswire"
)

// serve answers every question with these records, over TCP where they do not
// fit.
func serve(t *testing.T, rcode uint16, records ...string) *Client {
	t.Helper()
	return client(start(t, func(q []byte, _ netip.AddrPort) [][]byte {
		if a := reply(q, rcode, records...); len(a) <= dnswire.MinUDP {
			return one(a)
		}
		return one(reply(q, dnswire.FlagTC))
	}, func(c net.Conn, q []byte) { c.Write(framed(reply(q, rcode, records...))) }))
}

func TestLiteral(t *testing.T) {
	for in, want := range map[string]string{
		"127...1": "[127.0.0.1] true", "1.2.3.4": "[1.2.3.4] true", "[1.2.3.4]": "[1.2.3.4] true", "1.2.3": "[] true", "": "[] true", "7": "[] true",
		"1.2.3.4.5": "[1.2.3.4] true", "1.2.3.4.5.6.7.8": "[1.2.3.4 5.6.7.8] true", "1.2.3.256": "[1.2.3.0] true", "1.2.3.4x": "[] false", "x": "[] false", "::1": "[] false", "1.2.3.4\n": "[] false",
	} {
		ips, ok := Literal(in)
		if got := fmt.Sprint(ips, ok); got != want {
			t.Errorf("Literal(%q) = %s; want %s", in, got, want)
		}
	}
}

// TestAliases: CNAMEs are followed in whatever order they come; what belongs to
// other names does not count; a loop (DN19) has an end.
func TestAliases(t *testing.T) {
	t.Parallel()
	const other = "\x06\x06\x06\x06"
	chain := func(n int) (out []string) {
		for i := range n {
			out = append(out, rr(fmt.Sprintf("c%d.example", i), dnswire.TypeCNAME, string(name(fmt.Sprintf("c%d.example", i+1)))))
		}
		return append(out, rr(fmt.Sprintf("c%d.example", n), dnswire.TypeA, good))
	}
	for _, c := range []struct {
		what, name, want string
		records          []string
	}{
		{"none", "x.example", "", nil},
		{"of another name", "x.example", "10.0.0.1", []string{rr("y.example", 1, other), rr("", 1, good)}},
		{"other case", "x.example", "10.0.0.1", []string{rr("X.Example", 1, good)}},
		{"of 5 bytes", "x.example", "10.0.0.1", []string{rr("", 1, "\x01\x02\x03\x04\x05"), rr("", 1, good)}},
		{"alias", "x.example", "10.0.0.1", []string{rr("", 5, string(name("y.example"))), rr("y.example", 1, good), rr("z.example", 1, other)}},
		{"backwards", "x.example", "10.0.0.1", []string{rr("y.example", 1, good), rr("", 5, string(name("y.example")))}},
		{"to itself", "x.example", "", []string{rr("", 5, "\xc0\x0c"), rr("y.example", 1, other)}},
		{"in a ring", "x.example", "", []string{rr("", 5, string(name("y.example"))), rr("y.example", 5, string(name("x.example")))}},
		{"16 aliases", "c0.example", "10.0.0.1", chain(16)},
		{"17 aliases", "c0.example", "", chain(17)},
		{"alias without a name", "x.example", "protocol error", []string{rr("", 5, "\xc0\xff")}},
	} {
		if got := addresses(serve(t, 0, c.records...), c.name); got != c.want {
			t.Errorf("%s: %q; want %q", c.what, got, c.want)
		}
	}
	if got := addresses(serve(t, 3), "x.example"); got != "" {
		t.Errorf("NXDOMAIN: %q; want nothing", got)
	}
}

// TestLies: counts and lengths that are not so.
func TestLies(t *testing.T) {
	t.Parallel()
	for what, lie := range map[string]func(a []byte) []byte{
		"more records than there are": func(a []byte) []byte { a[7] = 2; return a },
		"65535 records":               func(a []byte) []byte { a[6], a[7] = 255, 255; return a },
		"data beyond the end":         func(a []byte) []byte { a[len(a)-5] = 200; return a },
		"half a record":               func(a []byte) []byte { return a[:len(a)-1] },
	} {
		f := start(t, func(q []byte, _ netip.AddrPort) [][]byte { return one(lie(reply(q, 0, rr("", 1, good)))) }, nil)
		if got := addresses(client(f), "x.example"); got != "protocol error" {
			t.Errorf("%s: %s; want protocol error", what, got)
		}
	}
}

func TestIP6(t *testing.T) {
	t.Parallel()
	c := serve(t, 0, rr("", dnswire.TypeAAAA, "\x20\x01\x0d\xb8"+strings.Repeat("\x00", 11)+"\x01"), rr("", dnswire.TypeAAAA, "\x01"), rr("", dnswire.TypeA, good))
	for in, want := range map[string]string{"x.example": "[2001:db8::1]", "::5": "[::5]", "127.0.0.1": "[]"} {
		if ips, err := c.IP6(in); fmt.Sprint(ips) != want || err != nil {
			t.Errorf("IP6(%s) = %v, %v; want %s", in, ips, err, want)
		}
	}
}

func TestHostName(t *testing.T) {
	t.Parallel()
	c := serve(t, 0, rr("", dnswire.TypePTR, string(name("Mail.example"))), rr("", dnswire.TypePTR, string(name("second.example"))))
	for _, ip := range []string{"127.0.0.1", "2001:db8::1", "::ffff:127.0.0.1"} {
		if got, err := c.HostName(netip.MustParseAddr(ip)); got != "mail.example" || err != nil {
			t.Errorf("HostName(%s) = %q, %v; want mail.example", ip, got, err)
		}
	}
	if got, err := serve(t, 3).HostName(netip.MustParseAddr("127.0.0.1")); got != "" || err != nil {
		t.Errorf("HostName of none = %q, %v", got, err)
	}
	if got, err := serve(t, 0, rr("", dnswire.TypePTR, "\x05x")).HostName(netip.MustParseAddr("127.0.0.1")); err == nil {
		t.Errorf("HostName of half a name = %q; want an error", got)
	}
}

func TestReverseName(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.255": "255.0.0.127.in-addr.arpa",
		"2001:db8::1": "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
	} {
		if got := dnswire.Text(ReverseName(netip.MustParseAddr(in))); got != want {
			t.Errorf("ReverseName(%s) = %s; want %s", in, got, want)
		}
	}
}

// TestMX: the hosts, in order; a thousand of them (DN19); the null MX.
func TestMX(t *testing.T) {
	t.Parallel()
	got, err := serve(t, 0, rr("", 15, "\x00\x0a\x01A\xc0\x0c"), rr("", 15, "\xff\xff\x00"), rr("", 16, "\x01x")).MX("x.example")
	if fmt.Sprint(got) != "[{10 a.x.example} {65535 .}]" || err != nil {
		t.Errorf("MX = %v, %v", got, err)
	}
	if got, err := serve(t, 0, rr("", 15, "\x00")).MX("x.example"); err == nil {
		t.Errorf("MX of 1 byte = %v; want an error", got)
	}
	var many []string
	for i := range 1000 {
		many = append(many, rr("", 15, string([]byte{byte(i >> 8), byte(i)})+string(name(fmt.Sprintf("mx%d.example", i)))))
	}
	got, err = serve(t, 0, many...).MX("x.example")
	if err != nil || len(got) != 1000 || got[999] != (MX{999, "mx999.example"}) {
		t.Errorf("a thousand MX: %d, %v", len(got), err)
	}
}

// TestTXT: all strings, one after the other, and nothing that a terminal would
// obey; 60 KB of them (DN19).
func TestTXT(t *testing.T) {
	t.Parallel()
	got, err := serve(t, 0, rr("", 16, "\x03a\x1bb\x00\x02\x7f~"), rr("", 16, "\x05x\xff y"), rr("", 16, "")).TXT("x.example")
	if got != "a?b?~x? y" || err != nil {
		t.Errorf("TXT = %q, %v", got, err)
	}
	many := make([]string, 0, 60)
	for range 60 {
		many = append(many, rr("", 16, strings.Repeat("\xff"+strings.Repeat("z", 255), 4)))
	}
	got, err = serve(t, 0, many...).TXT("x.example")
	if err != nil || len(got) != 60*4*255 {
		t.Errorf("60 KB of TXT: %d, %v", len(got), err)
	}
	if _, err := serve(t, 0).TXT(strings.Repeat("x", 64)); !errors.Is(err, dnswire.ErrName) {
		t.Errorf("TXT of too long a label: %v", err)
	}
}
