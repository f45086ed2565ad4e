// SPDX-License-Identifier: ISC

package dnsprint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// packet is a header of these flags and counts, and what follows.
func packet(flags uint16, counts [4]int, rest ...string) []byte {
	out := binary.BigEndian.AppendUint16([]byte{0, 7}, flags)
	for _, n := range counts {
		out = binary.BigEndian.AppendUint16(out, uint16(n))
	}
	return append(out, strings.Join(rest, "")...)
}

// rr is a record of class IN with the TTL 60 whose owner is at byte 12.
func rr(kind uint16, data string) string {
	out := binary.BigEndian.AppendUint16([]byte{0xc0, 12}, kind)
	out = append(out, 0, 1, 0, 0, 0, 60, byte(len(data)>>8), byte(len(data)))
	return string(out) + data
}

const (
	question = "\x01A\x02bC\x00\x00\x0f\x00\x01" // a.bc MX
	start    = "query: 15 a.bc\n"
)

func TestPacket(t *testing.T) {
	for _, c := range []struct {
		name   string
		packet []byte
		want   string // "" an error
	}{
		{"question", packet(0x0000, [4]int{1}, question), "22 bytes, 1+0+0+0 records, noerror\n" + start},
		{"all flags", packet(0xfff0, [4]int{1}, question), "22 bytes, 1+0+0+0 records, response, weird op, authoritative, truncated, weird rd, weird ra, noerror, weird z\n" + start},
		{"nxdomain", packet(0x8403, [4]int{1}, question), "22 bytes, 1+0+0+0 records, response, authoritative, nxdomain\n" + start},
		{"notimp", packet(0x8004, [4]int{}), "12 bytes, 0+0+0+0 records, response, notimp\n"},
		{"refused", packet(0x8005, [4]int{}), "12 bytes, 0+0+0+0 records, response, refused\n"},
		{"servfail", packet(0x8002, [4]int{}), "12 bytes, 0+0+0+0 records, response, weird rcode\n"},
		{"class CH", packet(0x8000, [4]int{1}, question[:len(question)-1]+"\x03"), "22 bytes, 1+0+0+0 records, response, noerror\nquery: weird class\n"},
		{"the types", packet(0x8000, [4]int{1, 5, 2, 3}, question, rr(15, "\x00\x0a\x02mx\xc0\x0c"), rr(1, "\x0a\x00\x00\xff"), rr(2, "\xc0\x0c"), rr(5, "\x01x\x00"), rr(12, "\x00"),
			rr(6, "\xc0\x0c\x01h\xc0\x0c\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04\xff\xff\xff\xff"), rr(16, "\x05a b\x00~"), rr(28, strings.Repeat("\x00", 16)), rr(41, ""), "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"),
			"206 bytes, 1+5+2+3 records, response, noerror\n" + start +
				"answer: a.bc 60 MX 10 mx.a.bc\nanswer: a.bc 60 A 10.0.0.255\nanswer: a.bc 60 NS a.bc\nanswer: a.bc 60 CNAME x\nanswer: a.bc 60 PTR .\n" +
				"authority: a.bc 60 SOA a.bc h.a.bc 1 2 3 4 4294967295\nauthority: a.bc 60 16 \\005a\\040b\\000~\n" +
				"additional: a.bc 60 28 " + strings.Repeat(`\000`, 16) + "\nadditional: a.bc 60 41 \nadditional: . 0 weird class\n"},
		{"odd owner", packet(0x8000, [4]int{0, 1}, "\x04a.\x1b\xff\x00", rr(1, "\x01\x02\x03\x04")[2:]), "32 bytes, 0+1+0+0 records, response, noerror\nanswer: a\\056\\033\\377 60 A 1.2.3.4\n"},
		{"short", packet(0, [4]int{})[:11], ""},
		{"no question", packet(0, [4]int{1}), ""},
		{"half a question", packet(0, [4]int{1}, question[:len(question)-1]), ""},
		{"more after the end", packet(0, [4]int{1}, question, "x"), ""},
		{"too few records", packet(0, [4]int{1, 2}, question, rr(1, "\x01\x02\x03\x04")), ""},
		{"65535 records", packet(0, [4]int{1, 65535, 65535, 65535}, question), ""},
		{"A of 3 bytes", packet(0, [4]int{1, 1}, question, rr(1, "\x01\x02\x03")), ""},
		{"A of 5 bytes", packet(0, [4]int{1, 1}, question, rr(1, "\x01\x02\x03\x04\x05")), ""},
		{"data beyond the end", packet(0, [4]int{1, 1}, question, rr(16, "abcd")[:15]), ""},
		{"NS with more", packet(0, [4]int{1, 1}, question, rr(2, "\xc0\x0cx")), ""},
		{"NS with less", packet(0, [4]int{1, 1}, question, rr(2, "\xc0")+"\x0c"), ""},
		{"NS without", packet(0, [4]int{1, 1}, question, rr(2, "")), ""},
		{"MX of 1 byte", packet(0, [4]int{1, 1}, question, rr(15, "\x00")), ""},
		{"SOA short", packet(0, [4]int{1, 1}, question, rr(6, "\x00\x00\x00\x00\x00\x01")), ""},
		{"pointer to itself", packet(0, [4]int{1, 1}, question, "\xc0\x16", rr(1, "\x01\x02\x03\x04")[2:]), ""},
		{"pointers in a ring", packet(0, [4]int{1, 1}, question, rr(2, "\x01a\xc0\x22\x01b\xc0\x1f")), ""},
		{"pointer beyond the end", packet(0, [4]int{1, 1}, question, rr(2, "\xff\xff")), ""},
		{"half a pointer", packet(0, [4]int{0, 1}, "\xc0"), ""},
		{"label type 0x40", packet(0, [4]int{1}, "\x41a\x00\x00\x01\x00\x01"), ""},
		{"label type 0x80", packet(0, [4]int{1}, "\x81a\x00\x00\x01\x00\x01"), ""},
		{"256 bytes of name", packet(0, [4]int{1}, strings.Repeat("\x01a", 127)+"\x01"+"\x00\x00\x00\x01\x00\x01"), ""},
	} {
		out, err := Packet(nil, c.packet)
		switch {
		case c.want == "" && !errors.Is(err, ErrProto):
			t.Errorf("%s: %q, %v; want %v", c.name, out, err, ErrProto)
		case c.want != "" && (err != nil || string(out) != c.want):
			t.Errorf("%s: %v\n%s\nwant\n%s", c.name, err, out, c.want)
		}
	}
}

// TestLongestName: 255 bytes are a name, put together from pieces too.
func TestLongestName(t *testing.T) {
	name := strings.Repeat("\x01a", 127) + "\x00"
	got, next, err := Name(nil, []byte(name), 0)
	if string(got) != name || next != len(name) || err != nil {
		t.Errorf("Name of 255 bytes = %d bytes, %d, %v", len(got), next, err)
	}
	pieces := "\x01a\xc0\x05" + "x" + name
	if got, _, err = Name(nil, []byte(pieces), 0); err == nil {
		t.Errorf("Name of 257 bytes in pieces = %d bytes; want an error", len(got))
	}
	if got, next, err = Name([]byte("before"), []byte("x\x01b\xc0\x06\x00\x01c\x00"), 1); string(got) != "before\x01b\x01c\x00" || next != 5 || err != nil {
		t.Errorf("Name in pieces = %q, %d, %v", got, next, err)
	}
}

func TestHead(t *testing.T) {
	if got := string(Head(nil, 15, []byte("\x01A\x02b\x1b\x00"))); got != "15 a.b\\033:\n" {
		t.Errorf("Head = %q", got)
	}
}

func TestType(t *testing.T) {
	for in, want := range map[string]int{
		"a": 1, "ANY": 255, "AaAa": 28, "axfr": 252, "sig": 24, "key": 25, "rp": 17, "hinfo": 13, "0": 0, "": 0, "65": 65, "65536": 0, "65537": 1, "18446744073709551617": 1,
		"srv": 33, "naptr": 35, "ds": 43, "sshfp": 44, "tlsa": 52, "svcb": 64, "HTTPS": 65, "caa": 257, "uri": 256, "TYPE65534": 65534, "type1": 1,
		"1x": -1, "-1": -1, "nosuch": -1, " a": -1, "type": -1, "type65536": -1, "typex": -1,
	} {
		kind, ok := Type(in)
		if got := int(kind); ok != (want >= 0) || ok && got != want {
			t.Errorf("Type(%q) = %d, %v; want %d", in, got, ok, want)
		}
	}
}

func TestIP4(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1": "127.0.0.1|", "10.0.0.77junk": "10.0.0.77|junk", "127.555.0.2": "127.43.0.2|", "1.2.3.4.5": "1.2.3.4|.5",
		"1.2.3": "", "": "", "1..2.3": "", "a.1.2.3": "", "1.2.3.": "",
	} {
		ip, rest, ok := IP4(in)
		got := ""
		if ok {
			got = ip.String() + "|" + rest
		}
		if got != want {
			t.Errorf("IP4(%q) = %q; want %q", in, got, want)
		}
	}
	if ip, _, _ := IP4("1.2.3.4"); ip != netip.MustParseAddr("1.2.3.4") {
		t.Errorf("IP4 = %v", ip)
	}
}

// FuzzPacket: no packet makes Packet panic, go on for ever, or print what a
// terminal would obey; what it prints is in proportion.
func FuzzPacket(f *testing.F) {
	f.Add(packet(0x8580, [4]int{1, 2, 1, 1}, question, rr(15, "\x00\x0a\x02mx\xc0\x0c"), rr(16, "\x02hi"), rr(6, "\xc0\x0c\xc0\x0c"+strings.Repeat("\x00", 20)), rr(1, "\x01\x02\x03\x04")))
	f.Add(packet(0, [4]int{1, 1}, question, rr(2, "\x01a\xc0\x22\x01b\xc0\x1f")))
	f.Add(packet(0, [4]int{65535, 65535, 65535, 65535}, question))
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) > 65535 {
			return
		}
		out, err := Packet(nil, p)
		if err == nil && len(p) < 12 {
			t.Errorf("%q is no packet: %q", p, out)
		}
		if i := bytes.IndexFunc(out, func(c rune) bool { return c != '\n' && (c < ' ' || c > '~') }); i >= 0 {
			t.Errorf("Packet(%q) prints %q", p, out)
		}
		if len(out) > 200+1100*(1+len(p)) {
			t.Errorf("%d bytes print as %d", len(p), len(out))
		}
	})
}
