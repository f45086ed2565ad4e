// SPDX-License-Identifier: ISC

package imapsearch

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func sentString(s string) string {
	d, ok := sentDay([]byte(s))
	if !ok {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d>>9, d>>5&15, d&31)
}

func TestSentDay(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21"},                                                                         // RFC 5322 A.1.1
		{"Thu,\r\n     13\r\n       Feb\r\n         1969\r\n     23:32\r\n              -0330 (Newfoundland Time)", "1969-02-13"}, // A.5
		{"21 Nov 97 09:55:06 GMT", "1997-11-21"},                                                                                  // A.6.2
		{"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21"},                                                         // A.6.3
		{"Mon, 4 Mar 2024 23:30:00 -0800", "2024-03-04"}, {"04 mar 2024", "2024-03-04"}, {"Monday, 4-March-2024 10:00:00 UTC", "2024-03-04"},
		{"1 Jan 00", "2000-01-01"}, {"1 Jan 49", "2049-01-01"}, {"1 Jan 50", "1950-01-01"}, {"1 Jan 099", "1999-01-01"}, {"1 Jan 124", "2024-01-01"}, {"1 Jan 9999", "9999-01-01"},
		{"Mon Jan  2 15:04:05 2006", "2006-01-02"}, {"Mon Jan 2 15:04:05 -0700 2006", "2006-01-02"}, {"Mon Jan 2 15:04:05 MST 2006", "2006-01-02"},
		{"2-Jan-2006", "2006-01-02"}, {"2006-01-02", "2006-01-02"}, {"2006-01-02T15:04:05Z", "2006-01-02"}, {"2006-01-02 15:04:05.5 +0100", "2006-01-02"},
		{"(a (nested \\) one)) 1 (x) Feb (y) 2024", "2024-02-01"}, {"29 Feb 2024", "2024-02-29"}, {"Sat, 1 Sept 2001", "2001-09-01"},
		{"29 Feb 2023", ""}, {"30 Feb 2024", ""}, {"0 Jan 2024", ""}, {"32 Jan 2024", ""}, {"1 Jan", ""}, {"Jan 2024", ""}, {"1 2024", ""}, {"", ""}, {"never", ""}, {"1 Foo 2024", ""},
		{"1 Jan 10000", ""}, {"1 Jan 0000", ""}, {"(1 Jan 2024", ""}, {"(" + strings.Repeat("x", maxDate) + ") 1 Jan 2024", ""}, {strings.Repeat("a ", maxWords) + "1 Jan 2024", ""},
	} {
		if got := sentString(c.in); got != c.want {
			t.Errorf("sentDay(%q) = %q; want %q", c.in, got, c.want)
		}
	}
}

// FuzzSentDay: what is read is a day that there is, and written in RFC 5322's form
// it is read again.
func FuzzSentDay(f *testing.F) {
	for _, s := range []string{"Fri, 21 Nov 1997 09:55:06 -0600", "Mon Jan  2 15:04:05 2006", "2006-01-02", "(a) 1 Jan 99", "1-", "+", "\\(", "1 jan 1:"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, ok := sentDay(b)
		if !ok {
			return
		}
		at := time.Date(int(d>>9), time.Month(d>>5&15), int(d&31), 0, 0, 0, 0, time.UTC)
		if dayOf(at.Date()) != d {
			t.Fatalf("sentDay(%q) = %d, which is no day", b, d)
		}
		if again, ok := sentDay([]byte(at.Format("Mon, 2 Jan 2006 15:04:05 -0700"))); !ok || again != d {
			t.Fatalf("sentDay(%q) = %d; its own form gives %d", b, d, again)
		}
	})
}

// TestBegin: a day begins when the clock first shows it, also where it shows no
// midnight, or shows it twice.
func TestBegin(t *testing.T) {
	for name, days := range map[string][]time.Time{
		"America/Sao_Paulo": {time.Date(2018, 11, 4, 0, 0, 0, 0, time.UTC), time.Date(2018, 2, 18, 0, 0, 0, 0, time.UTC)},
		"Europe/Berlin":     {time.Date(2024, 3, 31, 0, 0, 0, 0, time.UTC), time.Date(2024, 10, 27, 0, 0, 0, 0, time.UTC)},
		"UTC":               {time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
	} {
		loc, err := time.LoadLocation(name)
		if err != nil {
			loc = time.UTC // a machine without zones
		}
		s := &Search{env: Env{Zone: loc}}
		for _, d := range days {
			at := time.Unix(0, s.begin(d, 0)).In(loc)
			before := at.Add(-time.Nanosecond)
			if dayOf(at.Date()) != dayOf(d.Date()) || dayOf(before.Date()) >= dayOf(at.Date()) {
				t.Errorf("in %s %s begins at %v", name, d.Format(time.DateOnly), at)
			}
		}
	}
}
