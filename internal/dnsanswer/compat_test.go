// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"quill/internal/dnswire"
)

// TestCompatPage: the tests that docs/dns-compat.md names exist, and each row
// of its tables names one.
func TestCompatPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/dns-compat.md")
	files, err2 := filepath.Glob("*_test.go")
	more, err3 := filepath.Glob("../dnswire/*_test.go")
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	source := ""
	for _, f := range append(files, more...) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		source += string(b)
	}
	test := regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	rows := 0
	for line := range strings.Lines(string(page)) {
		named := test.FindAllStringSubmatch(line, -1)
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| djb's") {
			if rows++; len(named) == 0 {
				t.Errorf("no test in %q", line)
			}
		}
		for _, n := range named {
			if !strings.Contains(source, "func "+n[1]+"(t *testing.T)") {
				t.Errorf("there is no %s", n[1])
			}
		}
	}
	if rows < 30 {
		t.Errorf("%d rows; want 30 at least", rows)
	}
}

// TestQuestionFlags: of the flags of a question only RD comes back; AA and the
// like do not count, TC does: the question is not whole.
func TestQuestionFlags(t *testing.T) {
	d := compiled(t, zoneText)
	for flags, rcode := range map[uint16]byte{0: 0, 0x0100: 0, 0x0400: 0, 0x00f0: 0, 0x000f: 0, 0x0200: 1} {
		packet := []byte(question)
		packet[2], packet[3] = byte(flags>>8), byte(flags)
		var q dnswire.Query
		out, _ := New(Config{}).Answer(d, nil, packet, localhost, false, time.Now(), &q)
		want := byte(0x80|4) | byte(flags>>8)&1
		if rcode != 0 {
			want &^= 4
		}
		if out[2] != want || out[3] != rcode {
			t.Errorf("flags %04x: %x; want %02x%02x", flags, out[2:4], want, rcode)
		}
	}
}
