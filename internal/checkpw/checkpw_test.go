// SPDX-License-Identifier: ISC

package checkpw

import (
	"slices"
	"testing"
	"time"
)

func TestVerify(t *testing.T) {
	hash := Hash("lab")
	for _, c := range []struct {
		secret, password string
		ok, err          bool
	}{
		{hash, "lab", true, false}, {hash, "Lab", false, false}, {hash, "", false, false},
		{Plain("lab"), "lab", true, false}, {Plain("lab"), "labx", false, false}, {Plain(""), "", true, false},
		{"lab", "lab", false, true}, {"{CRYPT}x", "x", false, true}, {"{ARGON2ID}", "", false, true},
		{"{ARGON2ID}$argon2id$v=19$m=99999999,t=1,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg", "x", false, true},
		{"{ARGON2ID}$argon2id$v=19$m=64,t=0,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg", "x", false, true},
	} {
		ok, err := Verify(c.secret, c.password)
		if ok != c.ok || (err != nil) != c.err {
			t.Errorf("Verify(%.30q, %q) = %v, %v; want %v, error %v", c.secret, c.password, ok, err, c.ok, c.err)
		}
	}
	if Hash("lab") == hash {
		t.Error("two hashes of one password are the same: no salt")
	}
}

// TestAPOP is the example of RFC 1939 §7.
func TestAPOP(t *testing.T) {
	const stamp, digest = "<1896.697170952@dbc.mtview.ca.us>", "c4c9334bac560ecc979e58001b3e22fb"
	if ok, err := VerifyAPOP(Plain("tanstaaf"), stamp, digest); !ok || err != nil {
		t.Errorf("VerifyAPOP of the RFC's example = %v, %v", ok, err)
	}
	if ok, _ := VerifyAPOP(Plain("tanstaaf"), stamp+"x", digest); ok {
		t.Error("VerifyAPOP took a digest of another timestamp")
	}
	if _, err := VerifyAPOP(Hash("tanstaaf"), stamp, digest); err == nil {
		t.Error("VerifyAPOP with a hash = nil error; it cannot know")
	}
}

// TestUnknownUserTakesAsLong: the median time of a wrong password and of a user
// who does not exist differ by less than a third.
func TestUnknownUserTakesAsLong(t *testing.T) {
	hash := Hash("lab")
	median := func(f func()) time.Duration {
		var all []time.Duration
		for range 9 {
			start := time.Now()
			f()
			all = append(all, time.Since(start))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	for range 5 {
		known, unknown := median(func() { Verify(hash, "wrong") }), median(func() { Dummy(hash, "wrong") })
		if known < unknown*4/3 && unknown < known*4/3 {
			return
		}
		t.Logf("known %v, unknown %v: measured again", known, unknown)
	}
	t.Error("a user who does not exist can be told by time")
}
