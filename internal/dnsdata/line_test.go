// SPDX-License-Identifier: ISC

package dnsdata

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestLineErrors(t *testing.T) {
	for in, want := range map[string]string{"+a:1.2.3.4\nx\n": "unable to parse data line 2: unrecognized leading character", ":a:6:x": "unable to parse data line 1: type SOA prohibited",
		"+" + strings.Repeat("a", 64) + ":1.2.3.4": ErrProtocol.Error(), "+" + strings.Repeat("a.", 128) + ":1.2.3.4": ErrProtocol.Error(), "Sa::x": ErrProtocol.Error(),
		"\n\n3a:x":                    `unable to parse data line 3: "x" is not an IPv6 address: write 32 hexadecimal digits, or the address with _ for every colon`,
		"!a:TXT:::v=spf1":             "unable to parse data line 1: a ! line of 5 fields; write !fqdn:TYPE:ttl:timestamp:lo:data, empty fields too",
		"!a:TLSA::::3 1 1 xx":         `unable to parse data line 1: TLSA: "xx": not an even number of hexadecimal digits`,
		"!a:AXFR::::x":                `unable to parse data line 1: unknown type "AXFR": write its name, or TYPE and its number`,
		"/lo:20":                      "unable to parse data line 1: an IPv6 prefix of 2 digits; write 4 to 32 hexadecimal digits, like 20010db8",
		"6" + strings.Repeat("a", 64): ErrProtocol.Error(),
	} {
		if err := Compile(strings.NewReader(in), 1, func(k, v []byte) error { return nil }); err == nil || err.Error() != want {
			t.Errorf("Compile(%.20q) = %v; want %q", in, err, want)
		}
	}
	bad := errors.New("disk full")
	for _, line := range []string{"+a:1.2.3.4", ".a:1.2.3.4", "&a:1.2.3.4", "=a:1.2.3.4", "@a:1.2.3.4", "'a:x", "^a:b", "Ca:b", "Za:b:c", ":a:99:x", "Sa:1.2.3.4::25", "%lo:1", "6a:2001_db8__1", "/lo:20010db8", "!a:A::::1.2.3.4"} {
		if err := Compile(strings.NewReader(line+"\n"), 1, func(k, v []byte) error { return bad }); err != bad {
			t.Errorf("Compile(%q) with a failing put = %v", line, err)
		}
	}
}

// TestLineLimits: record data of 65535 bytes is taken, one more is not.
func TestLineLimits(t *testing.T) {
	none := func(k, v []byte) error { return nil }
	for _, lo := range []string{"", ":::xx"} {
		if err := Compile(strings.NewReader(":a:999:"+strings.Repeat("x", maxData)+lo), 1, none); err != nil {
			t.Errorf("record of %d bytes: %v", maxData, err)
		}
		var le *LineError
		if err := Compile(strings.NewReader("#\n:a:999:"+strings.Repeat("x", maxData+1)+lo), 1, none); !errors.As(err, &le) || le.Line != 2 {
			t.Errorf("record of %d bytes: %v; want an error of line 2", maxData+1, err)
		}
	}
}

// TestExtensions: our own lines make the records that the same lines of djb
// would make.
func TestExtensions(t *testing.T) {
	octets := `\040\001\015\270\000\000\000\000\000\000\000\000\000\000\000\001`
	arpa := "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
	for in, want := range map[string]string{
		"3A.b:20010db8000000000000000000000001:60:4:lo": ":A.b:28:" + octets + ":60:4:lo",
		"3a:20010DB8000000000000000000000001":           ":a:28:" + octets,
		"3a:2001_db8__1:60x":                            ":a:28:" + octets + ":60",
		"6*.a:2001_db8__1:60:4:lo":                      ":*.a:28:" + octets + ":60:4:lo\n^" + arpa + ":*.a:60:4:lo",
		`!a:AAAA::::2001:db8::1`:                        ":a:28:" + octets,
		`!a:TXT:60:4:lo:"v=DKIM1; k=rsa; n=a:b"`:        `:a:16:\025v=DKIM1; k=rsa; n=a\072b:60:4:lo`,
		`!_443._tcp.a:SRV::::1 2 443 h.a`:               "S_443._tcp.a::h.a:443:1:2",
		`!*.a:MX:5:::10 m.b.`:                           "@*.a::m.b:10:5",
		`!a:NS::::b.c`:                                  "&a::b.c",
		`!a:SOA::::b. c.d. 1 2 3 4 5`:                   "Za:b:c.d:1:2:3:4:5",
		`!a:CAA:7:::0 issue "ca.org"`:                   `:a:257:\000\005issueca.org:7`,
	} {
		if got, want := compiled(t, in), compiled(t, want); !reflect.DeepEqual(got, want) {
			t.Errorf("%q makes %+v; want %+v", in, got, want)
		}
	}
}

// TestIPv6Fields: with -6 ip fields may be IPv6 addresses, and %lo:s a prefix of
// such; without it these lines are what they were to djb.
func TestIPv6Fields(t *testing.T) {
	const a6 = "3%s:20010db8000000000000000000000001"
	for in, want := range map[string]string{
		"=a:2001_db8__1:60": "6a:20010db8000000000000000000000001:60", "+a:2001_db8__1": fmt.Sprintf(a6, "a"), "+a:1.2.3.4": "+a:1.2.3.4", "+a:x": "",
		".a:2001_db8__1:n.b": ".a::n.b\n" + fmt.Sprintf(a6, "n.b") + ":259200", "&a:2001_db8__1:n.b:5": "&a::n.b:5\n" + fmt.Sprintf(a6, "n.b") + ":5",
		"@a:2001_db8__1:m.b:1": "@a::m.b:1\n" + fmt.Sprintf(a6, "m.b"), "Sa:2001_db8__1:s.b:1": "Sa::s.b:1\n" + fmt.Sprintf(a6, "s.b"),
		"%lo:s20010DB8": "/lo:20010db8", "%lo:10": "%lo:10",
	} {
		if got, want := all(t, Compiler{Serial: 7, IPv6: true}, in), all(t, Compiler{Serial: 7}, want); got != want {
			t.Errorf("-6 %q makes\n%q; want\n%q", in, got, want)
		}
	}
	for in, want := range map[string]string{"=a:2001_db8__1": "", "@a:2001_db8__1:m.b:1": "@a::m.b:1", "%lo:s2001": "%lo:"} {
		if got, want := all(t, Compiler{}, in), all(t, Compiler{}, want); got != want {
			t.Errorf("%q makes\n%q; want\n%q", in, got, want)
		}
	}
	if err := (Compiler{IPv6: true}).Compile(strings.NewReader("%lo:s2"), nil); err == nil {
		t.Error("-6 takes a prefix whose key is an IPv4 prefix too")
	}
}

// all is all that lines put, in words.
func all(t *testing.T, c Compiler, text string) string {
	t.Helper()
	var b strings.Builder
	err := c.Compile(strings.NewReader(text), func(k, v []byte) error {
		_, err := fmt.Fprintf(&b, "%x %x\n", k, v)
		return err
	})
	if err != nil {
		t.Errorf("Compile(%q) = %v", text, err)
	}
	return b.String()
}

// TestDN13 (long and many texts): TXT of 256, 1000 and 65000 bytes and of 100
// strings is whole to a client; data over 65535 bytes is refused.
func TestDN13(t *testing.T) {
	for _, n := range []int{255, 256, 1000, 65000} {
		text := strings.Repeat("x", n)
		for line, part := range map[string]int{"'a:" + text: 127, `!a:TXT::::"` + text + `"`: 255} {
			r := compiled(t, line)[0]
			rr, _, err := dns.UnpackRR(append([]byte("\x01a\x00\x00\x10\x00\x01\x00\x00\x00\x3c"), append([]byte{byte(len(r.Data) >> 8), byte(len(r.Data))}, r.Data...)...), 0)
			if err != nil {
				t.Fatal(err)
			}
			txt := rr.(*dns.TXT).Txt
			if strings.Join(txt, "") != text || len(txt[0]) != part {
				t.Errorf("%.20q of %d bytes: %d strings, the first of %d bytes; want %d", line, n, len(txt), len(txt[0]), part)
			}
		}
	}
	if r := compiled(t, "!a:TXT::::"+strings.Repeat(`"s" `, 100)); len(r[0].Data) != 200 {
		t.Errorf("100 strings make %d bytes", len(r[0].Data))
	}
	for _, line := range []string{"'a:" + strings.Repeat("x", 65100), "!a:TXT::::" + strings.Repeat("x", 65300), "!a:TYPE999::::" + `\# 65536 ` + strings.Repeat("00", 65536)} {
		if err := Compile(strings.NewReader(line), 1, func(k, v []byte) error { return nil }); err == nil {
			t.Errorf("%.20q of %d bytes is taken", line, len(line))
		}
	}
}

// TestDN17 (odd data): NUL bytes, huge numbers and octals make what they make in
// djb's program, and the check says so; garbage for a type with a ! line is
// refused.
func TestDN17(t *testing.T) {
	for in, want := range map[string]string{
		"&a\x00b:1.2.3.4:n.b": `&a\000b:1.2.3.4:n.b`, "Za\x00:b:c:99999999999999999999:1:1:1:1:4294967297": `Za\000:b:c:1661992959:1:1:1:1:1`, "&a::n.b:4294967297": "&a::n.b:1",
		`:a:32768:\777\000x:99999999999`: `:a:32768:\377\000x:1215752191`,
	} {
		if got, want := all(t, Compiler{}, in), all(t, Compiler{}, want); got != want {
			t.Errorf("%q makes\n%q; want\n%q", in, got, want)
		}
		if found, err := (Compiler{}).Check(strings.NewReader(in)); err != nil || len(found) == 0 {
			t.Errorf("Check(%q) = %v, %v; want findings", in, found, err)
		}
	}
	for _, in := range []string{"!a\x00:A::::1.2.3", "!a:SOA:99999999999:::b. c. 1 2 3 4 5", `!a:TYPE32768::::\777`, "!a:NS::::b\x00c"} {
		if err := Compile(strings.NewReader(in), 1, func(k, v []byte) error { return nil }); err == nil {
			t.Errorf("%q is taken", in)
		}
	}
}

// FuzzCompile: whatever the lines, they mean the same twice, the records that are
// put can be read, have lines, and these make them again; the check does not fall
// over either.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{".a:1.2.3.4:b:60:4:in", "@*.a::.:0", `'a:\072\7\`, "!a:CAA::::0 issue \"x\"", "6a:2001_db8__1", ":a:16:\x00", "%in:1.2", "/in:20010db8", "Sa:1.2.3.4:x:1:2:3", "Za:b:c", "+a:1.2.3.4\r\n\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := (Compiler{IPv6: true}).Check(bytes.NewReader(text)); err != nil {
			t.Errorf("Check = %v", err)
		}
		var once, twice []string
		keep := func(to *[]string) func(k, v []byte) error {
			return func(k, v []byte) error { *to = append(*to, string(k), string(v)); return nil }
		}
		err1, err2 := Compile(bytes.NewReader(text), 7, keep(&once)), Compiler{Serial: 7}.Compile(bytes.NewReader(text), keep(&twice))
		if fmt.Sprint(err1) != fmt.Sprint(err2) || !reflect.DeepEqual(once, twice) {
			t.Errorf("once %q %v, then %q %v", once, err1, twice, err2)
		}
		err := (Compiler{IPv6: true}).Compile(bytes.NewReader(text), func(k, v []byte) error {
			r, ok := ParseRecord(k, v)
			if !ok {
				if len(v) != 2 || len(k) < 2 || k[0] != 0 || k[1] != '%' {
					t.Errorf("ParseRecord(%q, %q) is false", k, v)
				}
				return nil
			}
			line := r.Line()
			if line == "" {
				t.Errorf("%+v has no line", r)
				return nil
			}
			if again := compiled(t, line); len(again) != 1 || !bytes.Equal(again[0].Data, r.Data) || !bytes.Equal(again[0].Owner, r.Owner) || again[0].Stamp != r.Stamp || again[0].Loc != r.Loc {
				t.Errorf("%q makes %+v; want %+v", line, again, r)
			}
			return nil
		})
		var le *LineError
		if err != nil && !errors.Is(err, ErrProtocol) && !errors.As(err, &le) {
			t.Errorf("Compile = %v", err)
		}
	})
}
