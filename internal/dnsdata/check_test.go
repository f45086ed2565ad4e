// SPDX-License-Identifier: ISC

package dnsdata

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
)

const zone = ".ex.org:192.0.2.1:ns.ex.org\n"

// TestCheck: every finding, by the line that has it. Each wanted text is "E" or
// "W", the line's number and a part of the message.
func TestCheck(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{zone + "=www.ex.org:192.0.2.2\n@ex.org:192.0.2.3:mx\n'ex.org:v=spf1 mx -all\n# comment\n-ex.org:x\n\n", ""},
		{"x\n", "E1 unrecognized leading"}, {":ex.org:6:x", "E1 type SOA prohibited"}, {"+" + strings.Repeat("a", 64) + ":1.2.3.4", "E1 label or name is too long"}, {"Sex.org::x", "E1 without a port"},
		{zone + "+a.ex.org:10.0.0.77junk", "E2 taken for the address 10.0.0.77"}, {zone + "+a.ex.org:10.0.0.256", "E2 taken for the address 10.0.0.0"}, {zone + "+a.ex.org:010.0.0.1", "E2 taken for the address 10.0.0.1"},
		{zone + "+a.ex.org:10.0.0", "E2 not an IPv4 address"}, {zone + "+a.ex.org:mail", "E2 not an IPv4 address"}, {zone + "+a.ex.org:2001_db8__1", "E2 is an IPv6 address"}, {zone + "=a.ex.org", "W2 no address"}, {zone + "+a.ex.org:", "W2 no address"},
		{zone + "+a.ex.org:192.0.2.2:60x", "E2 counts as 60"}, {zone + "+a.ex.org:192.0.2.2: 60", "E2 the default counts"}, {zone + "+a.ex.org:192.0.2.2:4294967296", "E2 too great for a ttl"}, {zone + "+a.ex.org:192.0.2.2:2147483648", "E2 too great for a ttl"},
		{zone + "+a.ex.org:192.0.2.2::4000000000ABCDEF", "E2 'A' counts as 0"}, {zone + "+a.ex.org:192.0.2.2::@40", "E2 '@' counts as 0"}, {zone + "+a.ex.org:192.0.2.2::40000000000000001", "E2 longer than 16"},
		{zone + "%in:10\n+a.ex.org:192.0.2.2:::inside", "E3 only \"in\" counts"}, {zone + "+a.ex.org:192.0.2.2:::in", "W2 nobody is at location \"in\""}, {zone + "!a.ex.org:A:::in:192.0.2.2", "W2 nobody is at location \"in\""}, {"%in:10.256", "E1 no IPv4 prefix"}, {"%in:x", "E1 no IPv4 prefix"}, {"%in:10..1", "E1 no IPv4 prefix"}, {"%in:1.2.3.4.5", "E1 longer than an IPv4"}, {"%in:s2001", "E1 everybody's"}, {"%in:10.", ""}, {"%in", ""},
		{zone + "'ex.org:v=DKIM1; k=rsa:x:y:z:p=x", "E2 6 fields; a ' line has 5\nE2 the default counts\nE2 'y' counts as 0\nW2 nobody is at location"}, {zone + "+a.ex.org:192.0.2.2" + strings.Repeat(":", 20), ""}, {zone + "+a.ex.org:192.0.2.2:::::x", "E2 7 fields"},
		{zone + "'ex.org:", "E2 not a valid TXT"}, {zone + `'ex.org:a\777`, "E2 more than a byte"}, {zone + `'ex.org:a\`, "E2 does not count"}, {zone + "'ex.org:a\x00b", "W2 NUL byte"}, {zone + `'ex.org:a\377\\`, ""},
		{zone + "+a..ex.org:192.0.2.2", "W2 empty label"}, {zone + "+.ex.org:192.0.2.2", "W2 empty label"}, {zone + "+a\x00.ex.org:192.0.2.2", "W2 no printable ASCII"}, {zone + "+\xc3\xa4.ex.org:192.0.2.2", "W2 no printable ASCII"},
		{zone + "+a.ex.org:192.0.2.2\r", "E2 carriage return"}, {zone + "+a_b.ex.org:192.0.2.2", "W2 underscore"}, {zone + "@ex.org:192.0.2.2:a_b.ex.org", "W2 host a_b.ex.org has an underscore\nW2 points to"},
		{zone + "@ex.org:192.0.2.2:mx:65546", "E2 too great for a number"}, {zone + "@ex.org:192.0.2.2:mx:x", "E2 the default counts"}, {zone + ":ex.org:65537:x", "E2 too great\nE2 A is not right"},
		{"Zex.org:ns.ex.org:h.ex.org:4294967296\n&ex.org:192.0.2.1:ns.ex.org", "E1 too great for a number"}, {"Zex.org:ns.ex.org:h.ex.org", "E1 has no name server"},
		{zone + "Cw.ex.org:ex.org\n+w.ex.org:192.0.2.2", "E3 has a CNAME and a A"}, {zone + "+w.ex.org:192.0.2.2\nCw.ex.org:ns.ex.org", "E3 has a CNAME and a A"}, {zone + "Cw.ex.org:ns.ex.org\nCw.ex.org:v.other", "E3 another CNAME"}, {zone + "Cw.ex.org:v.ex.org", "W2 is not there"},
		{zone + "%in:10\n%ou\nCw.ex.org:ns.ex.org:::in\n+w.ex.org:192.0.2.2:::ou", ""},
		{zone + "Cw.ex.org:ns.ex.org\n@ex.org::w.ex.org", "E3 which is a CNAME"}, {zone + "@ex.org::mail.ex.org", "E2 has no address"}, {zone + "&ex.org::ns2.ex.org", "E2 has no address"}, {zone + "S_a._tcp.ex.org::h.ex.org:25", "E2 has no address"}, {zone + "@ex.org::.:0", ""}, {zone + "@ex.org::mail.other", ""}, {zone + "+*.ex.org:192.0.2.9\n@ex.org::mail.ex.org", ""},
		{zone + "&sub.ex.org::ns.sub.ex.org", "E2 (glue)"}, {zone + "&sub.ex.org:192.0.2.7:ns.sub.ex.org", ""}, {zone + "&sub.ex.org::ns.other\n'a.sub.ex.org:x", "W3 below the delegation of sub.ex.org"}, {zone + "&sub.ex.org::ns.other\n!sub.ex.org:DS::::1 13 2 00", ""},
		{"+a.other:192.0.2.2", "W1 in no zone"}, {"=a.other:192.0.2.2", "W1 in no zone"}, {zone + "+a.ex.org:192.0.2.2\n+a.ex.org:192.0.2.2", "W3 in line 2 already"}, {zone + "=ns.ex.org:192.0.2.1:259200", ""}, {zone + "+a.ex.org:192.0.2.2:60\n+a.ex.org:192.0.2.3:61\n+a.ex.org:192.0.2.4:62", "W3 has ttl 61; in line 2 it is 60\nW4 has ttl 62"},
		{zone + "+a.ex.org:192.0.2.2:60:4000000000000001\n+a.ex.org:192.0.2.2:0:4000000000000001", ""},
		{zone + `:ex.org:28:\001`, "E2 AAAA is not right for its type"}, {zone + `:ex.org:16:`, "E2 TXT is not right"}, {zone + `:ex.org:16:\005x`, "E2 TXT is not right"}, {zone + ":ex.org:999:" + strings.Repeat("x", 40000), "W2 40000 bytes of data"},
		{zone + "3a.ex.org:20010db8", "E2 is not an IPv6 address"}, {zone + "3a.ex.org:2001_db8__1\n6b.ex.org:20010DB8000000000000000000000002", ""}, {"/in:200", "E1 prefix of 3 digits"}, {"/in:2001_db8", "E1 hexadecimal digits only"}, {"/in:20010DB8", ""},
		{zone + "!ex.org:CAA:60", "E2 line of 3 fields"}, {zone + "!ex.org:FOO::::x", "E2 unknown type"}, {zone + "!ex.org:CAA:x:::0 issue a", "E2 ttl \"x\""}, {zone + "!ex.org:CAA:2147483648:::0 issue a", "E2 ttl"}, {zone + "!ex.org:CAA::AB::0 issue a", "E2 timestamp"}, {zone + "!ex.org:CAA::" + strings.Repeat("0", 17) + "::0 issue a", "E2 timestamp"}, {zone + "!ex.org:CAA:::abc:0 issue a", "E2 location"}, {zone + "!ex.org:CAA::::issue", "E2 CAA: "}, {zone + "!" + strings.Repeat("a", 64) + ":A::::1.2.3.4", "E2 too long"},
	} {
		found, err := Compiler{Serial: 1}.Check(strings.NewReader(c.text))
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Split(c.want, "\n")
		if c.want == "" {
			want = nil
		}
		good := len(found) == len(want)
		for i := range min(len(found), len(want)) {
			kind, message, _ := strings.Cut(want[i], " ")
			got := found[i].String()
			level := map[byte]string{'E': ": error: ", 'W': ": warning: "}[kind[0]]
			good = good && strings.HasPrefix(got, kind[1:]+level) && strings.Contains(got, message)
			if found[i].Hint == "" && !strings.Contains(found[i].Message, "write") && !strings.Contains(message, "CAA: ") {
				t.Errorf("%q: %s has no hint", c.text, got)
			}
		}
		if !good {
			t.Errorf("Check(%q) = %v; want %q", c.text, found, want)
		}
	}
}

// TestCheckIPv6: with -6 what it is for is no finding.
func TestCheckIPv6(t *testing.T) {
	text := zone + "+a.ex.org:2001_db8__1\n%in:s20010db8\n+b.ex.org:192.0.2.2:::in\n"
	if found, err := (Compiler{IPv6: true}).Check(strings.NewReader(text)); err != nil || len(found) != 0 {
		t.Errorf("Check = %v, %v; want nothing", found, err)
	}
}

// TestCheckSiblings: a record is held against the first 1000 of its name.
func TestCheckSiblings(t *testing.T) {
	var b strings.Builder
	b.WriteString(zone)
	for i := range maxSiblings + 1 {
		fmt.Fprintf(&b, "+a.ex.org:10.0.%d.%d\n", i>>8, i&255)
	}
	for at, want := range map[int]int{maxSiblings - 1: 1, maxSiblings: 0} {
		text := b.String() + fmt.Sprintf("+a.ex.org:10.0.%d.%d\n", at>>8, at&255)
		if found, err := (Compiler{}).Check(strings.NewReader(text)); err != nil || len(found) != want {
			t.Errorf("a record like number %d: %v, %v; want %d findings", at+1, found, err, want)
		}
	}
}

func TestReadErrors(t *testing.T) {
	bad := errors.New("disk gone")
	if _, err := (Compiler{}).Check(iotest.ErrReader(bad)); !errors.Is(err, ErrRead) || !errors.Is(err, bad) {
		t.Errorf("Check of an unreadable file: %v", err)
	}
	if err := Compile(iotest.ErrReader(bad), 1, nil); !errors.Is(err, ErrRead) || !errors.Is(err, bad) {
		t.Errorf("Compile of an unreadable file: %v", err)
	}
}
