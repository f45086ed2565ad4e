// SPDX-License-Identifier: ISC

package dnsdata

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// compiled is the records of these lines.
func compiled(t *testing.T, text string) (all []Record) {
	t.Helper()
	err := Compile(strings.NewReader(text), 7, func(k, v []byte) error {
		r, ok := ParseRecord(k, v)
		if !ok {
			t.Errorf("ParseRecord(%q, %q) of %q is false", k, v, text)
		}
		all = append(all, r)
		return nil
	})
	if err != nil {
		t.Errorf("Compile(%q) = %v", text, err)
	}
	return all
}

// TestLines: a record's line is the best there is for it, and makes it again.
func TestLines(t *testing.T) {
	for in, want := range map[string]string{
		"+a.B.c:1.2.3.4:60":                   "+a.b.c:1.2.3.4:60",
		"+*.a:1.2.3.4:60:4000000000000001:in": "+*.a:1.2.3.4:60:4000000000000001:in",
		"+*:1.2.3.4":                          "+*:1.2.3.4:86400",
		"+:1.2.3.4":                           "+.:1.2.3.4:86400",
		"+*.*.a:1.2.3.4:0:4:x":                "+*.*.a:1.2.3.4:0:4000000000000000:x",
		"+a:1.2.3.4:5::a :":                   "+a:1.2.3.4:5::a :",
		"+a:1.2.3.4:5::\x00x":                 "+a:1.2.3.4:5::\x00x",
		"&a::b.c":                             "&a::b.c:259200",
		"&a::b":                               "&a::b.ns.a:259200",
		"&a::b.":                              "&a::b.:259200",
		"&a::.":                               "&a::.:259200",
		"Ca:B.c":                              "Ca:B.c:86400",
		"Ca:":                                 "Ca:.:86400",
		"^1.2:a.b:4294967295":                 "^1.2:a.b:4294967295",
		"@a::.:0":                             "@a::.:0:86400",
		"@a::m.b:10:0":                        "@a::m.b:10:0",
		`'a:x\072\\\200y:1`:                   `'a:x\072\134\200y:1`,
		"'a":                                  "'a::86400",
		"'a:" + strings.Repeat("x", 300):      "'a:" + strings.Repeat("x", 300) + ":86400",
		`:a:16:\001x\001y`:                    `!a:TXT:86400:::"x" "y"`,
		`:a:16:\000`:                          `!a:TXT:86400:::""`,
		`:a:16:\005x`:                         `:a:16:\005x:86400`,
		"Sa::b.c:25:1:2":                      "Sa::b.c:25:1:2:86400",
		"Za:m.a:r.a:1:2:3:4:5:6":              "Za:m.a:r.a:1:2:3:4:5:6",
		"Za:m:":                               "Za:m:.:7:16384:2048:1048576:2560:2560",
		"3a:20010db8000000000000000000000001": "3a:20010db8000000000000000000000001:86400",
		"3a:2001_db8__1:60":                   "3a:20010db8000000000000000000000001:60",
		`:a:28:x`:                             `:a:28:x:86400`,
		`:a:999:x y:60:4:lo`:                  `:a:999:x y:60:4000000000000000:lo`,
		`:a:251:x`:                            `:a:251:x:86400`,
		`!a:TYPE999:60:::\# 2 3a5c`:           `:a:999:\072\134:60`,
		`!*.a:CAA:60:4:lo:0 issue "ca.example;x=y:z"`:       `!*.a:CAA:60:4000000000000000:lo:0 issue "ca.example;x=y:z"`,
		`!_25._tcp.a:TLSA::::3 1 1 AB cd`:                   `!_25._tcp.a:TLSA:86400:::3 1 1 abcd`,
		`!a:NS::::b`:                                        "&a::b.:259200",
		`!a:SOA::::b. c. 1 2 3 4 5`:                         "Za:b:c:1:2:3:4:5:2560",
		`!a:HTTPS::::1 . alpn="h2" port=443`:                `!a:HTTPS:86400:::1 . alpn="h2" port=443`,
		`!a:URI:2147483647:::1 2 "http://x:80/"`:            `!a:URI:2147483647:::1 2 "http://x:80/"`,
		`:a:256:\000\001\000\002x:4294967295`:               `:a:256:\000\001\000\002x:4294967295`,
		`+\052.y\.z\000:1.2.3.4`:                            `+*.y\056z\000:1.2.3.4:86400`,
		"!a:TXT::::" + `"` + strings.Repeat("k", 400) + `"`: `!a:TXT:86400:::"` + strings.Repeat("k", 255) + `" "` + strings.Repeat("k", 145) + `"`,
	} {
		first := compiled(t, in)
		if len(first) != 1 {
			t.Errorf("%q makes %d records", in, len(first))
			continue
		}
		if got := first[0].Line(); got != want {
			t.Errorf("Line of %q = %q; want %q", in, got, want)
		}
		if again := compiled(t, want); !reflect.DeepEqual(again, first) {
			t.Errorf("%q makes %+v; want %+v", want, again, first)
		}
	}
}

// TestNoLines: what no line can make has none.
func TestNoLines(t *testing.T) {
	name := []byte("\x01a\x00")
	for _, c := range []Record{
		{Owner: nil, Type: 1, Data: []byte{1, 2, 3, 4}}, {Owner: []byte("\x01a"), Type: 1, Data: []byte{1, 2, 3, 4}}, {Owner: []byte("\x01a\x00b"), Type: 1, Data: []byte{1, 2, 3, 4}},
		{Owner: name, Type: 0}, {Owner: name, Type: 252}, {Owner: name, Type: 2, Data: []byte("x")}, {Owner: name, Type: 15, Data: []byte("x")}, {Owner: name, Type: 6, Data: []byte("\x00\x00")},
		{Owner: name, Type: 1, Data: []byte{1, 2, 3, 4}, Loc: [2]byte{'a', ':'}}, {Owner: name, Type: 999, Data: make([]byte, maxData+1)},
	} {
		if got := c.Line(); got != "" {
			t.Errorf("Line(%+v) = %q; want none", c, got)
		}
	}
}

func TestParseRecord(t *testing.T) {
	ok := []byte("\x00\x01=\x00\x00\x00\x3c\x40\x00\x00\x00\x00\x00\x00\x01\x01\x02\x03\x04")
	r, good := ParseRecord([]byte("\x01a\x00"), ok)
	if want := (Record{Owner: []byte("\x01a\x00"), Type: 1, TTL: 60, Stamp: 0x4000000000000001, Data: []byte{1, 2, 3, 4}}); !good || !reflect.DeepEqual(r, want) {
		t.Errorf("ParseRecord = %+v, %v; want %+v", r, good, want)
	}
	with := func(mark byte) []byte { v := bytes.Clone(ok); v[2] = mark; return v }
	long := append(bytes.Repeat([]byte("\x01a"), 127), 0)
	for name, c := range map[string][2][]byte{
		"location": {[]byte("\x00%\x0a"), []byte("in")}, "empty key": {nil, ok}, "short": {[]byte("\x01a\x00"), ok[:14]}, "short with location": {[]byte("\x01a\x00"), with('>')[:16]},
		"marker": {[]byte("\x01a\x00"), with('x')}, "no name": {[]byte("\x05a\x00"), ok}, "long wildcard": {long, with('*')}, "star without wildcard": {[]byte("\x01*\x01a\x00"), ok},
	} {
		if r, good := ParseRecord(c[0], c[1]); good {
			t.Errorf("%s: ParseRecord = %+v; want false", name, r)
		}
	}
}

// FuzzFormat: the line of any record makes that record.
func FuzzFormat(f *testing.F) {
	f.Add([]byte("\x01a\x00"), uint16(1), uint32(60), uint64(0), "", []byte{1, 2, 3, 4})
	f.Add([]byte("\x01*\x01a\x00"), uint16(16), uint32(60), uint64(1)<<62, "lo", []byte("\x02hi"))
	f.Add([]byte("\x00"), uint16(257), uint32(1<<31), uint64(1)<<62, "\xff ", []byte("\x00\x05issueca.example"))
	for _, c := range words {
		typ, _ := TypeNumber(c.kind)
		data, _ := ParseData(typ, []byte(c.text))
		f.Add([]byte("\x01A\x03org\x00"), typ, uint32(0), uint64(77), "x", data)
	}
	f.Fuzz(func(t *testing.T, owner []byte, typ uint16, ttl uint32, ts uint64, lo string, data []byte) {
		r := Record{Owner: owner, Type: typ, TTL: ttl, Stamp: ts, Data: data}
		copy(r.Loc[:], lo)
		line := r.Line()
		if line == "" {
			return
		}
		got := compiled(t, line)
		r.Owner = appendLower(nil, owner)
		if len(got) != 1 || !bytes.Equal(got[0].Owner, r.Owner) || got[0].Type != typ || got[0].TTL != ttl || got[0].Stamp != ts || got[0].Loc != r.Loc || !bytes.Equal(got[0].Data, data) {
			t.Errorf("%q makes %+v; want %+v", line, got, r)
		}
	})
}
