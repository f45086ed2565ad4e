// SPDX-License-Identifier: ISC

package users

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// home makes a home with these files.
func home(t testing.TB, files map[string]string) string {
	t.Helper()
	h := t.TempDir()
	files["control/me"] = "mail.testingsmtp.org\n"
	files["control/locals"] = "testingsmtp.org\n"
	files["control/virtualdomains"] = "virt.example:p\n"
	for name, text := range files {
		path := filepath.Join(h, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	os.MkdirAll(filepath.Join(h, "users"), 0o755)
	return h
}

func TestAccounts(t *testing.T) {
	h := home(t, map[string]string{"users/assign": "=postmaster:alias:7:8:/alias:-:postmaster:\n+list-:lists:9:9:/lists:-::\n.\n"})
	s := NewStore(h)
	add := func(address string) error {
		return s.Add(Account{Address: address, Secret: "{PLAIN}lab", UID: 1000, GID: 100, Home: "/mail/" + address})
	}
	for _, a := range []string{"SendMeMail@testingsmtp.org", "info@virt.example", "x@elsewhere.example"} {
		if err := add(a); err != nil {
			t.Fatalf("Add(%s): %v", a, err)
		}
	}
	if err := add("sendmemail@testingsmtp.org"); !errors.Is(err, ErrExists) {
		t.Errorf("Add twice: %v; want ErrExists", err)
	}
	table := Open(h)
	defer table.Close()
	for _, c := range []struct {
		local string
		want  Entry
		ok    bool
	}{
		{"sendmemail", Entry{"sendmemail@testingsmtp.org", 1000, 100, "/mail/SendMeMail@testingsmtp.org", "", ""}, true},
		{"SENDMEMAIL", Entry{"sendmemail@testingsmtp.org", 1000, 100, "/mail/SendMeMail@testingsmtp.org", "", ""}, true},
		{"sendmemail-a-b", Entry{"sendmemail@testingsmtp.org", 1000, 100, "/mail/SendMeMail@testingsmtp.org", "-", "a-b"}, true},
		{"p-info", Entry{"info@virt.example", 1000, 100, "/mail/info@virt.example", "", ""}, true},
		{"postmaster", Entry{"alias", 7, 8, "/alias", "-", "postmaster"}, true},
		{"list-x", Entry{"lists", 9, 9, "/lists", "-", "x"}, true},
		{"list", Entry{}, false}, {"x", Entry{}, false}, {"", Entry{}, false}, {"sendmemail\x00", Entry{}, false},
	} {
		got, ok, err := table.Find(c.local)
		if got != c.want || ok != c.ok || err != nil {
			t.Errorf("Find(%q) = %+v, %v, %v; want %+v, %v", c.local, got, ok, err, c.want, c.ok)
		}
	}
	if err := s.Remove("sendmemail@testingsmtp.org"); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := table.Find("sendmemail"); ok || err != nil {
		t.Errorf("after Remove: found %v, %v", ok, err)
	}
	if err := s.SetSecret("sendmemail@testingsmtp.org", "{PLAIN}x"); !errors.Is(err, ErrUnknown) {
		t.Errorf("SetSecret of a removed account: %v; want ErrUnknown", err)
	}
	if err := s.SetSecret("info@virt.example", "{PLAIN}new"); err != nil {
		t.Error(err)
	}
	if list, bad, err := s.List(); len(list) != 2 || len(bad) != 0 || err != nil || list[0].Secret != "{PLAIN}new" {
		t.Errorf("List() = %+v, %v, %v", list, bad, err)
	}
	if st, _ := os.Stat(filepath.Join(h, "users/passwd")); st.Mode().Perm() != 0o600 {
		t.Errorf("mode of users/passwd: %v; want 0600", st.Mode())
	}
}

// TestHalfWritten: an assign without its last line is refused, the old cdb and
// the old passwd stay.
func TestHalfWritten(t *testing.T) {
	h := home(t, map[string]string{"users/assign": "=a:a:1:1:/a:::\n.\n"})
	s := NewStore(h)
	if err := s.Compile(); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"=a:a:1:1:/a:::\n", "=a:a:1:1:/a:::\n=b:b:1:1:/", "=a:a:1:1:/a:::\n=b:b:x:1:/b:::\n.\n", "b:b:1:1:/b:::\n.\n", "=b:b:1:1:b:::\n.\n"} {
		if err := os.WriteFile(filepath.Join(h, "users/assign"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Compile(); err == nil || !strings.Contains(err.Error(), "users/assign") {
			t.Errorf("Compile of %q = %v; want a refusal that names users/assign", text, err)
		}
		if err := s.Add(Account{Address: "n@testingsmtp.org", Secret: "{PLAIN}x", Home: "/n"}); err == nil {
			t.Errorf("Add over %q = nil; want a refusal", text)
		}
	}
	table := Open(h)
	defer table.Close()
	if _, ok, err := table.Find("a"); !ok || err != nil {
		t.Errorf("Find(a) in the old cdb = %v, %v", ok, err)
	}
	if list, _, _ := s.List(); len(list) != 0 {
		t.Errorf("passwd has %d accounts; want none", len(list))
	}
}

func TestFindWithoutCdb(t *testing.T) {
	table := Open(t.TempDir())
	if _, ok, err := table.Find("a"); ok || err == nil {
		t.Errorf("Find without users/cdb = %v, %v; want an error: nobody knows", ok, err)
	}
}

func TestParsePasswd(t *testing.T) {
	accounts, bad := ParsePasswd("# comment\n\na@b.org:{PLAIN}x:1:2::/h:\nbad\na@b.org:{PLAIN}y:1:2::/h:\nc/d@b.org:{PLAIN}x:1:2::/h:\ne@b.org:{PLAIN}x:1:2::/h::extra=1\nf@b.org:plain:1:2::/h:\ng@b.org:{PLAIN}x:1:2::h:\n")
	if len(accounts) != 2 || accounts[1].Extra != ":extra=1" || len(bad) != 5 {
		t.Errorf("ParsePasswd = %+v, %+v; want 2 accounts and 5 bad lines", accounts, bad)
	}
}

func FuzzPasswd(f *testing.F) {
	f.Add("a@b.org:{PLAIN}x:1:2::/h:\n")
	f.Fuzz(func(t *testing.T, s string) {
		accounts, _ := ParsePasswd(s)
		for _, a := range accounts {
			got, err := parseAccount(a.String())
			if got.Line = a.Line; err != nil || got != a {
				t.Errorf("parseAccount(%q) = %+v, %v; want %+v", a.String(), got, err, a)
			}
		}
		ParseAssign(s)
	})
}
