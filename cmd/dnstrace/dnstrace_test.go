// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"quill/internal/dnsclient"
	"quill/internal/dnswire"
)

func wire(s string) string {
	n, err := dnswire.Name(s)
	if err != nil {
		panic(err) // a test's own text
	}
	return string(n)
}

// rr is a record with the TTL 60.
func rr(owner string, kind uint16, data string) string {
	out := binary.BigEndian.AppendUint16([]byte(wire(owner)), kind)
	return string(append(out, 0, 1, 0, 0, 0, 60, byte(len(data)>>8), byte(len(data)))) + data
}

// packet is an answer with these counts of answers, authority and additional.
func packet(name string, kind, rcode uint16, counts [3]int, records ...string) []byte {
	var out []byte
	for _, n := range []int{0, dnswire.FlagQR | int(rcode), 1, counts[0], counts[1], counts[2]} {
		out = binary.BigEndian.AppendUint16(out, uint16(n))
	}
	out = binary.BigEndian.AppendUint16(append(out, wire(name)...), kind)
	return append(append(out, 0, 1), strings.Join(records, "")...)
}

var (
	rootIP = netip.MustParseAddr("10.0.0.1")
	zoneIP = netip.MustParseAddr("10.0.0.2")
)

// traced is what a trace prints, with these answers.
func traced(t *testing.T, kind uint16, name string, ask func(server netip.Addr, name string, kind uint16) ([]byte, error)) (lines []string, questions int) {
	t.Helper()
	var out bytes.Buffer
	tr := newTracer(bufio.NewWriter(&out), func(server netip.Addr, name []byte, kind uint16) ([]byte, error) {
		questions++
		return ask(server, dnswire.Text(name), kind)
	})
	tr.known, tr.most = 200, 1000
	if err := tr.trace(kind, []byte(wire(name)), []netip.Addr{rootIP}); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n"), questions
}

// TestTrace: a referral with glue, and the answers of the zone's server.
func TestTrace(t *testing.T) {
	refer := func(name string, kind uint16) []byte {
		return packet(name, kind, 0, [3]int{0, 1, 1}, rr("example", 2, wire("ns.example")), rr("ns.example", 1, string(zoneIP.AsSlice())))
	}
	const prefix = "1:www.example:example:10.0.0.2:"
	for _, c := range []struct {
		what   string
		answer []byte
		err    error
		want   string // what is said after tx, without its prefix
	}{
		{"answer, and what is not its zone's", packet("www.example", 1, 0, [3]int{1, 0, 1}, rr("www.example", 1, "\x0a\x00\x00\x09"), rr("other.test", 1, "\x06\x06\x06\x06")), nil, "A:www.example:10.0.0.9 answer:www.example_60_A_10.0.0.9"},
		{"other case", packet("www.example", 1, 0, [3]int{1, 0, 0}, rr("WWW.Example", 1, "\x0a\x00\x00\x09")), nil, "A:www.example:10.0.0.9 answer:www.example_60_A_10.0.0.9"},
		{"no such name", packet("www.example", 1, 3, [3]int{}), nil, "NXDOMAIN"},
		{"no such type", packet("www.example", 1, 0, [3]int{}), nil, "NODATA"},
		{"alias", packet("www.example", 1, 0, [3]int{1, 0, 0}, rr("www.example", 5, wire("www.example"))), nil, "CNAME:www.example"},
		{"lame", packet("www.example", 1, 0, [3]int{0, 1, 0}, rr("test", 2, wire("ns.test"))), nil, "ALERT:lame_server;_refers_to_test"},
		{"refers to itself", packet("www.example", 1, 0, [3]int{0, 1, 0}, rr("example", 2, wire("ns.test"))), nil, "ALERT:lame_server;_refers_to_example"},
		{"refers aside", packet("www.example", 1, 0, [3]int{0, 1, 0}, rr("x.example", 2, wire("."))), nil, "NS:x.example:. ALERT:unable_to_parse_response_packet;_input/output_error"},
		{"silence", nil, dnsclient.ErrTimeout, "ALERT:query_failed;_timed_out"},
		{"half a header", make([]byte, 5), nil, "ALERT:unable_to_parse_response_packet;_protocol_error"},
		{"too few records", packet("www.example", 1, 0, [3]int{1, 0, 0}), nil, "ALERT:unable_to_parse_response_packet;_protocol_error"},
		{"too few additional", packet("www.example", 1, 0, [3]int{1, 0, 1}, rr("www.example", 1, "\x0a\x00\x00\x09")), nil, "A:www.example:10.0.0.9 ALERT:unable_to_parse_response_packet;_protocol_error"},
		{"A of 5 bytes", packet("www.example", 1, 0, [3]int{1, 0, 0}, rr("www.example", 1, "\x0a\x00\x00\x09\x09")), nil, "ALERT:unable_to_parse_response_packet;_protocol_error"},
	} {
		lines, _ := traced(t, 1, "www.example", func(server netip.Addr, name string, kind uint16) ([]byte, error) {
			if server == rootIP {
				return refer(name, kind), nil
			}
			if name == "ns.example" {
				return packet(name, kind, 3, [3]int{}), nil
			}
			return c.answer, c.err
		})
		var got []string
		for _, l := range lines {
			if l, ok := strings.CutPrefix(l, prefix); ok && l != "tx" {
				got = append(got, strings.ReplaceAll(l, " ", "_"))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q; want %q", c.what, got, c.want)
		}
	}
}

// TestEndless: servers that name ever new servers, names and addresses are
// followed up to a limit, and that is said.
func TestEndless(t *testing.T) {
	n := 0
	lines, questions := traced(t, 1, "www.example", func(_ netip.Addr, name string, kind uint16) ([]byte, error) {
		var records []string
		for range 50 {
			n++
			ns := fmt.Sprintf("n%d.example", n)
			records = append(records, rr("example", 2, wire(ns)), rr(ns, 1, string([]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})))
		}
		return packet(name, kind, 3, [3]int{0, 100, 0}, records...), nil
	})
	if questions != 1000 {
		t.Errorf("%d questions; want 1000", questions)
	}
	if servers := strings.Count(strings.Join(lines, "\n"), ":tx"); servers != questions {
		t.Errorf("%d questions are said of %d", servers, questions)
	}
	if got := strings.Count(strings.Join(lines, "\n"), "ALERT:too many servers"); got != 1 {
		t.Errorf("the limit is said %d times; want once", got)
	}
}

// TestInternal: names that caches know by themselves.
func TestInternal(t *testing.T) {
	for name, want := range map[string]string{"localhost": "A:localhost:127.0.0.1", "1.2.3.4": "A:1.2.3.4:1.2.3.4", "1.2.3.04": "", "1.2.3": "", "1.2.3.256": ""} {
		lines, _ := traced(t, 1, name, func(_ netip.Addr, name string, kind uint16) ([]byte, error) {
			return packet(name, kind, 3, [3]int{}), nil
		})
		all := strings.Join(lines, "\n")
		if (want != "") != strings.Contains(all, "ALERT:some caches do not handle ") || !strings.Contains(all, want) {
			t.Errorf("%s: want %q in\n%s", name, want, all)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestFull(t *testing.T) {
	tr := newTracer(bufio.NewWriter(full{}), func(netip.Addr, []byte, uint16) ([]byte, error) { return nil, dnsclient.ErrIO })
	if tr.trace(1, []byte(wire("x")), []netip.Addr{rootIP}) == nil {
		t.Error("output that fails: no error")
	}
}

// FuzzLearn: no answer makes a tracer panic or print what a terminal would obey.
func FuzzLearn(f *testing.F) {
	f.Add(packet("www.example", 1, 0, [3]int{0, 1, 1}, rr("example", 2, wire("ns.example")), rr("ns.example", 1, "\x0a\x00\x00\x09")))
	f.Add(packet("www.example", 1, 0, [3]int{1, 0, 0}, rr("www.example", 5, wire("x"))))
	f.Add(packet("www.example", 255, 0, [3]int{2, 0, 0}, rr("www.example", 16, "\x02\x1bx"), rr("www.example", 1, "\x0a\x00\x00\x09")))
	f.Fuzz(func(t *testing.T, p []byte) {
		var out bytes.Buffer
		tr := newTracer(bufio.NewWriter(&out), nil)
		k := task{query{wire("www.example"), 255}, "\x00", rootIP}
		if err := tr.learn(p, k); err != nil && len(p) > 65535 {
			t.Error(err)
		}
		tr.out.Flush()
		for _, b := range out.Bytes() {
			if b != '\n' && (b < ' ' || b > '~') {
				t.Fatalf("learn(%q) prints %q", p, out.Bytes())
			}
		}
	})
}
