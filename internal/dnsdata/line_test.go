// SPDX-License-Identifier: ISC

package dnsdata

import (
	"errors"
	"strings"
	"testing"
)

func TestLineErrors(t *testing.T) {
	for in, want := range map[string]string{"+a:1.2.3.4\nx\n": "unable to parse data line 2: unrecognized leading character", ":a:6:x": "unable to parse data line 1: type SOA prohibited",
		"+" + strings.Repeat("a", 64) + ":1.2.3.4": ErrProtocol.Error(), "+" + strings.Repeat("a.", 128) + ":1.2.3.4": ErrProtocol.Error()} {
		if err := Compile(strings.NewReader(in), 1, func(k, v []byte) error { return nil }); err == nil || err.Error() != want {
			t.Errorf("Compile(%.20q) = %v; want %q", in, err, want)
		}
	}
	bad := errors.New("disk full")
	if err := Compile(strings.NewReader("+a:1.2.3.4\n"), 1, func(k, v []byte) error { return bad }); err != bad {
		t.Errorf("Compile with a failing put = %v", err)
	}
}

// TestLineLimits: record data of 65535 bytes is taken, one more is not.
func TestLineLimits(t *testing.T) {
	none := func(k, v []byte) error { return nil }
	for _, lo := range []string{"", ":::xx"} {
		if err := Compile(strings.NewReader(":a:999:"+strings.Repeat("x", maxData)+lo), 1, none); err != nil {
			t.Errorf("record of %d bytes: %v", maxData, err)
		}
		var le *LineError
		if err := Compile(strings.NewReader("#\n:a:999:"+strings.Repeat("x", maxData+1)+lo), 1, none); !errors.As(err, &le) || le.Line != 2 {
			t.Errorf("record of %d bytes: %v; want an error of line 2", maxData+1, err)
		}
	}
}
