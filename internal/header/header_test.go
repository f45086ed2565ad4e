// SPDX-License-Identifier: ISC

package header

import (
	"strings"
	"testing"
	"time"
)

func TestReceived(t *testing.T) {
	at := time.Date(2004, 1, 21, 6, 40, 40, 0, time.UTC)
	for _, c := range []struct {
		in   Client
		want string
	}{
		{Client{Host: "laptop.testingsmtp.org", Helo: "laptop.testingsmtp.org", IP: "192.168.32.208", Local: "mail.testingsmtp.org", With: "SMTP"},
			"Received: from laptop.testingsmtp.org (192.168.32.208)\n  by mail.testingsmtp.org with SMTP; 21 Jan 2004 06:40:40 -0000\n"},
		{Client{Host: "client.example", Helo: "x\r\nX: y", Info: "joe blow", IP: "10.1.2.3", Local: "l", With: "ESMTP"},
			"Received: from client.example (HELO x??X:?y) (joe?blow@10.1.2.3)\n  by l with ESMTP; 21 Jan 2004 06:40:40 -0000\n"},
	} {
		if got := c.in.Received(at); got != c.want {
			t.Errorf("Received(%+v) = %q; want %q", c.in, got, c.want)
		}
	}
}

// TestDate: the date is as package time would write it.
func TestDate(t *testing.T) {
	at := time.Date(1999, 12, 28, 3, 4, 5, 6, time.FixedZone("", -7*3600))
	for range 3000 {
		if got, want := Date(at), at.UTC().Format("2 Jan 2006 15:04:05 -0000"); got != want {
			t.Fatalf("Date(%v) = %q; want %q", at, got, want)
		}
		at = at.Add(7*time.Hour + 61*time.Minute + 59*time.Second)
	}
}

func TestCounter(t *testing.T) {
	text := "Received: a\nrECEIVED: b\n more\nDelivered-To: x\nReceived-SPF: no\nSubject: Received: \n\nReceived: in the body\n"
	for step := 1; step < 20; step++ {
		var c Counter
		for i := 0; i < len(text); i += step {
			c.Feed([]byte(text[i:min(i+step, len(text))]))
		}
		if c.Hops != 3 || !c.Done || c.Size != strings.Index(text, "\n\n")+2 {
			t.Errorf("fed by %d: %d hops, done %v, size %d; want 3, true, %d", step, c.Hops, c.Done, c.Size, strings.Index(text, "\n\n")+2)
		}
	}
}
