// SPDX-License-Identifier: ISC

package mime

import (
	"strings"
	"testing"
)

// addressLists are lists and their wire form.
var addressLists = []struct{ in, want string }{
	// RFC 5322 appendix A
	{"John Doe <jdoe@machine.example>", `(("John Doe" NIL "jdoe" "machine.example"))`},
	{`"Joe Q. Public" <john.q.public@example.com>`, `(("Joe Q. Public" NIL "john.q.public" "example.com"))`},
	{`Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>`,
		`(("Mary Smith" NIL "mary" "x.test")(NIL NIL "jdoe" "example.org")("Who?" NIL "one" "y.test"))`},
	{`<boss@nil.test>, "Giant; \"Big\" Box" <sysservices@example.net>`,
		`((NIL NIL "boss" "nil.test")("Giant; \"Big\" Box" NIL "sysservices" "example.net"))`},
	{`A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;`,
		`((NIL NIL "A Group" NIL)("Ed Jones" NIL "c" "a.test")(NIL NIL "joe" "where.test")("John" NIL "jdoe" "one.test")(NIL NIL NIL NIL))`},
	{`Undisclosed recipients:;`, `((NIL NIL "Undisclosed recipients" NIL)(NIL NIL NIL NIL))`},
	{`Pete(A nice \) chap) <pete(his account)@silly.test(his host)>`, `(("Pete" NIL "pete" "silly.test"))`},
	{`A Group(Some people)   :Chris Jones <c@(Chris's host.)public.example>,   joe@example.org, John <jdoe@one.test> (my dear friend); (the end of the group)`,
		`((NIL NIL "A Group" NIL)("Chris Jones" NIL "c" "public.example")(NIL NIL "joe" "example.org")("John" NIL "jdoe" "one.test")(NIL NIL NIL NIL))`},
	{`(Empty list)(start)Hidden recipients  :(nested(comment that nobody likes)here);`, `((NIL NIL "Hidden recipients" NIL)(NIL NIL NIL NIL))`},
	{`Joe Q. Public <john.q.public@example.com>`, `(("Joe Q. Public" NIL "john.q.public" "example.com"))`},
	{`Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example`, `(("Mary Smith" "@node.test" "mary" "example.net")(NIL NIL "jdoe" "test.example"))`},
	{`John Doe <jdoe@machine(comment).  example>`, `(("John Doe" NIL "jdoe" "machine.example"))`},
	// RFC 3501 §7.4.2 and RFC 822's old forms
	{`<@a.test,@b.test:c@d.test>`, `((NIL "@a.test,@b.test" "c" "d.test"))`},
	{`foo@bar.test (Real (nick) Name)`, `(("Real (nick) Name" NIL "foo" "bar.test"))`},
	{`"quoted local"@bar.test`, `((NIL NIL "quoted local" "bar.test"))`},
	{`<"a@b\"c"@bar.test>`, `((NIL NIL "a@b\"c" "bar.test"))`},
	{`foo@[192.0.2.1]`, `((NIL NIL "foo" "[192.0.2.1]"))`},
	{`<foo@[IPv6:2001:db8::1]>`, `((NIL NIL "foo" "[IPv6:2001:db8::1]"))`},
	{`=?utf-8?q?J=C3=BCrgen?= <j@x.test>`, `(("=?utf-8?q?J=C3=BCrgen?=" NIL "j" "x.test"))`},
	{"J\xfcrgen <j@x.test>", "(({6}\r\nJ\xfcrgen NIL \"j\" \"x.test\"))"},
	// broken
	{``, `NIL`},
	{` , ,, (comment)`, `NIL`},
	{`<>`, `((NIL NIL "MISSING_MAILBOX" "MISSING_DOMAIN"))`},
	{`root`, `((NIL NIL "root" "MISSING_DOMAIN"))`},
	{`John Doe`, `(("John Doe" NIL "MISSING_MAILBOX" "MISSING_DOMAIN"))`},
	{`John <root>`, `(("John" NIL "root" "MISSING_DOMAIN"))`},
	{`@x.test`, `((NIL NIL "MISSING_MAILBOX" "x.test"))`},
	{`a@b.test <a@b.test>`, `(("a@b.test" NIL "a" "b.test"))`},
	{`a@b.test c@d.test, e@f.test`, `((NIL NIL "a" "b.test")(NIL NIL "e" "f.test"))`},
	{`a@b@c.test`, `((NIL NIL "a" "b"))`},
	{`Doe John a@b.test`, `(("Doe John" NIL "a" "b.test"))`},
	{`x <a@b.test, c@d.test`, `(("x" NIL "a" "b.test")(NIL NIL "c" "d.test"))`},
	{`<a@b.test> trailing <c@d.test> words, e@f`, `((NIL NIL "a" "b.test")(NIL NIL "e" "f"))`},
	{`"open`, `((NIL NIL "open" "MISSING_DOMAIN"))`},
	{`(open a@b`, `NIL`},
	{`g: a@b`, `((NIL NIL "g" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL))`},
	{`g: a@b, h: c@d;;`, `((NIL NIL "g" NIL)(NIL NIL "a" "b")("h" NIL "c" "d")(NIL NIL NIL NIL))`},
	{`:;`, `((NIL NIL "" NIL)(NIL NIL NIL NIL))`},
	{`a;b`, `((NIL NIL "a" "MISSING_DOMAIN")(NIL NIL "b" "MISSING_DOMAIN"))`},
}

func TestAddresses(t *testing.T) {
	for _, c := range addressLists {
		l := &lexer{s: c.in}
		if got := string(appendAddrs(nil, l.addresses(100))); got != c.want {
			t.Errorf("addresses(%q)\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

// TestEnvelope: what is missing, empty, or there twice.
func TestEnvelope(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", `(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"Subject:\nDate: \nIn-Reply-To:\nMessage-ID: \nFrom:\nTo: \n", `("" "" NIL NIL NIL NIL NIL NIL "" "")`},
		{"From: a@b\nSender: \nReply-To: c@d\n", `(NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) ((NIL NIL "c" "d")) NIL NIL NIL NIL NIL)`},
		{"To: a@b\nSubject: 1\nTO: c@d\nSUBJECT: 2\n", `(NIL "1" NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL)`},
		{"Subject: a\n \t b \"\\\"\n\nSubject: body\n", `(NIL "a \t b \"\\\"" NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"Subject: a\x00b\rc\n", `(NIL "a?b c" NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"From nobody Thu Jan  1 1970\n continued\nno colon\nSubject: s\n", `(NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"Subject: \xe4\n", "(NIL {1}\r\n\xe4 NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"Subject: " + strings.Repeat("x", 1000) + "\n", `(NIL "` + strings.Repeat("x", 1000) + `" NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"Subject: " + strings.Repeat("x", 1001) + "\n", "(NIL {1001}\r\n" + strings.Repeat("x", 1001) + " NIL NIL NIL NIL NIL NIL NIL NIL)"},
	} {
		want := strings.ReplaceAll(c.want, `\t`, "\t")
		if got := string(parse(t, c.in).Envelope.Append(nil)); got != want {
			t.Errorf("envelope of %q\n got %s\nwant %s", c.in, got, want)
		}
	}
}

func FuzzAddress(f *testing.F) {
	for _, c := range addressLists {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = clean([]byte(s))
		l := &lexer{s: s}
		list := l.addresses(50)
		if len(list) > 51 || l.steps > 4*len(s)+4 {
			t.Fatalf("%d addresses in %d steps of %d bytes", len(list), l.steps, len(s))
		}
		if w := string(appendAddrs(nil, list)); w != "NIL" {
			balanced(t, w)
		}
	})
}
