// SPDX-License-Identifier: ISC

package imap

import (
	"fmt"
	"strings"
	"testing"
)

// asked writes what FETCH asks for, as a client would.
func asked(f *Fetch) string {
	var out []string
	for _, it := range f.Items {
		s := string(it.Append(nil))
		if it.Peek && (it.Kind == ItemSection || it.Kind == ItemBinary) {
			s = strings.Replace(s, "[", ".PEEK[", 1)
		}
		if it.Partial != nil {
			s = strings.TrimSuffix(s, ">") + fmt.Sprintf(".%d>", it.Partial.Length)
		}
		out = append(out, s)
	}
	s := "(" + strings.Join(out, " ") + ")"
	if f.Changed {
		s += fmt.Sprintf(" (CHANGEDSINCE %d", f.ChangedSince)
		if f.Vanished {
			s += " VANISHED"
		}
		s += ")"
	}
	return s
}

// TestFetch: every item. What is read is told by writing it again.
func TestFetch(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"(FLAGS BODY[HEADER.FIELDS (DATE FROM)])", "(FLAGS BODY[HEADER.FIELDS (DATE FROM)])"}, // RFC 9051 §6.4.5
		{"ALL", "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)"},
		{"fast", "(FLAGS INTERNALDATE RFC822.SIZE)"},
		{"FULL", "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)"},
		{"(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY MODSEQ)", "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY MODSEQ)"},
		{"(RFC822 RFC822.HEADER RFC822.TEXT)", "(RFC822 RFC822.HEADER RFC822.TEXT)"},
		{"body[]", "(BODY[])"}, {"BODY.PEEK[]", "(BODY.PEEK[])"},
		{"(BODY[HEADER] BODY[TEXT] BODY[1] BODY[3.HEADER] BODY[3.TEXT] BODY[3.1] BODY[4.1.MIME] BODY[4.2.2.1])",
			"(BODY[HEADER] BODY[TEXT] BODY[1] BODY[3.HEADER] BODY[3.TEXT] BODY[3.1] BODY[4.1.MIME] BODY[4.2.2.1])"}, // RFC 9051 §6.4.5.1
		{"BODY.PEEK[1.2.HEADER.FIELDS.NOT (\"To\" {2+}\r\nCc)]<0.2048>", "(BODY.PEEK[1.2.HEADER.FIELDS.NOT (To Cc)]<0.2048>)"},
		{"BODY[]<2048.1>", "(BODY[]<2048.1>)"},
		{"(BINARY[1] BINARY.PEEK[1.2]<3.4> BINARY.SIZE[2] BINARY[])", "(BINARY[1] BINARY.PEEK[1.2]<3.4> BINARY.SIZE[2] BINARY[])"}, // RFC 3516 §4.2
		{"(FLAGS) (CHANGEDSINCE 12345)", "(FLAGS) (CHANGEDSINCE 12345)"},                                                           // RFC 7162 §3.1.4.1
		{"(FLAGS) (CHANGEDSINCE 12345 VANISHED)", "(FLAGS) (CHANGEDSINCE 12345 VANISHED)"},
		{"(FLAGS) (VANISHED)", ""}, {"(FLAGS) ()", ""}, {"(FLAGS) (FOO)", ""}, {"(FLAGS) (CHANGEDSINCE 9223372036854775808)", ""},
		{"", ""}, {"()", ""}, {"FOO", ""}, {"(ALL)", ""}, {"(FLAGS ALL)", ""}, {"FLAGS UID", ""}, {"(FLAGS  UID)", ""}, {"(FLAGS", ""}, {"((FLAGS))", ""},
		{"BODY[MIME]", ""}, {"BODY[0]", ""}, {"BODY[1.]", ""}, {"BODY[.1]", ""}, {"BODY[1..2]", ""}, {"BODY[TEXT.1]", ""}, {"BODY[FOO]", ""}, {"BODY[4294967296]", ""},
		{"BODY[HEADER.FIELDS]", ""}, {"BODY[HEADER.FIELDS ()]", ""}, {"BODY[HEADER.FIELDS (a:b)]", ""}, {"BODY[HEADER.FIELDS (\"a b\")]", ""}, {"BODY[HEADER.FIELDS (\"\")]", ""},
		{"BODY[", ""}, {"BODY[]<", ""}, {"BODY[]<1>", ""}, {"BODY[]<1.0>", ""}, {"BODY[]<9223372036854775808.1>", ""}, {"BODY[]<0.1", ""},
		{"BINARY[TEXT]", ""}, {"BINARY[1.MIME]", ""}, {"BINARY[1.]", ""}, {"BINARY.SIZE[1]<0.1>", ""}, {"BINARY", ""}, {"FLAGS[]", ""}, {"RFC822[]", ""}, {"BODYSTRUCTURE[1]", ""},
	} {
		got := ""
		if cmd, err := read(t, "UID FETCH 1 "+c.in); err == nil {
			got = asked(cmd.Fetch)
		}
		if got != c.want {
			t.Errorf("FETCH %q = %q; want %q", c.in, got, c.want)
		}
	}
	if _, err := read(t, "FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)"); err == nil {
		t.Error("FETCH with VANISHED: accepted; want UID FETCH only, RFC 7162 §3.2.6")
	}
}

// TestFetchSees: which items set \Seen.
func TestFetchSees(t *testing.T) {
	for item, want := range map[string]bool{
		"BODY[]": true, "BODY[1.MIME]": true, "BINARY[1]": true, "RFC822": true, "RFC822.TEXT": true, "(UID BODY[TEXT])": true,
		"BODY.PEEK[]": false, "BINARY.PEEK[1]": false, "BINARY.SIZE[1]": false, "RFC822.HEADER": false, "RFC822.SIZE": false, "FULL": false,
	} {
		cmd, err := read(t, "FETCH 1 "+item)
		if err != nil {
			t.Fatal(err)
		}
		if got := cmd.Fetch.Sees(); got != want {
			t.Errorf("%s sees: %v; want %v", item, got, want)
		}
	}
}

// TestItem writes items' names as answers have them: RFC 9051 §7.5.2.
func TestItem(t *testing.T) {
	for in, want := range map[string]string{
		"BODY.PEEK[]<5.10>":                            "BODY[]<5>",
		"BODY.PEEK[1.HEADER.FIELDS (Subject \"x(y\")]": `BODY[1.HEADER.FIELDS (Subject "x(y")]`,
		"BINARY.PEEK[1.2]<0.1>":                        "BINARY[1.2]<0>",
		"BINARY.SIZE[]":                                "BINARY.SIZE[]",
		"BODY":                                         "BODY",
		"RFC822.TEXT":                                  "RFC822.TEXT",
	} {
		cmd, err := read(t, "FETCH 1 "+in)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(cmd.Fetch.Items[0].Append(nil)); got != want {
			t.Errorf("%s is answered as %s; want %s", in, got, want)
		}
	}
}
