// SPDX-License-Identifier: ISC

package tcpserver

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quill/internal/cdb"
)

// TestSearch6: addresses of IPv6 in any spelling, the begins of them, and nets
// of both families.
func TestSearch6(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.cdb")
	if err := rules(t, path, `2001:DB8:0:0::1:allow,WHO="one: deny"
joe@2001:db8::0001:allow,WHO="joe"
2001:db8:1::deny
2001:db8:2::allow,WHO="begin"
fe80::dead:allow,WHO="dead"
fe80::a:deny
2001:db8::/32:allow,WHO="32"
2001:db8:4::7/48:deny
2001:db8:4:8000::/49:allow,WHO="49"
::ffff:192.0.2.1:deny
::ffff:198.51.100.0/120:allow,WHO="mapped net"
10.0.0.0/8:deny
10.128./9:allow,WHO="nine"
10.200.1.:allow,WHO="dots"
10.200.1.7:deny
172.16.9.9/12:deny
0.0.0.0/0:allow,WHO="four"
=.x.org:allow,WHO="suffix"
:deny
`); err != nil {
		t.Fatal(err)
	}
	r := NewRules(path, false)
	for _, c := range []struct {
		ip, host, info, rule string
		deny                 bool
	}{
		{"2001:db8::1", "", "", "2001:db8::1", false},
		{"2001:0DB8:0000::0001", "", "", "2001:db8::1", false},
		{"2001:db8::1", "", "joe", "joe@2001:db8::1", false},
		{"2001:db8:1::9", "", "", "2001:db8:1:", true},
		{"2001:db8:2::9", "", "", "2001:db8:2:", false},
		{"2001:db8:2:3::9", "a.x.org", "", "2001:db8:2:", false},
		{"2001:db8:20::9", "", "", "2001:db8::/32", false},
		{"fe80::dead", "", "", "fe80::dead", false}, {"fe80::a", "", "", "fe80::a", true}, {"fe80::a%eth0", "", "", "fe80::a", true}, {"fe80::ab", "", "", "", true},
		{"2001:db8:3::9", "a.x.org", "", "2001:db8::/32", false},
		{"2001:db8:4:7fff::1", "", "", "2001:db8:4::/48", true}, {"2001:db8:4:8000::1", "", "", "2001:db8:4:8000::/49", false},
		{"2001:db9::1", "a.x.org", "", "=.x.org", false}, {"2001:db9::1", "", "", "", true},
		{"192.0.2.1", "", "", "192.0.2.1", true}, {"::ffff:192.0.2.1", "", "", "192.0.2.1", true}, {"::ffff:c000:201", "", "", "192.0.2.1", true},
		{"198.51.100.77", "", "", "198.51.100.0/24", false},
		{"10.1.2.3", "", "", "10.0.0.0/8", true}, {"10.129.2.3", "", "", "10.128.0.0/9", false}, {"::ffff:10.1.2.3", "", "", "10.0.0.0/8", true},
		{"10.200.1.6", "", "", "10.200.1.", false}, {"10.200.1.7", "", "", "10.200.1.7", true},
		{"172.31.255.255", "", "", "172.16.0.0/12", true}, {"172.32.0.0", "", "", "0.0.0.0/0", false},
	} {
		v, err := r.Verdict(c.ip, c.host, c.info)
		if err != nil || v.Rule != c.rule || v.Deny != c.deny || !v.Found {
			t.Errorf("Verdict(%s, %s, %s) = %+v, %v; want rule %q, deny %v", c.ip, c.host, c.info, v, err, c.rule, c.deny)
		}
	}
	if v, _ := r.Verdict("2001:db8::1", "", ""); len(v.Env) != 1 || v.Env[0] != "WHO=one: deny" {
		t.Errorf("variables %q; want WHO=one: deny", v.Env)
	}
}

// TestAddress: what an address of a rule is looked up by, and what is none.
func TestAddress(t *testing.T) {
	for _, c := range []struct{ text, key string }{
		{"::1", "::1"}, {"::", "::"}, {":", ":"}, {"1::", "1::"}, {"0:0::0", "::"}, {"2001:0db8:", "2001:db8:"}, {"::1:", "::1:"}, {"1::2:", "1::2:"},
		{"1:2:3:4:5:6:7:", "1:2:3:4:5:6:7:"}, {"::ffff:1.2.3.4", "1.2.3.4"}, {"a b@::1", "a b@::1"}, {"a/b@1.2.3.4", ""}, {"=a/b", ""}, {"a@=b/c", ""},
		{"1.2.3.4", ""}, {"1.2.3.4-5", ""}, {"", ""}, {"x", ""}, {"a@1.2.3.4", ""}, {"=h", ""},
		{"1.2.3.4/32", "1.2.3.4/32"}, {"1.2.3.4/31", "1.2.3.4/31"}, {"1/8", "1.0.0.0/8"}, {"1./8", "1.0.0.0/8"}, {"1.2.3./20", "1.2.0.0/20"}, {"::/0", "::/0"},
		{"2001:DB8::1/128", "2001:db8::1/128"}, {"::ffff:0.0.0.0/96", "0.0.0.0/0"},
	} {
		if key, _, _, ok, err := address(c.text); err != nil || key != c.key || ok != (c.key != "") {
			t.Errorf("address(%q) = %q, %v, %v; want %q", c.text, key, ok, err, c.key)
		}
	}
	for _, text := range []string{"1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/08", "1.2.3.4/", "/8", "/4", "1.2.3.4.5/8", "1.2.3.400/8", "::/129", "::ffff:1.2.3.4/95", "x/8", "joe@1.2.3.0/24", "joe@::/64",
		"::g", "12345::", "1:2:3:4:5:6:7:8:", "1::2::", ":::", ":1:", "1:::", "[::1]", "fe80::1%eth0", "fe80::%eth0/64", "::1-3", "=h:x", "a:b@1.2.3.4", "a@=h:x", "1.2.3.4/8/9", "::1/"} {
		if key, _, _, ok, err := address(text); err == nil {
			t.Errorf("address(%q) = %q, %v; want an error", text, key, ok)
		}
	}
}

// TestSplitRule: which colon ends the address.
func TestSplitRule(t *testing.T) {
	for _, c := range []struct{ line, addr, what string }{
		{"1.2.3.4:allow", "1.2.3.4", "allow"}, {":deny", "", "deny"}, {"::deny", ":", "deny"}, {":::allow,A=x:allowx", "::", "allow,A=x:allowx"},
		{"fe80::deny:allow", "fe80::deny", "allow"}, {"a:allow,B=x:denyx", "a", "allow,B=x:denyx"}, {"1.2.3.4:allowed", "1.2.3.4", "allowed"}, {"1::2:maybe", "1", ":2:maybe"},
	} {
		if addr, what, ok := splitRule(c.line); addr != c.addr || what != c.what || !ok {
			t.Errorf("splitRule(%q) = %q, %q, %v; want %q, %q", c.line, addr, what, ok, c.addr, c.what)
		}
	}
	if _, _, ok := splitRule("no colon"); ok {
		t.Error("a line without a colon is a rule")
	}
}

// compiled is rules in memory.
func compiled(t *testing.T, text string) (*cdb.Map, error) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := cdb.NewWriter(f)
	if err := Compile(strings.NewReader(text), w); err != nil {
		return nil, err
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	m, err := cdb.FromBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return m, nil
}

// FuzzRules: no text of rules and no client brings a panic or a corrupt
// database.
func FuzzRules(f *testing.F) {
	f.Add("1.2.3.4-5:allow,A=\"x\"\n", "1.2.3.4")
	f.Add("2001:db8::1:deny\n2001:db8:allow\n::/0:deny\n10./8:allow\n", "2001:db8::1")
	f.Add("::ffff:1.2.3.4/100:deny\njoe@::1:allow\n:::allow\n", "::ffff:1.2.3.4")
	f.Fuzz(func(t *testing.T, text, ip string) {
		m, err := compiled(t, text)
		if err != nil {
			return
		}
		if _, err := Search(m, ip, "a.b", "joe"); err != nil {
			t.Errorf("Search(%q) in rules %q: %v", ip, text, err)
		}
	})
}

// FuzzNet: a net's rule is followed by its addresses and no others, and a
// single address's by that address in every spelling.
func FuzzNet(f *testing.F) {
	f.Add(make([]byte, 16), make([]byte, 16), byte(64))
	f.Add([]byte{10, 1, 2, 3}, []byte{10, 200, 0, 0}, byte(8))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04"), []byte{1, 2, 3, 5}, byte(127))
	f.Fuzz(func(t *testing.T, net, client []byte, bits byte) {
		a, ok1 := netip.AddrFromSlice(net)
		c, ok2 := netip.AddrFromSlice(client)
		if !ok1 || !ok2 {
			return
		}
		p, err := a.Unmap().Prefix(int(bits))
		if err != nil {
			return
		}
		rule := netip.PrefixFrom(a.Unmap(), int(bits)).String() // bits behind the length and all
		m, err := compiled(t, rule+":deny\n")
		if err != nil {
			t.Fatalf("Compile(%s:deny) = %v", rule, err)
		}
		v, err := Search(m, c.String(), "", "")
		if want := p.Contains(c.Unmap()); err != nil || v.Found != want || v.Deny != want {
			t.Errorf("%s in %s: %+v, %v; want %v", c, rule, v, err, want)
		}
		if m, err = compiled(t, a.StringExpanded()+":deny\n"); err != nil {
			t.Fatalf("Compile(%s:deny) = %v", a.StringExpanded(), err)
		}
		if v, err := Search(m, a.String(), "", ""); err != nil || !v.Deny {
			t.Errorf("%s after %s:deny: %+v, %v; want it denied", a, a.StringExpanded(), v, err)
		}
	})
}
