// SPDX-License-Identifier: ISC

package dnsrbl

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
)

// TestCompile: lines and what they become, djb's to the byte (peers_test.go).
func TestCompile(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""}, {"#1.2.3.4\n\n \t\n", ""},
		{"1.2.3.4", `"\x01\x02\x03\x04 "=""`}, {"10/8", `"\n\x00\x00\x00\b"=""`}, {"1.2.3.4.5/99", `"\x01\x02\x03\x04 "=""`}, {"257.1/", `"\x01\x01\x00\x00\x00"=""`},
		{":127.0.0.2:Listed $ \n", `""="\x7f\x00\x00\x02Listed $"`}, {":1.2.3.4:a\n::b", `""="\x01\x02\x03\x04a" ""="\x01\x02\x03\x04b"`},
		{"[2001:db8::]/32\n[::1]\n[2001:db9::]/32", `" \x01\r\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00 "="" "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x80"="" ` +
			`" \x01\r\xb9\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00 "="" "ipv6"="\x80 "`},
		{"1.2.3.4\nx", "line 2: " + noLetter}, {"\n:1.2.3.4", "line 2: " + noColon}, {":1.2.3:x", "line 1: " + noIP}, {":1.2.3.4x:x", "line 1: " + noIP},
		{"[1.2.3.4]", "line 1: " + noPrefix}, {"[::1", "line 1: " + noPrefix}, {"[::1]/", "line 1: " + noPrefix}, {"[::1]/64", "line 1: " + noPrefix}, {"[::]/129", "line 1: " + noPrefix}, {"[::]/064", "line 1: " + noPrefix},
		{"[::]64", "line 1: " + noPrefix}, {"[::]/6x", "line 1: " + noPrefix}, {"[fe80::1%lo]", "line 1: " + noPrefix}, {"[]", "line 1: " + noPrefix}, {"[::]/-1", "line 1: " + noPrefix}, {"[::]/18446744073709551616", "line 1: " + noPrefix},
	} {
		var got []string
		err := Compile(strings.NewReader(c.text), func(key, val []byte) error {
			got = append(got, fmt.Sprintf("%q=%q", key, val))
			return nil
		})
		said := strings.Join(got, " ")
		if err != nil {
			said = strings.TrimPrefix(err.Error(), "unable to parse data ")
		}
		if said != c.want {
			t.Errorf("Compile(%q) = %s; want %s", c.text, said, c.want)
		}
	}
}

// TestErrors: of reading and of putting.
func TestErrors(t *testing.T) {
	broken := errors.New("broken")
	if err := Compile(iotest.ErrReader(broken), nil); !errors.Is(err, ErrRead) || !errors.Is(err, broken) {
		t.Errorf("Compile of what cannot be read = %v", err)
	}
	if err := Compile(strings.NewReader("1\n"), func(key, val []byte) error { return broken }); err != broken {
		t.Errorf("Compile where put fails = %v", err)
	}
	if err := Check(iotest.ErrReader(broken), func(Finding) {}); !errors.Is(err, ErrRead) {
		t.Errorf("Check of what cannot be read = %v", err)
	}
}

// TestCheck: what is told of each line; good data are told nothing of.
func TestCheck(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{sample, ""}, {"", ""}, {":127.0.0.2:Listed $", ""},
		{"10.0.0.0/8", "0 127.0.0.2 is not listed"}, {"127.0.0.0/8", "0 127.0.0.1 is listed"}, {"[::]/0", "0 ::ffff:127.0.0.1 is listed"}, {"[2001:db8::]/32", "0 ::ffff:127.0.0.2 is not listed"},
		{"127.0.0.2\nx", "2! " + noLetter}, {"127.0.0.2\n:1.2.3.4\n[::1", "2! " + noColon + "|3! " + noPrefix},
		{"127.0.0.2\n10.1", `2 "10.1" is read as 10.1.0.0/32`}, {"127.0.0.2\n10.0.0.256", `2 "10.0.0.256" is read as 10.0.0.0/32`}, {"127.0.0.2\n10.0.0.1/24", "2 never found: there are bits beyond the length; write 10.0.0.0/24"},
		{"127.0.0.2\n4.0.0.0/7", "2 never found: /8 is the shortest"}, {"127.0.0.2\n2001:db8::/32", `2 "2001:db8::/32" is read as 209.0.0.0/32|2 prefixes of IPv6 are written`},
		{":127.0.0.2:a\n:127.0.0.3:b", "2 not used: line 1 says"}, {":10.0.0.1:a", "1 answers 10.0.0.1"}, {":127.0.0.1:a", "1 answers 127.0.0.1"}, {":127.0.0.258:a", `1 "127.0.0.258" is read as 127.0.0.2`},
		{"::a", `1 "" is read as 0.0.0.0|1 answers 0.0.0.0`}, {":127.0.0.2:$1 $", "1 a $ is the address only at the end"}, {":127.0.0.2:" + strings.Repeat("x", 97), "1 with ANSWERS=djb"}, {":127.0.0.2:" + strings.Repeat("x", 300), "1 the text is cut"},
		{":127.0.0.2:" + strings.Repeat("x", 96), ""},
	} {
		var got []string
		if err := Check(strings.NewReader(c.text), func(f Finding) {
			mark := ""
			if f.Bad {
				mark = "!"
			}
			got = append(got, fmt.Sprintf("%d%s %s", f.Line, mark, f.Text))
		}); err != nil {
			t.Fatal(err)
		}
		want := strings.Split(c.want, "|")
		ok := len(got) == len(want) || c.want == "" && len(got) == 0
		for i := range got {
			ok = ok && c.want != "" && strings.HasPrefix(got[i], want[i])
		}
		if !ok {
			t.Errorf("Check(%q) = %q; want %q", c.text, got, want)
		}
	}
}
