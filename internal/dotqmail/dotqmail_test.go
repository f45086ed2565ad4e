// SPDX-License-Identifier: ISC

package dotqmail

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text, want string
		err        error
	}{
		{"./Maildir/\n./mbox\n|true\n&a@b\nc@d\n&-odd\ne@f", "maildir ./Maildir/;mbox ./mbox;program true;forward a@b;forward c@d;forward -odd;forward e@f", nil},
		{"# nothing\n", "", nil},
		{"#\n\n \n/abs/ \t\n/abs\n", "maildir /abs/;mbox /abs", nil},
		{"+list\n+other\n+list x\nx@y", "+list ;forward x@y", nil},
		{"&\n", "forward ", nil},
		{"| cat  \n", "program  cat", nil},
		{" x@y\n", "forward  x@y", nil},
		{"./a\x00b/\n", "mbox ./a", nil},
		{"./\n/\n.", "maildir ./;maildir /;mbox .", nil},
		{"x\r\n", "forward x\r", nil},
		{"", "", ErrBlank},
		{"\nx", "", ErrBlank},
		{" \t\nx", "", ErrBlank},
		{"\x00x\n", "", ErrBlank},
		{strings.Repeat("#", MaxSize), "", nil},
		{strings.Repeat("#", MaxSize+1), "", ErrTooBig},
		{strings.Repeat("x\n", MaxLines), strings.TrimSuffix(strings.Repeat("forward x;", MaxLines), ";"), nil},
		{strings.Repeat("x\n", MaxLines+1), "", ErrTooBig},
	} {
		all, err := Parse(c.text)
		var got []string
		for _, in := range all {
			got = append(got, in.Kind.String()+" "+in.Text)
		}
		if s := strings.Join(got, ";"); s != c.want || !errors.Is(err, c.err) {
			t.Errorf("Parse(%.60q) = %.200q, %v; want %.200q, %v", c.text, s, err, c.want, c.err)
		}
	}
}

func TestGuard(t *testing.T) {
	file, prog, fwd, list := Instruction{Maildir, "./x/"}, Instruction{Program, "x"}, Instruction{Forward, "x"}, Instruction{Kind: List}
	for _, c := range []struct {
		x    bool
		ins  []Instruction
		want string
	}{
		{false, []Instruction{file, prog, fwd}, ""},
		{true, []Instruction{fwd, list, fwd}, ""},
		{true, []Instruction{file}, ".qmail has file delivery but has x bit set"},
		{false, []Instruction{file, list, fwd, prog}, ".qmail has prog delivery but has x bit set"},
	} {
		g, got := Guard{c.x}, ""
		for _, in := range c.ins {
			if err := g.Allow(in); err != nil {
				got = err.Error()
			}
		}
		if got != c.want {
			t.Errorf("Guard(%v) of %v = %q; want %q", c.x, c.ins, got, c.want)
		}
	}
}

func TestCandidates(t *testing.T) {
	for _, c := range []struct{ dash, ext, want string }{
		{"-", "a-b", ".qmail-a-b|.qmail-a-default=b|.qmail-default=a-b"},
		{"-", "A.B-", ".qmail-a:b-|.qmail-a:b-default=|.qmail-default=A.B-"},
		{"-", "a-default", ".qmail-a-default=default|.qmail-a-default=default|.qmail-default=a-default"},
		{"-", "notdefault", ".qmail-notdefault=default|.qmail-default=notdefault"},
		{"", "", ".qmail|.qmaildefault="},
		{"-/", "x", ".qmail-/x|.qmail-/default=x"},
		{"-", "../../x", ".qmail-::/::/x|.qmail-default=../../x"},
		{"-", "\xc3\x84\xff", ".qmail-\xc3\x84\xff|.qmail-default=\xc3\x84\xff"},
	} {
		var got []string
		for _, n := range Candidates(c.dash, c.ext) {
			s := n.Name
			if n.HasDefault {
				s += "=" + n.Default
			}
			got = append(got, s)
		}
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("Candidates(%q, %q) = %q; want %q", c.dash, c.ext, s, c.want)
		}
	}
}

func TestNewSender(t *testing.T) {
	bad := errors.New("disk")
	for _, c := range []struct {
		sender string
		files  []string
		fail   string
		want   string
		err    error
	}{
		{"s@x", nil, "", "s@x", nil},
		{"s@x", []string{".qmail-l-owner"}, "", "u-l-owner@h", nil},
		{"s@x", []string{".qmail-l-owner", ".qmail-l-owner-default"}, "", "u-l-owner-@h-@[]", nil},
		{"s@x", []string{".qmail-l-owner-default"}, "", "s@x", nil},
		{"", []string{".qmail-l-owner"}, "", "", nil},
		{"#@[]", []string{".qmail-l-owner"}, "", "#@[]", nil},
		{"s@x", nil, ".qmail-l-owner", "", bad},
		{"s@x", []string{".qmail-l-owner"}, ".qmail-l-owner-default", "", bad},
	} {
		got, err := NewSender(c.sender, "u-l", "h", "-", "L", func(name string) (bool, error) {
			if name == c.fail {
				return false, bad
			}
			return slices.Contains(c.files, name), nil
		})
		if !errors.Is(err, c.err) || err == nil && got != c.want {
			t.Errorf("NewSender(%q) with %q = %q, %v; want %q, %v", c.sender, c.files, got, err, c.want, c.err)
		}
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a@b": "a@b", "a b@x": `"a b"@x`, `s "q" @x`: `"s \"q\" "@x`, "#@[]": "#@[]", ".a@b": `".a"@b`, "a.@b": `"a."@b`, "a..b@c": `"a..b"@c`,
		"a.b@c": "a.b@c", "@b": `""@b`, "a@b@c": `"a@b"@c`, `a\b@c`: `"a\\b"@c`, "a\nb@c": "\"a\\\nb\"@c", "ä@b": `"ä"@b`, "nobody": "nobody",
	} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestLines(t *testing.T) {
	a := Address{Local: "j\noe", Host: "h", Sender: "a b\tc\n@x"}
	now := time.Date(2026, 11, 4, 0, 23, 26, 0, time.FixedZone("", 3600))
	for got, want := range map[string]string{
		a.DeliveredTo():               "Delivered-To: j_oe@h\n",
		a.ReturnPath():                "Return-Path: <\"a b\tc\\_\"@x>\n",
		a.FromLine(now):               "From a-b-c-@x Tue Nov 03 23:23:26 2026\n",
		(&Address{}).FromLine(now):    "From MAILER-DAEMON Tue Nov 03 23:23:26 2026\n",
		(&Address{}).ReturnPath():     "Return-Path: <>\n",
		harmless("() { :;}; id@x\ny"): "_) { :;}; id@x_y",
	} {
		if got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	a := Address{User: "joe", Home: "/h", Local: "joe-x-y-z-w-v", Host: "a.b.c.d.e", Dash: "-", Ext: "x-y-z-w-v", Sender: "s@x"}
	got := make(map[string]string)
	for _, v := range a.Environment(Candidate{Default: "d", HasDefault: true}, "n@x", time.Unix(0, 0)) {
		got[v.Name] = v.Value
		if !slices.Contains(Names(), v.Name) {
			t.Errorf("Names() lacks %s", v.Name)
		}
	}
	want := map[string]string{
		"SENDER": "s@x", "NEWSENDER": "n@x", "RECIPIENT": "joe-x-y-z-w-v@a.b.c.d.e", "USER": "joe", "HOME": "/h", "LOCAL": "joe-x-y-z-w-v",
		"HOST": "a.b.c.d.e", "HOST2": "a.b.c.d", "HOST3": "a.b.c", "HOST4": "a.b", "EXT": "x-y-z-w-v", "EXT2": "y-z-w-v", "EXT3": "z-w-v", "EXT4": "w-v",
		"DEFAULT": "d", "DTLINE": a.DeliveredTo(), "RPLINE": a.ReturnPath(), "UFLINE": "From s@x Thu Jan 01 00:00:00 1970\n",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("Environment = %v; want %v", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("./Maildir/\n|x\n&y\n+list\n#\n\nz \t")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := Parse(text)
		if err != nil && len(all) != 0 {
			t.Errorf("Parse(%q) gives instructions with an error", text)
		}
		for _, in := range all {
			if strings.ContainsAny(in.Text, "\n\x00") {
				t.Errorf("Parse(%q) gives the text %q", text, in.Text)
			}
			if (in.Kind == Maildir || in.Kind == Mbox) && in.Text[0] != '.' && in.Text[0] != '/' {
				t.Errorf("Parse(%q) gives the file %q", text, in.Text)
			}
		}
	})
}

func FuzzCandidates(f *testing.F) {
	f.Add("a-b.c-default")
	f.Fuzz(func(t *testing.T, ext string) {
		for i, c := range Candidates("-", ext) {
			if strings.Contains(c.Name[len(".qmail"):], ".") {
				t.Errorf("Candidates(%q)[%d] = %q has a dot of the extension", ext, i, c.Name)
			}
			if c.HasDefault && !strings.HasSuffix(ext, c.Default) {
				t.Errorf("Candidates(%q)[%d] has DEFAULT %q", ext, i, c.Default)
			}
		}
	})
}

func FuzzLines(f *testing.F) {
	f.Add("a b", "h", "s\n@x")
	f.Fuzz(func(t *testing.T, local, host, sender string) {
		a := Address{Local: local, Host: host, Sender: sender}
		for _, line := range []string{a.DeliveredTo(), a.ReturnPath(), a.FromLine(time.Unix(0, 0))} {
			if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
				t.Errorf("%q is not one line", line)
			}
		}
		for _, v := range a.Environment(Candidate{}, sender, time.Unix(0, 0)) {
			if strings.HasPrefix(v.Value, "()") {
				t.Errorf("%s = %q", v.Name, v.Value)
			}
		}
	})
}
