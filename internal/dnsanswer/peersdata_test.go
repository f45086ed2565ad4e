// SPDX-License-Identifier: ISC

//go:build peers

package dnsanswer

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"

	"quill/internal/dnswire"
)

// peerData is data for a comparison, and names that it is worth to ask for.
func peerData(random *rand.Rand) (text string, names []string) {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	any := func(s ...string) string { return s[random.IntN(len(s))] }
	b.WriteString(zoneText)
	for l := range strings.Lines(zoneText) {
		if f := strings.Split(l[1:], ":"); len(f) > 1 && !strings.ContainsAny(l[:1], "#%") {
			names = append(names, f[0])
		}
	}
	line("%%in:127\n%%no:10\n.:127.0.0.1:a.root:60::no")
	zones := []string{"One.Example", "two.example", "a.very.long.name.with.many.labels.of.a.zone.test", "3.2.10.in-addr.arpa"}
	for z, zone := range zones {
		names = append(names, zone)
		if z == 1 {
			line("Z%s:ns1.%s:hostmaster.%s:77:::::300", zone, zone, zone)
		}
		for i := range 1 + z*4 {
			if z == 1 {
				line("&%s:10.0.%d.%d:ns%d.%s:%d", zone, z, i, i, any(zone, "one.example", "out.example"), 60+i)
			} else {
				line(".%s:10.0.%d.%d:%c:%d", zone, z, i, 'a'+i, 100*i)
			}
		}
		hosts := []string{zone}
		for i := range 40 {
			host := fmt.Sprintf("h%d.%s", i, hosts[random.IntN(len(hosts))])
			if random.IntN(3) > 0 {
				host = fmt.Sprintf("%s%d.%s", any("host", "H", "mx", "_srv", `\052`, `a\.b`), i, zone)
			}
			if random.IntN(8) == 0 {
				host = "*." + host
			}
			if len(host) > 200 {
				continue
			}
			hosts = append(hosts, strings.TrimPrefix(host, "*."))
			names = append(names, host, strings.TrimPrefix(host, "*."))
			for range 1 + random.IntN(3) {
				peerLine(random, line, host, zone, hosts)
			}
		}
	}
	return b.String(), names
}

// peerLine makes lines of one kind for a host.
func peerLine(random *rand.Rand, line func(string, ...any), host, zone string, hosts []string) {
	other := func() string { return hosts[random.IntN(len(hosts))] }
	end := []string{"", ":60", ":0", ":4294967295", ":60:4000000000000001", ":60:4fffffffffffffff", ":0:4fffffffffffffff", ":0:4000000000000001", ":60::in", ":60::no", ":5::\\000"}
	tail := end[random.IntN(len(end))]
	few := 1 + random.IntN(3)
	switch random.IntN(14) {
	case 0:
		for i := range few * random.IntN(8) {
			line("+%s:10.1.2.%d%s", host, i, tail)
		}
	case 1:
		line("=%s:10.2.3.%d%s", host, random.IntN(256), tail)
	case 2:
		for i := range few {
			line("@%s:10.3.4.%d:%s:%d%s", host, i, []string{"a", other(), "mx.out.example"}[i%3], i, tail)
		}
	case 3:
		line("'%s:%s%s", host, strings.Repeat("text ", []int{1, 30, 90, 101, 102, 103, 120, 2000, 7000}[random.IntN(9)]), tail)
	case 4:
		line("C%s:%s%s", host, other(), tail)
	case 5:
		line("^%s:%s%s", host, other(), tail)
	case 6:
		line(":%s:%d:%s%s", host, []int{28, 1, 257, 65280, 13, 33, 39, 43, 255}[random.IntN(9)], strings.Repeat(`\001x`, random.IntN(20)), tail)
	case 7:
		line("S%s:10.4.5.6:%s:25:1:2%s", host, other(), tail)
	case 8:
		for i := range few * few {
			line("&%s:10.5.6.%d:%s%s", host, i, []string{"a", "ns." + host, other()}[i%3], tail)
		}
	case 9:
		for i := range few * 20 {
			line("@%s:10.6.%d.1:mail%d.%s:%d%s", host, i, i, []string{zone, host, "example", other()}[i%4], i, tail)
		}
	case 10:
		line("Z%s:%s:%s%s", host, other(), other(), "::::::"+tail)
	case 11:
		line(".%s:10.7.8.9:%s%s", host, other(), tail)
	case 12:
		for i := range 5 {
			line("+%s:10.8.%d.1%s", host, i, end[random.IntN(len(end))])
		}
	case 13:
		line(":%s:1:abc%s", host, tail)
	}
}

// peerPacket is a question.
func peerPacket(random *rand.Rand, names []string, id uint16) []byte {
	b := binary.BigEndian.AppendUint16(nil, id)
	flags, count := uint16(random.IntN(2))<<8, uint16(1)
	if random.IntN(8) == 0 {
		flags = uint16(random.IntN(1 << 16))
	}
	if random.IntN(64) == 0 {
		count = uint16(random.IntN(300))
	}
	b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, flags), count)
	tail := random.IntN(4) == 0
	more := byte(0)
	if tail {
		more = 1
	}
	b = append(b, 0, 0, 0, 0, 0, more)
	b = append(b, peerName(random, names)...)
	kind, class := uint16([]int{1, 1, 2, 5, 6, 12, 15, 16, 28, 33, 255, 255, 39, 43, 257}[random.IntN(15)]), uint16(1)
	switch random.IntN(32) {
	case 0:
		kind = uint16(random.IntN(1 << 16))
	case 1:
		kind = 252
	case 2:
		kind = 251
	}
	switch random.IntN(10) {
	case 0:
		class = 255
	case 1:
		class = uint16(2 + random.IntN(4))
	}
	b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, kind), class)
	if tail {
		b = append(b, "\x00\x00\x29\x10\x00\x00\x00\x80\x00\x00\x00"...)
	}
	switch random.IntN(40) {
	case 0:
		b = b[:random.IntN(len(b))]
	case 1:
		b[2+random.IntN(len(b)-2)] ^= byte(1 << random.IntN(8))
	case 2:
		b = append(b, make([]byte, random.IntN(700))...)
	}
	return b
}

// peerName is the name of a question.
func peerName(random *rand.Rand, names []string) []byte {
	text := names[random.IntN(len(names))]
	if rest, ok := strings.CutPrefix(text, "*."); ok && random.IntN(4) > 0 {
		text = rest
		for range 1 + random.IntN(2) {
			text = "w." + text
		}
	}
	switch random.IntN(12) {
	case 0:
		text = "near." + text
	case 1:
		_, text, _ = strings.Cut(text, ".")
	case 2:
		text = strings.Repeat("x.", random.IntN(120)) + text
	case 3:
		text = "nowhere." + []string{"", "example", "test", "org"}[random.IntN(4)]
	}
	name, err := dnswire.Name(text)
	if err != nil {
		name, _ = dnswire.Name(strings.Repeat("long.", 30))
	}
	if random.IntN(4) == 0 {
		for i := range name {
			if c := name[i] | 0x20; random.IntN(2) == 0 && c >= 'a' && c <= 'z' {
				name[i] ^= 0x20
			}
		}
	}
	switch random.IntN(32) {
	case 0: // pointers: to the header, to the name itself, on, anywhere
		name = append(name[:len(name)-1], 0xc0, byte(random.IntN(80)))
	case 1:
		name = []byte{0xc0 | byte(random.IntN(64)), byte(random.IntN(256))}
	case 2: // the name behind what points to it
		name = append([]byte{0xc0, 12 + 6, 0, 1, 0, 1}, name...)
	case 3:
		name[random.IntN(len(name))] = byte(random.IntN(256))
	}
	return name
}
