// SPDX-License-Identifier: ISC

package mailid

import (
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in   string
		want ID
		ok   bool
	}{
		{"1795479833123456789", 1795479833123456789, true},
		{"9223372036854775807", 1<<63 - 1, true},
		{"9223372036854775808", 0, false},
		{"99999999999999999999", 0, false},
		{"", 0, false}, {"0", 0, false}, {"01", 0, false}, {"-1", 0, false}, {"+1", 0, false}, {"1 ", 0, false}, {"1x", 0, false},
	} {
		got, ok := Parse(c.in)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("Parse(%q) = %d, %v; want %d, %v", c.in, got, ok, c.want, c.ok)
		}
	}
}

func TestAtKeepsTime(t *testing.T) {
	at := time.UnixMicro(1795479833123456)
	id := At(at, 70789)
	if !id.Time().Equal(at) {
		t.Errorf("At(%v).Time() = %v", at, id.Time())
	}
	if id.String() != "1795479833123456789" {
		t.Errorf("At(%v, 70789) = %v; want 1795479833123456789", at, id)
	}
}

func TestFromEnv(t *testing.T) {
	if got := FromEnv("42"); got != 42 {
		t.Errorf("FromEnv(42) = %v; want 42", got)
	}
	before := time.Now().Add(-time.Second)
	if got := FromEnv("junk"); got.Time().Before(before) {
		t.Errorf("FromEnv(junk) = %v; want a new id", got)
	}
}
