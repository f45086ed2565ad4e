// SPDX-License-Identifier: ISC

//go:build peers

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// TestPeer: on the same streams, of one record and of many a message,
// compressed and not, Debian's axfr-get writes the same bytes, but for the order
// of the numbers of S lines, which its own tinydns-data reads wrong.
func TestPeer(t *testing.T) {
	const path = "/usr/sbin/axfr-get"
	if _, err := os.Stat(path); err != nil {
		t.Fatal("no axfr-get of djbdns: install Debian's package djbdns-utils")
	}
	random := rand.New(rand.NewPCG(5, 37))
	names := []string{"ex.test.", "a.ex.test.", "*.ex.test.", "B.A.ex.test.", `\001\\x\.y.ex.test.`, "other.org.", "aex.test.", "."}
	data := []string{"A 1.2.3.4", "NS ns.ex.test.", "MX 10 Mail.ex.test.", "MX 65535 .", "CNAME w.ex.test.", "PTR p.other.org.", "AAAA 2001:db8::1", `TXT "text: \"a\\b\" \001" "more"`,
		"SRV 1 2 143 m.ex.test.", "CAA 0 issue \"x\"", "TYPE65280 \\# 2 00ff", "TYPE65281 \\# 0", "DS 1 13 2 00FF"}
	mine, theirs := folder(t), folder(t)
	for range 120 {
		records := []string{soa}
		for range random.IntN(12) {
			name := names[random.IntN(len(names))]
			d := data[random.IntN(len(data))]
			if name[0] == '*' && d[:2] == "NS" {
				continue
			}
			records = append(records, fmt.Sprintf("%s %d IN %s", name, random.Uint32()>>random.IntN(32), d))
		}
		records = append(records, soa)
		s := &server{answers: [][][]byte{{message(t, dns.TypeSOA, true, soa)}, nil}}
		compress := random.IntN(2) == 0 && !strings.Contains(strings.Join(records, ""), "SRV")
		for at := 0; at < len(records); {
			n := min(1+random.IntN(4), len(records)-at)
			s.answers[1] = append(s.answers[1], message(t, dns.TypeAXFR, compress, records[at:at+n]...))
			at += n
		}
		os.Remove(filepath.Join(theirs, "zone"))
		os.Remove(filepath.Join(mine, "zone"))
		want := s.fetch(t, theirs, exec.Command(path, plainArgs...))
		asked := fmt.Sprintf("%x", s.asked)
		got := s.fetch(t, mine, exe(t))
		if want.code != 0 || got.code != 0 || got.file != mended(want.file) || fmt.Sprintf("%x", s.asked) != asked {
			t.Fatalf("%q:\n%d %s %s\nwant\n%d %s %s\nquestions %x; want %s", records, got.code, got.log, got.file, want.code, want.log, mended(want.file), s.asked, asked)
		}
	}
}

func exe(t testing.TB) *exec.Cmd { return ours(t, nil, plainArgs...) }

// mended is text with the numbers of S lines as tinydns-data reads them: port,
// priority, weight.
func mended(text string) string {
	var b strings.Builder
	for l := range strings.Lines(text) {
		if f := strings.Split(l, ":"); l[0] == 'S' && len(f) == 7 {
			f[3], f[4], f[5] = f[5], f[3], f[4]
			l = strings.Join(f, ":")
		}
		b.WriteString(l)
	}
	return b.String()
}
