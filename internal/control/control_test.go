// SPDX-License-Identifier: ISC

package control

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// home makes a home with these control files.
func home(t *testing.T, files map[string]string) Dir {
	t.Helper()
	h := t.TempDir()
	if err := os.Mkdir(filepath.Join(h, "control"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(h, "control", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Open(h)
}

func TestLine(t *testing.T) {
	d := home(t, map[string]string{"me": "mail.testingsmtp.org \t\nsecond\n", "empty": "", "blank": " x"})
	for _, c := range []struct {
		name, want string
		ok         bool
	}{{"me", "mail.testingsmtp.org", true}, {"empty", "", true}, {"none", "", false}, {"blank", " x", true}} {
		got, ok, err := d.Line(c.name)
		if got != c.want || ok != c.ok || err != nil {
			t.Errorf("Line(%s) = %q, %v, %v; want %q, %v", c.name, got, ok, err, c.want, c.ok)
		}
	}
	if got, err := d.LineOr("helohost", "me"); got != "mail.testingsmtp.org" || err != nil {
		t.Errorf("LineOr(helohost, me) = %q, %v", got, err)
	}
	if got, err := d.LineOr("helohost", "you"); got != "you" || err != nil {
		t.Errorf("LineOr(helohost, you) = %q, %v; want the name itself", got, err)
	}
}

func TestInt(t *testing.T) {
	d := home(t, map[string]string{"a": "604800\n", "b": "x\n", "c": "12 hours", "d": "99999999999999999999", "e": ""})
	for _, c := range []struct {
		name string
		want int
		err  bool
	}{{"a", 604800, false}, {"b", 7, false}, {"c", 12, false}, {"d", 7, true}, {"e", 7, false}, {"none", 7, false}} {
		got, err := d.Int(c.name, 7)
		if got != c.want || (err != nil) != c.err {
			t.Errorf("Int(%s, 7) = %d, %v; want %d, error %v", c.name, got, err, c.want, c.err)
		}
	}
}

func TestListAndPairs(t *testing.T) {
	d := home(t, map[string]string{"locals": "# ours\na.org\n\n  b.org \nc.org", "virtualdomains": "x.org:joe\nno colon\ny.org:\n"})
	got, ok, err := d.List("locals")
	if want := []string{"a.org", "  b.org", "c.org"}; !slices.Equal(got, want) || !ok || err != nil {
		t.Errorf("List(locals) = %q, %v, %v; want %q", got, ok, err, want)
	}
	pairs, _, err := d.Pairs("virtualdomains")
	if want := [][2]string{{"x.org", "joe"}, {"y.org", ""}}; !slices.Equal(pairs, want) || err != nil {
		t.Errorf("Pairs(virtualdomains) = %q, %v; want %q", pairs, err, want)
	}
}

func TestUnreadableIsAnError(t *testing.T) {
	d := home(t, nil)
	if err := os.Mkdir(d.Path("me"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := d.Line("me"); err == nil {
		t.Errorf("Line of a directory = %v, nil; want an error", ok)
	}
}

func TestSizeLimit(t *testing.T) {
	d := home(t, map[string]string{"edge": strings.Repeat("x", MaxSize), "over": strings.Repeat("x", MaxSize+1)})
	if _, _, err := d.Line("edge"); err != nil {
		t.Errorf("Line at the limit: %v", err)
	}
	if _, _, err := d.Line("over"); err == nil {
		t.Error("Line over the limit = nil error; want one")
	}
}
