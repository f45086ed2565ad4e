// SPDX-License-Identifier: ISC

//go:build peers

package dnswall

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"quill/internal/djbpeer"
	"quill/internal/dnswire"
)

// TestPeerAnswers: 20,000 questions get the same bytes, or the same silence, and
// the same line in the log.
func TestPeerAnswers(t *testing.T) {
	peer := djbpeer.Start(t, "walldns", t.TempDir())
	w := &Wall{Old: true}
	make := djbpeer.Maker{R: rand.New(rand.NewPCG(1, 1)), Suffixes: []string{inAddr, inAddr, inAddr, root, root, ip6, "\x04arpa\x00", "\x07example" + inAddr},
		Octets: []string{"0", "1", "2", "10", "127", "168", "192", "255"}}
	seen := map[string]int{}
	for range 20000 {
		packet := make.Packet()
		want, wantLine := peer.Ask(t, packet)
		var q dnswire.Query
		got, status := w.Answer(nil, packet, false, &q)
		if !bytes.Equal(got, want) || djbpeer.Line(&q, status) != wantLine {
			t.Fatalf("%q\n  %q %q\nwant\n  %q %q", packet, got, djbpeer.Line(&q, status), want, wantLine)
		}
		kind := string(status)
		if len(got) > 3 {
			kind += fmt.Sprint(" rcode ", got[3]&15, " records ", got[7], " tc ", got[2]>>1&1)
		}
		seen[kind]++
	}
	t.Logf("%v", seen)
	if len(seen) < 6 {
		t.Errorf("only %v; the questions say little", seen)
	}
}
