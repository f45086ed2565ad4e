// SPDX-License-Identifier: ISC

package login

import (
	"io"
	"strings"
	"testing"
	"time"
)

type text struct{ io.Reader }

func (text) Write(p []byte) (int, error)      { return len(p), nil }
func (text) SetReadDeadline(time.Time) error  { return nil }
func (text) SetWriteDeadline(time.Time) error { return nil }

// TestSingle: what is not asked for stays.
func TestSingle(t *testing.T) {
	in := strings.NewReader("abc")
	s := Single{text{in}}
	for _, size := range []int{0, 1, 10} {
		if n, err := s.Read(make([]byte, size)); n != min(1, size) || err != nil {
			t.Errorf("Read of %d bytes: %d, %v; want %d", size, n, err, min(1, size))
		}
	}
	if rest, _ := io.ReadAll(in); string(rest) != "c" {
		t.Errorf("left: %q; want c", rest)
	}
}

// TestPause: each wrong password waits longer than the last, and all of them
// less than a login may take.
func TestPause(t *testing.T) {
	sum, last := time.Duration(0), time.Duration(0)
	for n := 1; n <= MaxTries; n++ {
		if Pause(n) <= last {
			t.Errorf("Pause(%d) = %v after %v; want more", n, Pause(n), last)
		}
		last = Pause(n)
		sum += last
	}
	if sum >= Time {
		t.Errorf("pauses of %v in a login of %v", sum, Time)
	}
}

// TestBytes: descriptor 3, checkpassword(8).
func TestBytes(t *testing.T) {
	if got := string(Credentials{User: "u", Secret: "p", Timestamp: "<1@h>"}.Bytes()); got != "u\x00p\x00<1@h>\x00" {
		t.Errorf("Bytes() = %q", got)
	}
}
