// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/dnswire"
)

// TestRepeats: a question that comes again has the answer, and the account of
// it, that it would have without those kept; whoever asks, whenever.
func TestRepeats(t *testing.T) {
	text := zoneText + moreZones()
	d := compiled(t, text)
	with, without := New(Config{Repeats: true}), New(Config{})
	clients := []netip.Addr{localhost, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	hits := 0
	for round := range 6 {
		now := time.Unix(1e9, 0).Add(time.Duration(round) * time.Hour)
		from := clients[round%len(clients)]
		for _, packet := range askable(t, text) {
			packet[0], packet[1] = byte(round), 77
			e := &repeat{}
			if with.kept != nil {
				e, _ = with.kept.at(packet)
			}
			if _, hit := e.find(d, nil, packet, new(dnswire.Query), make([]byte, 0, dnswire.MaxName)); hit {
				hits++
			}
			var q1, q2 dnswire.Query
			got, s1 := with.Answer(d, nil, packet, from, false, now, &q1)
			want, s2 := without.Answer(d, nil, packet, from, false, now, &q2)
			if s1 != s2 || fmt.Sprint(q1) != fmt.Sprint(q2) || !sameAnswer(t, got, want) {
				t.Fatalf("round %d, %q: %c %x %+v; want %c %x %+v", round, packet[12:], s1, got, q1, s2, want, q2)
			}
		}
	}
	if hits < 300 {
		t.Errorf("%d answers were kept ones; want hundreds", hits)
	}
}

// askable is questions about all names of a data file and some beside them.
func askable(t *testing.T, text string) (packets [][]byte) {
	for line := range strings.Lines(text) {
		if !strings.ContainsAny(line[:1], ".&=+@':CZS") {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimSpace(line[1:]), ":")
		for _, n := range []string{name, "x." + name, strings.ToUpper(name)} {
			if _, err := dnswire.Name(n); err != nil {
				continue
			}
			for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeTXT, dns.TypeANY} {
				for _, more := range []string{"", optRecord, "\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00", "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x04\x00\x03\x00\x00"} {
					packets = append(packets, packetFor(t, n, kind, more))
				}
			}
		}
	}
	return packets
}

// sameAnswer is equality, but for the order of addresses.
func sameAnswer(t *testing.T, a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y dns.Msg
	if x.Unpack(a) != nil || y.Unpack(b) != nil {
		return false
	}
	return fmt.Sprint(x.MsgHdr, section(x.Answer), section(x.Ns), section(x.Extra)) == fmt.Sprint(y.MsgHdr, section(y.Answer), section(y.Ns), section(y.Extra))
}

// TestRepeatsEnd: kept answers end with their data, and those that depend on
// the client, the time or chance, or are large, are not kept.
func TestRepeatsEnd(t *testing.T) {
	c := New(Config{Repeats: true})
	text := ".z.example:192.0.2.1:a\n+one.z.example:192.0.2.2\n+two.z.example:192.0.2.3\n+two.z.example:192.0.2.4\n+here.z.example:192.0.2.5:::in\n%in:127\n" +
		"+soon.z.example:192.0.2.6:60:4fffffff00000000\n'long.z.example:" + strings.Repeat("x", 200) + "\n"
	d := compiled(t, text)
	ask := func(d *Data, name string, kind uint16) (said []byte, kept bool) {
		packet := packetFor(t, name, kind, optRecord)
		for range 3 {
			var q dnswire.Query
			said, _ = c.Answer(d, nil, packet, localhost, false, time.Now(), &q)
		}
		e, _ := c.kept.at(packet)
		_, kept = e.find(d, nil, packet, new(dnswire.Query), make([]byte, 0, dnswire.MaxName))
		return said, kept
	}
	for name, want := range map[string]bool{"one": true, "two": false, "here": false, "soon": false, "long": false, "none": true} {
		kind := uint16(dnswire.TypeA)
		if name == "long" {
			kind = dnswire.TypeTXT
		}
		if _, kept := ask(d, name+".z.example", kind); kept != want {
			t.Errorf("the answer about %s is kept: %v; want %v", name, kept, want)
		}
	}
	before, _ := ask(d, "one.z.example", dnswire.TypeA)
	after, _ := ask(compiled(t, strings.ReplaceAll(text, "192.0.2.2", "192.0.2.99")), "one.z.example", dnswire.TypeA)
	if bytes.Equal(before, after) || !bytes.Contains(after, []byte{192, 0, 2, 99}) {
		t.Errorf("new data: %x; want 192.0.2.99 in it", after)
	}
}
