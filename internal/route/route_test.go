// SPDX-License-Identifier: ISC

package route

import "testing"

func table() *Table {
	return New("mail.testingsmtp.org", []string{"testingsmtp.org", "Mail.testingsmtp.org"},
		[][2]string{{"virt.example", "netwatcher-virt"}, {".sub.example", "sub"}, {"one@virt.example", "one"}, {"not.sub.example", ""}, {"testingsmtp.org", "never"}},
		[]string{"testingsmtp.org"}, "")
}

func TestRewrite(t *testing.T) {
	for _, c := range []struct {
		in, want string
		local    bool
	}{
		{"sendmemail@testingsmtp.org", "sendmemail@testingsmtp.org", true},
		{"u@TESTINGSMTP.ORG", "u@TESTINGSMTP.ORG", true},
		{"postmaster", "postmaster@mail.testingsmtp.org", true},
		{"info@virt.example", "netwatcher-virt-info@virt.example", true},
		{"one@virt.example", "one-one@virt.example", true},
		{"x@a.sub.example", "sub-x@a.sub.example", true},
		{"x@not.sub.example", "x@not.sub.example", false},
		{"x@sub.example", "x@sub.example", false},
		{"x@else.example", "x@else.example", false},
		{"a%virt.example@testingsmtp.org", "netwatcher-virt-a@virt.example", true},
		{"a%b%virt.example@testingsmtp.org", "netwatcher-virt-a%b@virt.example", true},
		{"a@b@testingsmtp.org", "a@b@testingsmtp.org", true},
		{"", "@mail.testingsmtp.org", true},
	} {
		got, local := table().Rewrite(c.in)
		if got != c.want || local != c.local {
			t.Errorf("Rewrite(%q) = %q, %v; want %q, %v", c.in, got, local, c.want, c.local)
		}
	}
}

func TestLocalKey(t *testing.T) {
	for in, want := range map[string]string{"SendMeMail@testingsmtp.org": "sendmemail", "Info@Virt.example": "netwatcher-virt-info", "x@else.example": ""} {
		if got, local := table().LocalKey(in); got != want || local != (want != "") {
			t.Errorf("LocalKey(%q) = %q, %v; want %q", in, got, local, want)
		}
	}
}

func TestStripPrepend(t *testing.T) {
	for in, want := range map[string]string{"netwatcher-virt-info@virt.example": "info@virt.example", "one-one@virt.example": "one@virt.example",
		"a-b@testingsmtp.org": "a-b@testingsmtp.org", "a-b@else.example": "a-b@else.example"} {
		if got := table().StripPrepend(in); got != want {
			t.Errorf("StripPrepend(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestCatchAll(t *testing.T) {
	tab := New("me", nil, [][2]string{{"", "all"}, {"no.example", ""}}, nil, "")
	for in, want := range map[string]bool{"x@any.example": true, "x@no.example": false} {
		if _, local := tab.Rewrite(in); local != want {
			t.Errorf("Rewrite(%q) local = %v; want %v", in, local, want)
		}
	}
}

func TestHostSet(t *testing.T) {
	h := NewHostSet([]string{"testingsmtp.org", ".sub.example"})
	for in, want := range map[string]bool{"testingsmtp.org": true, "TESTINGSMTP.org": true, "x.testingsmtp.org": false, "a.sub.example": true, "b.a.sub.example": true, "sub.example": false, "": false} {
		if got := h.Match(in); got != want {
			t.Errorf("Match(%q) = %v; want %v", in, got, want)
		}
	}
}
