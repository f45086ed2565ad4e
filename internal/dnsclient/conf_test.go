// SPDX-License-Identifier: ISC

package dnsclient

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestParseServers(t *testing.T) {
	for in, want := range map[string]string{
		"": "[]", "127.0.0.1": "[127.0.0.1:53]", "1.2.3.4.5.6.7.8": "[1.2.3.4:53 5.6.7.8:53]", "1.2.3.4 5.6.7.8": "[1.2.3.4:53 5.6.7.8:53]",
		"127.0.0.1:5300": "[127.0.0.1:5300]", "127.0.0.1:5300,[::1]:5301/::2": "[127.0.0.1:5300 [::1]:5301 [::2]:53]", "1.2.3.4x5.6.7.8": "[1.2.3.4:53]", "x": "[]", ".1.2.3.4.": "[1.2.3.4:53]",
	} {
		if got := fmt.Sprint(ParseServers(in)); got != want {
			t.Errorf("ParseServers(%q) = %s; want %s", in, got, want)
		}
	}
}

func TestRecursive(t *testing.T) {
	for _, c := range []struct{ pairs, want string }{
		{"QUILLDNS 127.0.0.1:5300 DNSCACHEIP 1.2.3.4", "[127.0.0.1:5300]"},
		{"DNSCACHEIP 1.2.3.4", "[1.2.3.4:53]"},
	} {
		if got, err := Recursive(env(strings.Fields(c.pairs)...)); err != nil || fmt.Sprint(got.Servers) != c.want {
			t.Errorf("Recursive(%s) = %v, %v; want %s", c.pairs, got.Servers, err, c.want)
		}
	}
}

// TestQuillDNS: a server that cannot be read is an error, not another server.
func TestQuillDNS(t *testing.T) {
	for _, v := range []string{"127.0.0.1", "localhost:53", ":53"} {
		if c, err := Recursive(env("QUILLDNS", v, "DNSCACHEIP", "1.2.3.4")); err == nil {
			t.Errorf("QUILLDNS=%s: %v; want an error", v, c.Servers)
		}
	}
}

func TestNameservers(t *testing.T) {
	for in, want := range map[string]string{
		"": "[127.0.0.1:53]", "# none\nsearch x\n": "[127.0.0.1:53]", "nameserver 1.2.3.4\nnameserver\t 5.6.7.8": "[1.2.3.4:53 5.6.7.8:53]",
		"nameserver 0.0.0.0\n": "[127.0.0.1:53]", "nameserver ::1 # y\nnameserver fe80::1%lo\nnameserver x\n": "[[::1]:53 [fe80::1%lo]:53]", "nameserverx 1.2.3.4\nnameserver\n": "[127.0.0.1:53]",
		strings.Repeat("nameserver 1.2.3.4\n", 20): fmt.Sprint(ParseServers(strings.Repeat("1.2.3.4 ", 16))),
	} {
		if got := fmt.Sprint(nameservers(in)); got != want {
			t.Errorf("nameservers(%q) = %s; want %s", in, got, want)
		}
	}
}

func TestSplitPort(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1": "127.0.0.1 53", "127.0.0.1:5300": "127.0.0.1 5300", "ns.example:5300": "ns.example 5300", "::1": "::1 53", "[::1]": "[::1] 53", "[::1]:5300": "[::1] 5300",
		"a:b": "a:b 53", "a:0": "a:0 53", "a:65536": "a:65536 53", "": " 53", ":1": " 1",
	} {
		host, port := SplitPort(in)
		if got := fmt.Sprint(host, " ", port); got != want {
			t.Errorf("SplitPort(%q) = %s; want %s", in, got, want)
		}
	}
}

// TestFind: a server by address, by name, by a name with IPv6 only.
func TestFind(t *testing.T) {
	t.Parallel()
	c := serve(t, 0, rr("four.example", 1, good), rr("six.example", 28, strings.Repeat("\x00", 15)+"\x07"))
	for in, want := range map[string]string{
		"127.0.0.1": "[127.0.0.1:53]", "127...1:5300": "[127.0.0.1:5300]", "[::1]:5300": "[[::1]:5300]", "::1": "[[::1]:53]",
		"four.example": "[10.0.0.1:53]", "four:54": "[10.0.0.1:54]", "six.example": "[[::7]:53]", "none.example": "[]",
	} {
		if got, err := c.Find(Rules{"?:.example"}, in); fmt.Sprint(got) != want || err != nil {
			t.Errorf("Find(%q) = %v, %v; want %s", in, got, err, want)
		}
	}
}

// TestRewrite is the rules of qualification(5).
func TestRewrite(t *testing.T) {
	rules := Rules{"# anything.local -> me", "-.local:me", "=me:127.0.0.1", "*.a:.af.mil", "?:.heaven.af.mil", "*.:", "", "?no colon", "=x.y:z:w"}
	for in, want := range map[string]string{
		"x.local": "127.0.0.1", "X.LOCAL": "127.0.0.1", "me": "127.0.0.1", "any.name.a": "any.name.af.mil", "lion": "lion.heaven.af.mil", "lion.": "lion", "a.b": "a.b",
		"[1.2.3.4]": "[1.2.3.4]", "": ".heaven.af.mil", "x.y": "z:w", "ax.y": "ax.y", "local": "local.heaven.af.mil",
	} {
		if got := rules.Rewrite(in); got != want {
			t.Errorf("Rewrite(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestQualify(t *testing.T) {
	for _, c := range []struct {
		in, has, want, asked string
	}{
		{"cheetah+.heaven+.mil", "cheetah.heaven", "cheetah.heaven [10.0.0.1]", "cheetah.heaven"},
		{"cheetah+.heaven+.mil", "cheetah.mil", "cheetah.mil [10.0.0.1]", "cheetah.heaven cheetah.mil"},
		{"cheetah+.heaven+.mil", "none", "cheetah.mil []", "cheetah.heaven cheetah.mil"},
		{"plain", "plain", "plain [10.0.0.1]", "plain"},
		{"a+", "a", "a [10.0.0.1]", "a"}, {"a+b+", "none", "a []", "ab a"}, {"+", "none", " []", ""},
	} {
		var asked []string
		fqdn, ips, err := Rules(nil).Qualify(c.in, func(name string) ([]netip.Addr, error) {
			asked = append(asked, name)
			if name == c.has {
				return []netip.Addr{netip.AddrFrom4([4]byte([]byte(good)))}, nil
			}
			return nil, nil
		})
		if got := fmt.Sprint(fqdn, " ", ips); got != c.want || err != nil || strings.Join(asked, " ") != c.asked {
			t.Errorf("Qualify(%q) = %q, %v, asked %q; want %q, %q", c.in, got, err, asked, c.want, c.asked)
		}
	}
}

func TestReadRules(t *testing.T) {
	dir := t.TempDir()
	file, empty := filepath.Join(dir, "rewrite"), filepath.Join(dir, "empty")
	for name, text := range map[string]string{file: "=a:b \t\r\n\n?:.x", empty: ""} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ file, domains, want string }{
		{file, "x.example", "[=a:b  ?:.x]"},
		{empty, "x.example", "[]"},
		{filepath.Join(dir, "nosuch"), "x.example y.example", "[?:+.x.example+.y.example *.:]"},
	} {
		got, err := ReadRules(env("DNSREWRITEFILE", c.file, "LOCALDOMAIN", c.domains))
		if fmt.Sprint(got) != c.want || err != nil {
			t.Errorf("rules of %s, %q = %q, %v; want %s", c.file, c.domains, got, err, c.want)
		}
	}
	if _, err := ReadRules(env("DNSREWRITEFILE", dir)); err == nil {
		t.Error("rules of a folder: no error")
	}
}
