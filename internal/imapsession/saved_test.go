// SPDX-License-Identifier: ISC

package imapsession

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"quill/internal/imap"
	"quill/internal/mailbox"
	"quill/internal/mailbox/mailboxtest"
)

func TestMinus(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	some := func() (rs []imap.Range) {
		for n := uint32(1); n < 30; n++ {
			if rng.IntN(2) == 0 {
				rs = with(rs, n)
			}
		}
		return rs
	}
	for range 2000 {
		a, b := some(), some()
		var want []imap.Range
		for n := uint32(1); n < 30; n++ {
			if inRanges(a, n) && !inRanges(b, n) {
				want = with(want, n)
			}
		}
		if got := minus(a, b); !reflect.DeepEqual(got, want) {
			t.Fatalf("%v minus %v = %v; want %v", a, b, got, want)
		}
	}
}

// TestSavedLinear: many messages of $ that are gone at once are taken out of it at
// once.
func TestSavedLinear(t *testing.T) {
	const n = 100_000
	mail := mailboxtest.New()
	box, err := mail.Account().Open("INBOX", false)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	s := &session{box: box, w: imap.NewWriter(new(nowhere))}
	var events []mailbox.Event
	for uid := uint32(1); uid <= n; uid++ {
		events = append(events, mailbox.Event{Kind: mailbox.Expunged, Seq: 1, UID: uid})
		if uid%2 == 0 {
			s.saved = append(s.saved, imap.Range{Lo: uid, Hi: uid})
		}
	}
	begin := time.Now()
	if err := s.events(events, nil); err != nil || len(s.saved) > 0 {
		t.Errorf("%d ranges are left, %v", len(s.saved), err)
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("%d messages took %v", n, took)
	}
}

// nowhere takes everything.
type nowhere struct{}

func (*nowhere) Write(b []byte) (int, error) { return len(b), nil }
