// SPDX-License-Identifier: ISC

package folders

import (
	"slices"
	"strings"
	"testing"
)

// FuzzName: a name that is taken has one spelling, and one folder beneath the
// root, which is that mailbox again.
func FuzzName(f *testing.F) {
	for _, s := range []string{"INBOX", "inbox.x", "a.b", "..", "&AC4ALg-", "Räume/..", "a\x00", "日本.&", "x ", "‥.a"} {
		f.Add(s)
	}
	a, _ := newAccount(f)
	f.Fuzz(func(t *testing.T, s string) {
		if name, ok := a.nameOf(s); ok && a.dirName(name) != s && s != "."+name {
			t.Errorf("folder %q is %q, which is folder %q", s, name, a.dirName(name))
		}
		name, err := a.canonical(s)
		if err != nil {
			return
		}
		if again, err := a.canonical(name); again != name || err != nil {
			t.Errorf("canonical(%q) = %q, %v", name, again, err)
		}
		if !strings.EqualFold(name, s) {
			t.Errorf("canonical(%q) = %q", s, name)
		}
		dir := a.dirName(name)
		if strings.ContainsAny(dir, "/\x00\r\n") || strings.Contains(dir, "..") || len(dir) < 2 || len(dir) > dirNameMax {
			t.Errorf("%q is folder %q", name, dir)
		}
		if back, ok := a.nameOf(dir); name != Inbox && (back != name || !ok) {
			t.Errorf("%q is folder %q, which is %q, %v", name, dir, back, ok)
		}
	})
}

// FuzzSubscriptions: whatever the file has, a name is there after it was
// subscribed to and not after that was ended, and all others stay.
func FuzzSubscriptions(f *testing.F) {
	for _, s := range []string{"", "INBOX\n", "V\t2\n\na\tb\n", "V\t2\n", "\n\n", "a.b", "x\x01ty\na..b\n"} {
		f.Add(s)
	}
	a, _ := newAccount(f)
	f.Fuzz(func(t *testing.T, text string) {
		s := parse(text)
		if got := s.text(); got != text && got != text+"\n" {
			t.Errorf("%q is written as %q", text, got)
		}
		was := a.subscribed(&s)
		has := func(n string) bool { return n == "new.name" }
		for _, on := range []bool{true, false} {
			if _, err := a.set(&s, "new.name", on); err != nil && len(s.lines) < subscribedMax {
				t.Fatal(err)
			}
			s = parse(s.text())
			now := a.subscribed(&s)
			if slices.ContainsFunc(now, has) != on && len(s.lines) < subscribedMax {
				t.Errorf("%q: %q", text, now)
			}
			if got := slices.DeleteFunc(now, has); !slices.Equal(got, slices.DeleteFunc(slices.Clone(was), has)) {
				t.Errorf("%q: %q; was %q", text, got, was)
			}
		}
	})
}
