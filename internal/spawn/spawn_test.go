// SPDX-License-Identifier: ISC

package spawn

import (
	"bufio"
	"strings"
	"testing"
)

func TestDelivery(t *testing.T) {
	d := Delivery{Num: 3, ID: 42, Again: true, Sender: "a@b", Recipient: "c@d", Rcpt: 1, At: "1:128:4096"}
	s, err := ReadNetstring(bufio.NewReader(strings.NewReader(string(d.Append(nil)))))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseDelivery(s)
	if err != nil || *got != d {
		t.Errorf("ParseDelivery(%q) = %+v, %v; want %+v", s, got, err, d)
	}
	for _, bad := range []string{"", "3\x0042\x00\x00a\x00c\x00", "3\x0042\x00\x00a\x00c\x00rcpt=1\x00", "x\x0042\x00\x00a\x00c\x00at=1:2:3\x00", "3\x00x\x00\x00a\x00c\x00at=1:2:3\x00", "3\x0042\x00\x00a\x00c\x00rcpt=-1\x00at=x\x00"} {
		if _, err := ParseDelivery(bad); err == nil {
			t.Errorf("ParseDelivery(%q) = nil error; want one", bad)
		}
	}
}

func TestReports(t *testing.T) {
	for _, bad := range []string{"", "1", "1\x00", "x\x00K", "1\x00X", "-1\x00K"} {
		if _, _, err := ParseReport(bad); err == nil {
			t.Errorf("ParseReport(%q) = nil error; want one", bad)
		}
	}
	if n, r, err := ParseReport("7\x00Kdid 1+0+0\n"); n != 7 || r != "Kdid 1+0+0\n" || err != nil {
		t.Errorf("ParseReport = %d, %q, %v", n, r, err)
	}
	if n, r, err := ParseAnswer([]byte("7\x00Zlater\n")); n != 7 || r != "Zlater\n" || err != nil {
		t.Errorf("ParseAnswer = %d, %q, %v", n, r, err)
	}
}

func FuzzNetstring(f *testing.F) {
	f.Add("3:abc,")
	f.Fuzz(func(t *testing.T, in string) {
		s, err := ReadNetstring(bufio.NewReader(strings.NewReader(in)))
		if err == nil && len(s) > MaxNetstring {
			t.Errorf("ReadNetstring(%q) = %d bytes", in, len(s))
		}
		ParseDelivery(in)
		ParseReport(in)
		ParseAnswer([]byte(in))
	})
}
