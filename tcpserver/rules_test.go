// SPDX-License-Identifier: ISC

package tcpserver

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quill/internal/cdb"
)

// rules compiles rules into a file.
func rules(t *testing.T, path, text string) error {
	t.Helper()
	f, err := os.Create(path + ".tmp")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := cdb.NewWriter(f)
	if err := Compile(strings.NewReader(text), w); err != nil {
		return err
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
	return nil
}

func TestSearch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.cdb")
	if err := rules(t, path, `# comment
joe@10.1.2.3:allow,WHO="joe"
joe@=h.x.org:allow,WHO=/by name/
10.1.2.3:deny
=h.x.org:allow,WHO="host"
10.1.2.:allow,WHO="net",B=""
1.2.3.37-39:deny
10.2-3.:allow,WHO="range"
=.x.org:allow,WHO="suffix"
=:allow,WHO="named"
:allow,WHO="all"
no colon
`); err != nil {
		t.Fatal(err)
	}
	r := NewRules(path, false)
	for _, c := range []struct {
		ip, host, info, rule string
		deny                 bool
		env                  []string
	}{
		{"10.1.2.3", "", "joe", "joe@10.1.2.3", false, []string{"WHO=joe"}},
		{"10.1.2.4", "h.x.org", "joe", "joe@=h.x.org", false, []string{"WHO=by name"}},
		{"10.1.2.3", "h.x.org", "", "10.1.2.3", true, nil},
		{"10.1.2.9", "h.x.org", "", "=h.x.org", false, []string{"WHO=host"}},
		{"10.1.2.9", "", "", "10.1.2.", false, []string{"WHO=net", "B="}},
		{"1.2.3.36", "", "", "", false, []string{"WHO=all"}},
		{"1.2.3.37", "", "", "1.2.3.37", true, nil}, {"1.2.3.39", "", "", "1.2.3.39", true, nil},
		{"10.3.9.9", "", "", "10.3.", false, []string{"WHO=range"}},
		{"9.9.9.9", "a.b.x.org", "", "=.x.org", false, []string{"WHO=suffix"}},
		{"9.9.9.9", "a.org", "", "=", false, []string{"WHO=named"}},
	} {
		v, err := r.Verdict(c.ip, c.host, c.info)
		if err != nil || v.Rule != c.rule || v.Deny != c.deny || !slices.Equal(v.Env, c.env) || !v.Found {
			t.Errorf("Verdict(%s, %s, %s) = %+v, %v; want rule %q, deny %v, %q", c.ip, c.host, c.info, v, err, c.rule, c.deny, c.env)
		}
	}
	if err := rules(t, path, "10.1.2.3:allow\n"); err != nil {
		t.Fatal(err)
	}
	if v, err := r.Verdict("10.1.2.3", "", ""); err != nil || v.Deny || !v.Found {
		t.Errorf("after new rules: %+v, %v; want allowed", v, err)
	}
	if v, err := r.Verdict("9.9.9.9", "", ""); err != nil || v.Found {
		t.Errorf("no rule: %+v, %v; want the default", v, err)
	}
}

func TestMissingRules(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.cdb")
	if _, err := NewRules(path, false).Verdict("1.2.3.4", "", ""); err == nil {
		t.Error("missing rules allow; want an error")
	}
	if v, err := NewRules(path, true).Verdict("1.2.3.4", "", ""); err != nil || v.Deny {
		t.Errorf("missing rules with -X: %+v, %v; want allowed", v, err)
	}
}

func TestCompileRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.cdb")
	for _, text := range []string{"1.2.3.4:maybe\n", "1.2.3.4:allow,A\n", "1.2.3.4:allow,A=\"x\n", "1.2.3.4:allowA=\"x\"\n", "1.2.3.300-301:deny\n", "x:" + strings.Repeat("y", MaxRule) + "\n"} {
		if err := rules(t, path, ":allow\n"+text); err == nil {
			t.Errorf("Compile(%.40q) = nil; want a refusal", text)
		}
	}
}
