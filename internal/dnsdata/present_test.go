// SPDX-License-Identifier: ISC

package dnsdata

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"quill/internal/dnswire"
)

// theirData is the data of a record as miekg/dns reads it.
func theirData(typ uint16, text string) ([]byte, error) {
	rr, err := dns.NewRR("owner.example. 60 IN " + TypeName(typ) + " " + text)
	if err != nil {
		return nil, err
	}
	if rr == nil {
		return nil, fmt.Errorf("no record in %q", text)
	}
	return packData(rr)
}

func packData(rr dns.RR) ([]byte, error) {
	buf := make([]byte, 70000)
	n, err := dns.PackRR(rr, buf, 0, nil, false)
	if err != nil {
		return nil, err
	}
	at := dnswire.NameLen(buf)
	return buf[at+10 : n], nil
}

// words are right data of every type with words of its own, and some of types
// without.
var words = []struct{ kind, text string }{
	{"A", "192.0.2.1"}, {"A", "0.0.0.0"}, {"AAAA", "2001:db8::1"}, {"AAAA", "::"}, {"AAAA", "::ffff:192.0.2.1"}, {"AAAA", "2001:DB8:0:0:0:0:0:1"},
	{"NS", "ns.example.org."}, {"NS", "ns.example.org"}, {"NS", "."}, {"CNAME", `a\.b.c`}, {"PTR", `\097\200x.y`}, {"DNAME", "other.example."},
	{"SOA", "ns.example.org. hostmaster.example.org. 1 2 3 4 4294967295"}, {"MX", "10 mail.example.org"}, {"MX", "0 ."}, {"HINFO", `"PDP 11" UNIX`},
	{"TXT", `"v=spf1 mx -all"`}, {"TXT", `a b "c d" ""`}, {"TXT", `""`}, {"TXT", `"\"\\\200;"`}, {"TXT", `"` + strings.Repeat("x", 255) + `"`}, {"TXT", `"` + strings.Repeat("x", 600) + `"`},
	{"TXT", `( "one" "two" )`}, {"SPF", `"v=spf1 -all"`}, {"RP", "admin.example.org txt.example.org"}, {"AFSDB", "1 db.example.org"}, {"KX", "1 kx.example.org"},
	{"SRV", "0 1 993 imap.example.org"}, {"SRV", "65535 65535 65535 ."}, {"NAPTR", `100 10 "u" "E2U+sip" "!^.*$!sip:info@example.org!" .`}, {"NAPTR", `1 2 "" "" "" a.b.`},
	{"CERT", "1 2 3 AQID"}, {"DS", "60485 5 1 2BB183AF5F22588179A53B0A 98631FAD1A292118"}, {"CDS", "0 0 0 00"}, {"SSHFP", "4 2 123456789abcdef67890123456789abcdef67890"},
	{"DNSKEY", "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ=="}, {"CDNSKEY", "0 3 0 AA=="}, {"DHCID", "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA="},
	{"TLSA", "3 1 1 0123456789abcdef 0123456789ABCDEF"}, {"SMIMEA", "3 0 0 00ff"}, {"OPENPGPKEY", "mQENBFVHm5s BCAC7"}, {"ZONEMD", "2018031500 1 1 FEBE3D4CE2EC2FFA4BA99D46CD69D6D29711E55217057BEE7EB1A7B641A47BA7FED2DD5B97AE499FAFA4F22C6BD647DE"},
	{"URI", `10 1 "ftp://ftp1.example.com/public;x"`}, {"CAA", `0 issue "letsencrypt.org"`}, {"CAA", `128 iodef "mailto:security@example.org"`}, {"CAA", `0 issue ";"`},
	{"SVCB", "0 svc.example.net."}, {"SVCB", "1 ."}, {"HTTPS", `1 . alpn="h2,h3" port=8443 ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1`}, {"HTTPS", "16 foo.example.org. no-default-alpn alpn=h2 mandatory=alpn,port port=53"},
	{"SVCB", `1 dns.example. alpn=dot,doq dohpath=/dns-query{?dns}`}, {"SVCB", "1 a. key667=hello"}, {"SVCB", `1 a. key667="hello\210qoo"`}, {"HTTPS", "1 . ech=AEP+DQA/BwAgACCgiNZT"}, {"SVCB", `1 . alpn="f\\\\oo\\,bar,h2"`},
	{"TYPE65534", `\# 3 010203`}, {"TYPE731", `\# 0`}, {"LOC", `\# 16 00000000000000000000000000000000`}, {"A", `\# 4 0a000001`}, {"TXT", `\# 2 0161`}, {"CSYNC", `\# 9 00000042 0003 0001 60`},
}

// TestParseData: our words mean what they mean to miekg/dns, and come back.
func TestParseData(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range words {
		typ, ok := TypeNumber(c.kind)
		got, err := ParseData(typ, []byte(c.text))
		if !ok || err != nil {
			t.Errorf("ParseData(%s %s) = %v", c.kind, c.text, err)
			continue
		}
		seen[c.kind] = true
		if want, err := theirData(typ, c.text); err != nil || !bytes.Equal(got, want) {
			t.Errorf("ParseData(%s %s) = %x; miekg/dns has %x, %v", c.kind, c.text, got, want, err)
		}
		text, ok := FormatData(typ, got)
		if d, _ := typeOf(typ); !ok {
			if d.fields != "" {
				t.Errorf("FormatData(%s %s) is false", c.kind, c.text)
			}
			text = FormatUnknown(got)
		}
		if again, err := ParseData(typ, []byte(text)); err != nil || !bytes.Equal(again, got) {
			t.Errorf("ParseData(%s %s) = %x, %v; want %x", c.kind, text, again, err, got)
		}
		if theirs, err := theirData(typ, text); err != nil || !bytes.Equal(theirs, got) {
			t.Errorf("miekg/dns reads %s %s as %x, %v; want %x", c.kind, text, theirs, err, got)
		}
	}
	for _, d := range dataTypes {
		if d.fields != "" && !seen[d.name] {
			t.Errorf("no words of %s are tried", d.name)
		}
	}
}

// TestParseDataErrors: what is refused, and that the reason says which.
func TestParseDataErrors(t *testing.T) {
	for _, c := range []struct{ kind, text, want string }{
		{"A", "", "missing"}, {"A", "1.2.3", "not an IPv4"}, {"A", "1.2.3.4 5", "too much"}, {"A", "1.2.3.256", "not an IPv4"}, {"A", "::1", "not an IPv4"}, {"AAAA", "1.2.3.4", "not an IPv6"}, {"AAAA", "fe80::1%eth0", "not an IPv6"},
		{"MX", "10", "missing"}, {"MX", "x a.", "not a number"}, {"MX", "65536 a.", "not a number"}, {"MX", "-1 a.", "not a number"}, {"MX", "+1 a.", "not a number"}, {"NS", "@", "not a name"}, {"NS", "a..b", "empty label"}, {"NS", ".a", "empty label"},
		{"NS", strings.Repeat("a", 64), "label of more than 63"}, {"NS", strings.Repeat("a.", 128), "longer than 255"}, {"NS", `a\25`, "decimal"}, {"NS", `a\256`, "decimal"}, {"NS", `a\`, "decimal"},
		{"TXT", "", "missing"}, {"TXT", `"open`, "not closed"}, {"TXT", `v=DKIM1; p=x`, "quotes"}, {"TXT", `a"b"`, "inside a word"}, {"TXT", `"a""b"`, "no space"}, {"TXT", `a="b"`, "inside a word"}, {"SVCB", `1 a="b"`, "quote in it"}, {"SVCB", `1 . alpn="a"b`, "no space"}, {"TXT", "a\x00", "control"}, {"TXT", "\"a\x01\"", "control"}, {"TXT", "x\r", "control"},
		{"TXT", strings.Repeat("x", 65535), "at most 65535"}, {"HINFO", strings.Repeat("x", 256) + " y", "at most 255"}, {"TLSA", "3 1 1", "missing"}, {"TLSA", "3 1 1 abc", "hexadecimal"}, {"TLSA", "3 1 1 xy", "hexadecimal"}, {"TLSA", "256 1 1 00", "0 to 255"},
		{"DNSKEY", "257 3 13 ===", "base64"}, {"CAA", `0 is-sue "x"`, "letters and digits"}, {"CAA", `0 "" "x"`, "letters and digits"}, {"CAA", `0 issue`, "missing"}, {"URI", "1 2", "missing"},
		{"SVCB", "1 . port=x", "not a number"}, {"SVCB", "1 . port", "lacks ="}, {"SVCB", "1 . port=1 port=2", "twice"}, {"SVCB", "1 . mandatory=alpn", "not there"}, {"SVCB", "1 . mandatory=port,port port=1", "twice"}, {"SVCB", "1 . mandatory=mandatory", "not there"},
		{"SVCB", "1 . bogus=1", "not a parameter"}, {"SVCB", "1 . key01=x", "not a parameter"}, {"SVCB", "1 . key65535=x", "not a parameter"}, {"SVCB", "1 . alpn=", "0 bytes"}, {"SVCB", "1 . alpn=a,,b", "0 bytes"}, {"SVCB", "1 . no-default-alpn=x", "no right value"},
		{"SVCB", "1 . key3=x", "no right value"}, {"SVCB", "1 . ipv4hint=::1", "not an IPv4"}, {"SVCB", "1 . ech=!", "base64"},
		{"LOC", "52 0 0 N 0 0 0 E 0m", "RFC 3597"}, {"TYPE777", "x", "RFC 3597"}, {"TYPE777", `\#`, "no length"}, {"TYPE777", `\# 2 00`, "length says"}, {"TYPE777", `\# 1 0`, "hexadecimal"}, {"A", `\# 3 010203`, "not the data"},
	} {
		typ, ok := TypeNumber(c.kind)
		if _, err := ParseData(typ, []byte(c.text)); !ok || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("ParseData(%s %.60q) = %v; want %q", c.kind, c.text, err, c.want)
		}
	}
}

func TestTypeNames(t *testing.T) {
	for name, want := range map[string]uint16{"a": 1, "Caa": 257, "TYPE1": 1, "type65535": 65535, "HTTPS": 65} {
		if got, ok := TypeNumber(name); got != want || !ok {
			t.Errorf("TypeNumber(%q) = %d, %v; want %d", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "TYPE", "TYPE0", "TYPE41", "TYPE252", "TYPE255", "TYPE65536", "TYPE-1", "AXFR", "ANY", "OPT", "TYPE1x"} {
		if got, ok := TypeNumber(name); ok {
			t.Errorf("TypeNumber(%q) = %d; want none", name, got)
		}
	}
	for n, want := range map[uint16]string{1: "A", 257: "CAA", 777: "TYPE777"} {
		if got := TypeName(n); got != want {
			t.Errorf("TypeName(%d) = %q; want %q", n, got, want)
		}
	}
}

// FuzzPresentation: what both we and miekg/dns read is the same data, and our
// words for it are ours again and theirs.
func FuzzPresentation(f *testing.F) {
	for _, c := range words {
		typ, _ := TypeNumber(c.kind)
		f.Add(typ, c.text)
	}
	f.Fuzz(func(t *testing.T, typ uint16, text string) {
		data, err := ParseData(typ, []byte(text))
		if err != nil {
			return
		}
		if theirs, err := theirData(typ, text); err == nil && !bytes.Equal(theirs, data) && comparable(typ, text) {
			t.Errorf("%s %q: ours %x; theirs %x", TypeName(typ), text, data, theirs)
		}
		out, ok := FormatData(typ, data)
		if d, known := typeOf(typ); known && d.fields != "" && !ok {
			t.Errorf("FormatData(%s %x) is false for what ParseData made", TypeName(typ), data)
		}
		if !ok {
			out = FormatUnknown(data)
		}
		if again, err := ParseData(typ, []byte(out)); err != nil || !bytes.Equal(again, data) {
			t.Errorf("ParseData(%s %s) = %x, %v; want %x", TypeName(typ), out, again, err, data)
		}
	})
}

// comparable leaves out where miekg/dns is known to read otherwise: parentheses
// do not part words there, newlines end
// a record, and data in hexadecimal is put in order where it knows the type.
func comparable(typ uint16, text string) bool {
	return !strings.ContainsAny(text, "\n\r$@()") && !strings.Contains(text, `\#`) && isData(typ)
}

// FuzzFormatData: words of any data that FormatData takes mean that data.
func FuzzFormatData(f *testing.F) {
	for _, c := range words {
		typ, _ := TypeNumber(c.kind)
		data, _ := ParseData(typ, []byte(c.text))
		f.Add(typ, data)
	}
	f.Fuzz(func(t *testing.T, typ uint16, data []byte) {
		text, ok := FormatData(typ, data)
		if !ok || len(data) > maxData {
			return
		}
		if got, err := ParseData(typ, []byte(text)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s %s: %s, %v; want %s", TypeName(typ), text, hex.EncodeToString(got), err, hex.EncodeToString(data))
		}
	})
}
