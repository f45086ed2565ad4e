// SPDX-License-Identifier: ISC

package imap

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// TestAppendDateTime holds it against what package time makes of the form.
func TestAppendDateTime(t *testing.T) {
	zones := []*time.Location{time.UTC, time.FixedZone("", 5*3600+45*60), time.FixedZone("", -(9*3600 + 30*60)), time.FixedZone("", -14*3600)}
	for n := int64(-70000000000); n < 300000000000; n += 98765432 {
		at := time.Unix(n, 0).In(zones[int(n&3)])
		want := at.Format(`"` + dateTimeForm + `"`)
		if got := string(AppendDateTime(nil, at)); got != want {
			t.Fatalf("AppendDateTime(%v) = %s; want %s", at, got, want)
		}
	}
}

func TestIsKeyword(t *testing.T) {
	for _, c := range []struct {
		s    string
		want bool
	}{{"$Junk", true}, {"a", true}, {"", false}, {`\Seen`, false}, {"a b", false}, {"a)", false}, {"\xff", false}, {strings.Repeat("a", maxKeyword), true}, {strings.Repeat("a", maxKeyword+1), false}} {
		if got := IsKeyword(c.s); got != c.want {
			t.Errorf("IsKeyword(%.20q) = %v; want %v", c.s, got, c.want)
		}
	}
}

// TestFail: the first error is told, and nothing more is sent.
func TestFail(t *testing.T) {
	var out strings.Builder
	w := NewWriter(&out)
	w.Raw("x").Fail(io.ErrClosedPipe)
	w.Fail(io.EOF)
	if err := w.Flush(); !errors.Is(err, io.ErrClosedPipe) || out.Len() > 0 {
		t.Errorf("Flush = %v after %q", err, out.String())
	}
}
