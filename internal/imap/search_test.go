// SPDX-License-Identifier: ISC

package imap

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// appendKey writes a key as a client would, in one form of many.
func appendKey(b []byte, k Key) []byte {
	switch k.Op {
	case OpAnd:
		b = append(b, '(')
		b = appendKeys(b, k.Sub)
		return append(b, ')')
	case OpOr:
		return appendKeys(append(b, "OR "...), k.Sub)
	case OpNot:
		return appendKeys(append(b, "NOT "...), k.Sub)
	case OpFlag:
		if f, ok := strings.CutPrefix(k.Str, `\`); ok {
			return append(b, upper(f)...)
		}
		return append(append(b, "KEYWORD "...), k.Str...)
	case OpSeq:
		return append(b, k.Set.String()...)
	case OpHeader:
		b = appendString(append(b, "HEADER "...), k.Field, true, true)
		return sent(append(b, ' '), k.Str)
	}
	b = append(b, [...]string{OpAll: "ALL", OpUID: "UID ", OpLarger: "LARGER ", OpSmaller: "SMALLER ", OpBefore: "BEFORE ", OpOn: "ON ", OpSince: "SINCE ",
		OpSentBefore: "SENTBEFORE ", OpSentOn: "SENTON ", OpSentSince: "SENTSINCE ", OpOlder: "OLDER ", OpYounger: "YOUNGER ",
		OpBody: "BODY ", OpText: "TEXT ", OpModSeq: "MODSEQ "}[k.Op]...)
	switch k.Op {
	case OpUID:
		b = append(b, k.Set.String()...)
	case OpLarger, OpSmaller, OpOlder, OpYounger, OpModSeq:
		b = strconv.AppendInt(b, k.Num, 10)
	case OpBefore, OpOn, OpSince, OpSentBefore, OpSentOn, OpSentSince:
		b = k.Date.AppendFormat(b, "2-Jan-2006")
	case OpBody, OpText:
		b = sent(b, k.Str)
	}
	return b
}

// sent writes a string as a client sends one that does not wait.
func sent(b []byte, s string) []byte {
	if strings.ContainsAny(s, "\r\n") || !quotable(s, true) {
		return fmt.Appendf(b, "{%d+}\r\n%s", len(s), s)
	}
	return appendString(b, s, false, true)
}

func appendKeys(b []byte, ks []Key) []byte {
	for i, k := range ks {
		if i > 0 {
			b = append(b, ' ')
		}
		b = appendKey(b, k)
	}
	return b
}

// TestSearch: every key. What is read is told by writing it again.
func TestSearch(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"`, `FLAGGED SINCE 1-Feb-1994 NOT HEADER From "Smith"`}, // RFC 9051 §6.4.4.4
		{`TEXT "string not in mailbox"`, `TEXT "string not in mailbox"`},
		{"CHARSET UTF-8 TEXT {8+}\r\nмать", `TEXT "мать"`},
		{"ALL", "ALL"}, {"all", "ALL"},
		{"ANSWERED DELETED DRAFT FLAGGED SEEN RECENT", "ANSWERED DELETED DRAFT FLAGGED SEEN RECENT"},
		{"UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNSEEN OLD", "NOT ANSWERED NOT DELETED NOT DRAFT NOT FLAGGED NOT SEEN NOT RECENT"},
		{"NEW", "(RECENT NOT SEEN)"},
		{"KEYWORD $Junk UNKEYWORD b", "KEYWORD $Junk NOT KEYWORD b"},
		{"BCC a CC b FROM c TO d SUBJECT e", `HEADER Bcc "a" HEADER Cc "b" HEADER From "c" HEADER To "d" HEADER Subject "e"`},
		{`HEADER Message-ID <x@y> HEADER "List-Id" ""`, `HEADER Message-ID "<x@y>" HEADER List-Id ""`},
		{"BODY a TEXT b", `BODY "a" TEXT "b"`},
		{`BEFORE 1-Jan-2000 ON "02-Jan-2000" SINCE 31-Dec-1999`, "BEFORE 1-Jan-2000 ON 2-Jan-2000 SINCE 31-Dec-1999"},
		{"SENTBEFORE 1-Jan-2000 SENTON 2-Jan-2000 SENTSINCE 31-Dec-1999", "SENTBEFORE 1-Jan-2000 SENTON 2-Jan-2000 SENTSINCE 31-Dec-1999"},
		{"LARGER 10 SMALLER 9223372036854775807", "LARGER 10 SMALLER 9223372036854775807"},
		{"UNSEEN YOUNGER 259200", "NOT SEEN YOUNGER 259200"}, // RFC 5032 §4
		{"OLDER 1", "OLDER 1"},
		{"UID 5,3:*,4 2,84,882", "UID 3:* 2,84,882"},
		{"$ SMALLER 4096", "$ SMALLER 4096"}, {"OR $ 1,3000:3021 TEXT x", `OR $ 1,3000:3021 TEXT "x"`}, {"UID $", "UID $"}, // RFC 5182 §2
		{`MODSEQ "/flags/\\draft" all 620162338`, "MODSEQ 620162338"}, {"OR NOT MODSEQ 720162338 LARGER 50000", "OR NOT MODSEQ 720162338 LARGER 50000"}, // RFC 7162 §3.1.5
		{"OR (SEEN 1) NOT (OR 1 2)", "OR (SEEN 1) NOT (OR 1 2)"},
		{"((ALL))", "((ALL))"}, {"*", "*"},
		{"TEXT {2+}\r\n\r\n ALL", "TEXT {2+}\r\n\r\n ALL"},
		{"TEXT {1+}\r\n\xff", "TEXT {1+}\r\n\xff"}, // bytes in the charset named
		{"", ""}, {"FOO", ""}, {"NOT", ""}, {"NOT ", ""}, {"OR ALL", ""}, {"OR ALL ", ""}, {"()", ""}, {"(ALL", ""}, {"ALL)", ""}, {"(ALL )", ""}, {"ALL  ALL", ""},
		{"0", ""}, {"1:0", ""}, {"4294967296", ""}, {"UID", ""}, {"UID x", ""}, {"LARGER", ""}, {"LARGER -1", ""}, {"LARGER 9223372036854775808", ""},
		{"BEFORE 30-Feb-2000", ""}, {"BEFORE x", ""}, {"BEFORE", ""}, {"OLDER 0", ""}, {"OLDER 4294967296", ""}, {"HEADER x", ""}, {"KEYWORD", ""}, {`KEYWORD \Seen`, ""},
		{"MODSEQ", ""}, {`MODSEQ "/flags/x" foo 1`, ""}, {"MODSEQ 9223372036854775808", ""}, {"CHARSET UTF-8", ""}, {"CHARSET", ""}, {"RETURN () CHARSET x", ""}, {"TEXT (a)", ""},
	} {
		got := ""
		if cmd, err := read(t, "UID SEARCH "+c.in); err == nil {
			got = string(appendKeys(nil, cmd.Search.Key.Sub))
		}
		if got != c.want {
			t.Errorf("SEARCH %q = %q; want %q", c.in, got, c.want)
		}
	}
}

func TestSearchReturn(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"ALL", "ext=false min=false max=false all=false count=false save=false  modseq=false"},
		{"RETURN (MIN COUNT) FLAGGED SINCE 1-Feb-1994", "ext=true min=true max=false all=false count=true save=false  modseq=false"}, // RFC 4731 §3.1
		{"RETURN () ALL", "ext=true min=false max=false all=true count=false save=false  modseq=false"},
		{"return (max all) charset us-ascii TEXT x", "ext=true min=false max=true all=true count=false save=false US-ASCII modseq=false"},
		{"RETURN (SAVE) ALL", "ext=true min=false max=false all=false count=false save=true  modseq=false"}, // RFC 5182 §2.1
		{"(MODSEQ 1)", "ext=false min=false max=false all=false count=false save=false  modseq=true"},
		{"RETURN (FOO) ALL", ""}, {"RETURN ALL", ""}, {"RETURN (ALL)", ""}, {"CHARSET x RETURN () ALL", ""},
	} {
		got := ""
		if cmd, err := read(t, "SEARCH "+c.in); err == nil {
			s := cmd.Search
			got = fmt.Sprintf("ext=%v min=%v max=%v all=%v count=%v save=%v %s modseq=%v", s.Extended, s.Min, s.Max, s.All, s.Count, s.Save, s.Charset, s.ModSeq)
		}
		if got != c.want {
			t.Errorf("SEARCH %q = %q; want %q", c.in, got, c.want)
		}
	}
}
