// SPDX-License-Identifier: ISC

package imap

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// read reads one command of a client that has logged in, unless it is one of
// before login.
func read(t *testing.T, line string) (*Command, error) {
	t.Helper()
	word := strings.ToUpper(strings.SplitN(line+" ", " ", 2)[0])
	cl := newClient("t "+line+"\r\n", commands[word].flags&BeforeLogin == 0)
	return cl.Next()
}

// row is a command and what it means; nil: BAD.
type row struct {
	line string
	want *Command
}

func check(t *testing.T, rows []row) {
	t.Helper()
	for _, c := range rows {
		got, err := read(t, c.line)
		if c.want == nil {
			if e := (*Error)(nil); !errors.As(err, &e) || e.Close || e.Tag != "t" {
				t.Errorf("%q = %+v, %v; want refused", c.line, got, err)
			}
			continue
		}
		want := *c.want
		want.Tag = "t"
		if got != nil {
			want.Flags = got.Flags
		}
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%q = %+v, %v; want %+v", c.line, got, err, want)
		}
	}
}

func set(s string) Set {
	v, err := ParseSet(s)
	if err != nil {
		panic(err)
	}
	return v
}

// TestPlain: commands without arguments, RFC 9051 §6.1, §6.3, §6.4 and their
// RFCs.
func TestPlain(t *testing.T) {
	for _, name := range []string{"CAPABILITY", "NOOP", "LOGOUT", "STARTTLS", "NAMESPACE", "IDLE", "CHECK", "CLOSE", "UNSELECT", "EXPUNGE"} {
		check(t, []row{{name, &Command{Name: name}}, {strings.ToLower(name), &Command{Name: name}}, {name + " x", nil}, {name + " ", nil}, {"UID " + name + " ", nil}})
	}
	check(t, []row{{"XYZZY", nil}, {"", nil}, {"UID", nil}, {"UID UID", nil}, {"UID COPY", nil}, {"NOOP\"x\"", nil}})
}

func TestLoginCommands(t *testing.T) {
	check(t, []row{
		{"LOGIN SMITH SESAME", &Command{Name: "LOGIN", User: "SMITH", Password: "SESAME"}}, // RFC 9051 §6.2.3
		{`LOGIN "a\"b" "c\\d"`, &Command{Name: "LOGIN", User: `a"b`, Password: `c\d`}},
		{`LOGIN "" ""`, &Command{Name: "LOGIN"}},
		{"LOGIN a] b]", &Command{Name: "LOGIN", User: "a]", Password: "b]"}},
		{"LOGIN \"ü\" \"ß\"", &Command{Name: "LOGIN", User: "ü", Password: "ß"}},
		{"LOGIN a", nil}, {"LOGIN a ", nil}, {"LOGIN a b c", nil}, {"LOGIN  a b", nil}, {"LOGIN a%b c", nil}, {"LOGIN", nil},
		{"AUTHENTICATE GSSAPI", &Command{Name: "AUTHENTICATE", Mechanism: "GSSAPI"}},                                                             // RFC 9051 §6.2.2
		{"authenticate plain dGVzdAB0ZXN0AHRlc3Q=", &Command{Name: "AUTHENTICATE", Mechanism: "PLAIN", Initial: []byte("test\x00test\x00test")}}, // RFC 4959 §4
		{"AUTHENTICATE EXTERNAL =", &Command{Name: "AUTHENTICATE", Mechanism: "EXTERNAL", Initial: []byte{}}},
		{"AUTHENTICATE PLAIN dGVzdA", nil}, {"AUTHENTICATE PLAIN *", nil}, {"AUTHENTICATE PLAIN ", nil}, {"AUTHENTICATE", nil},
		{"AUTHENTICATE PLAIN dGVzdA= =", nil}, {"AUTHENTICATE PLAIN dGVzdB==", nil},
	})
}

func TestSession(t *testing.T) {
	check(t, []row{
		{"ID NIL", &Command{Name: "ID"}},
		{`ID ("name" "sodr" "version" "19.34" "vendor" "Pink Floyd Music Limited")`, // RFC 2971 §3.1
			&Command{Name: "ID", ID: []Pair{{"name", "sodr", false}, {"version", "19.34", false}, {"vendor", "Pink Floyd Music Limited", false}}}},
		{`ID ("name" NIL)`, &Command{Name: "ID", ID: []Pair{{"name", "", true}}}},
		{`ID ()`, &Command{Name: "ID", ID: []Pair{}}},
		{`ID ("name")`, nil}, {`ID (name x)`, nil}, {`ID ("a" "b" )`, nil}, {`ID`, nil}, {`ID NILL`, nil},
		{"ENABLE CONDSTORE X-GOOD-IDEA", &Command{Name: "ENABLE", Enable: []string{"CONDSTORE", "X-GOOD-IDEA"}}}, // RFC 5161 §3.1
		{"enable utf8=accept", &Command{Name: "ENABLE", Enable: []string{"UTF8=ACCEPT"}}},
		{"ENABLE", nil}, {"ENABLE ", nil}, {"ENABLE a ", nil},
	})
}

// TestIM13 sends ID and ENABLE with ten thousand parameters, and goes to the
// edges.
func TestIM13(t *testing.T) {
	check(t, []row{
		{"ID (" + strings.Repeat(`"a" "b" `, 9999) + `"a" "b")`, nil},
		{"ID (" + strings.Repeat(`"a" "b" `, maxID) + `"a" "b")`, nil},
		{`ID ("` + strings.Repeat("a", maxIDField+1) + `" "b")`, nil},
		{`ID ("a" "` + strings.Repeat("b", maxIDValue+1) + `")`, nil},
		{"ENABLE" + strings.Repeat(" A", 10000), nil},
		{"ENABLE" + strings.Repeat(" A", maxItems+1), nil},
		{"STORE 1 FLAGS" + strings.Repeat(" A", maxFlags+1), nil},
		{"STORE 1 FLAGS (A" + strings.Repeat(" A", maxFlags) + ")", nil},
		{"STORE 1 FLAGS (" + strings.Repeat("A", maxKeyword+1) + ")", nil},
		{"FETCH 1 (UID" + strings.Repeat(" UID", maxItems) + ")", nil},
		{"FETCH 1 BODY[1" + strings.Repeat(".1", maxParts) + "]", nil},
		{"FETCH 1 (" + strings.Repeat("BODY[HEADER.FIELDS (a"+strings.Repeat(" a", 1000)+")] ", 10) + "UID)", nil},
	})
	fields := func(n int) string { // 3 tokens, 2 for an item and its section, its fields
		return "FETCH 1 (" + strings.Repeat("BODY[HEADER.FIELDS (a"+strings.Repeat(" a", maxItems-1)+")] ", 7) + "BODY[HEADER.FIELDS (a" + strings.Repeat(" a", n-1) + ")])"
	}
	left := maxArgs - 3 - 7*(2+maxItems) - 2
	check(t, []row{
		{fields(left + 1), nil},
		{"FETCH 1 BODY[HEADER.FIELDS (a" + strings.Repeat(" a", maxItems) + ")]", nil},
	})
	for line, n := range map[string]int{
		fields(left): 8,
		"FETCH 1 BODY[HEADER.FIELDS (a" + strings.Repeat(" a", maxItems-1) + ")]": 1,
		"ID (" + strings.Repeat(`"a" "b" `, maxID-1) + `"a" "b")`:                 maxID,
		"ENABLE" + strings.Repeat(" A", maxItems):                                 maxItems,
		"STORE 1 FLAGS" + strings.Repeat(" A", maxFlags):                          maxFlags,
		"STORE 1 FLAGS (A" + strings.Repeat(" A", maxFlags-1) + ")":               maxFlags,
		"FETCH 1 (UID" + strings.Repeat(" UID", maxItems-1) + ")":                 maxItems,
		"FETCH 1 BODY[1" + strings.Repeat(".1", maxParts-1) + "]":                 1,
	} {
		c, err := read(t, line)
		if err != nil {
			t.Errorf("%.30q: %v", line, err)
			continue
		}
		got := len(c.ID) + len(c.Enable)
		if c.Store != nil {
			got = len(c.Store.Flags)
		}
		if c.Fetch != nil {
			got = len(c.Fetch.Items)
		}
		if got != n {
			t.Errorf("%.30q: %d; want %d", line, got, n)
		}
	}
}

func TestMailboxes(t *testing.T) {
	known, seqs, uids := set("41,43:211,214:541"), set("1"), set("41")
	check(t, []row{
		{"SELECT INBOX", &Command{Name: "SELECT", Mailbox: "INBOX"}},
		{"EXAMINE blurdybloop", &Command{Name: "EXAMINE", Mailbox: "blurdybloop"}},
		{`SELECT "&U,BTFw-"`, &Command{Name: "SELECT", Mailbox: "台北"}},
		{"SELECT INBOX (CONDSTORE)", &Command{Name: "SELECT", Mailbox: "INBOX", Select: &Select{CondStore: true}}}, // RFC 7162 §3.1.8
		{"SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))", // RFC 7162 §3.2.5.1
			&Command{Name: "SELECT", Mailbox: "INBOX", Select: &Select{QResync: &QResync{67890007, 20050715194045000, &known, nil, nil}}}},
		{"SELECT INBOX (QRESYNC (67890007 90060115194045000 41,43:211,214:541 (1 41)) CONDSTORE)",
			&Command{Name: "SELECT", Mailbox: "INBOX", Select: &Select{true, &QResync{67890007, 90060115194045000, &known, &seqs, &uids}}}},
		{"SELECT INBOX (QRESYNC (1 2))", &Command{Name: "SELECT", Mailbox: "INBOX", Select: &Select{QResync: &QResync{1, 2, nil, nil, nil}}}},
		{"SELECT INBOX (QRESYNC (1 2 (1 41)))", &Command{Name: "SELECT", Mailbox: "INBOX", Select: &Select{QResync: &QResync{1, 2, nil, &seqs, &uids}}}},
		{"SELECT INBOX (QRESYNC (0 2))", nil}, {"SELECT INBOX (QRESYNC (1 0))", nil}, {"SELECT INBOX (QRESYNC (1 9223372036854775808))", nil},
		{"SELECT INBOX (QRESYNC (1 2 1:*))", nil}, {"SELECT INBOX (QRESYNC (1 2 $))", nil}, {"SELECT INBOX (QRESYNC (1 2 ))", nil},
		{"SELECT INBOX (QRESYNC (1 2 1 ))", nil}, {"SELECT INBOX ()", nil}, {"SELECT INBOX (FOO)", nil}, {"SELECT INBOX (CONDSTORE CONDSTORE)", nil},
		{"SELECT", nil}, {`SELECT ""`, nil}, {"SELECT INBOX x", nil}, {"SELECT &Jjo", nil}, {"SELECT (x)", nil},
		{"CREATE owatagusiam/", &Command{Name: "CREATE", Mailbox: "owatagusiam/"}},                                                    // RFC 9051 §6.3.4
		{`CREATE MySpecial (USE (\Drafts \Sent))`, &Command{Name: "CREATE", Mailbox: "MySpecial", Use: []string{`\Drafts`, `\Sent`}}}, // RFC 6154 §5.3
		{`CREATE Everything (USE ())`, &Command{Name: "CREATE", Mailbox: "Everything", Use: []string{}}},
		{`CREATE x (USE (Sent))`, nil}, {`CREATE x (FOO)`, nil}, {`CREATE "a*"`, nil}, {`CREATE "a%b"`, nil}, {`CREATE a%b`, nil},
		{"DELETE blurdybloop", &Command{Name: "DELETE", Mailbox: "blurdybloop"}},
		{`DELETE "a*"`, &Command{Name: "DELETE", Mailbox: "a*"}}, // an old one may be called so
		{"RENAME blurdybloop sarasoop", &Command{Name: "RENAME", Mailbox: "blurdybloop", NewName: "sarasoop"}},
		{"RENAME inbox old-mail", &Command{Name: "RENAME", Mailbox: "INBOX", NewName: "old-mail"}},
		{"RENAME a", nil}, {`RENAME a "b*"`, nil},
		{"SUBSCRIBE #news.comp.mail.mime", &Command{Name: "SUBSCRIBE", Mailbox: "#news.comp.mail.mime"}},
		{"UNSUBSCRIBE #news.comp.mail.mime", &Command{Name: "UNSUBSCRIBE", Mailbox: "#news.comp.mail.mime"}},
		{"STATUS blurdybloop (UIDNEXT MESSAGES)", &Command{Name: "STATUS", Mailbox: "blurdybloop", Status: []string{"UIDNEXT", "MESSAGES"}}},
		{"STATUS b (messages RECENT uidvalidity UNSEEN DELETED SIZE HIGHESTMODSEQ APPENDLIMIT messages)", &Command{Name: "STATUS", Mailbox: "b",
			Status: []string{"MESSAGES", "RECENT", "UIDVALIDITY", "UNSEEN", "DELETED", "SIZE", "HIGHESTMODSEQ", "APPENDLIMIT"}}},
		{"STATUS b ()", nil}, {"STATUS b MESSAGES", nil}, {"STATUS b (FOO)", nil}, {"STATUS b", nil},
	})
}

func TestList(t *testing.T) {
	check(t, []row{
		{`LIST "" ""`, &Command{Name: "LIST", List: &List{Patterns: []string{""}}}}, // RFC 9051 §6.3.9.8
		{`LIST "/usr/staff/jones" ""`, &Command{Name: "LIST", List: &List{Reference: "/usr/staff/jones", Patterns: []string{""}}}},
		{`LIST ~/Mail/ %`, &Command{Name: "LIST", List: &List{Reference: "~/Mail/", Patterns: []string{"%"}}}},
		{`LIST "" "&Jjo-*"`, &Command{Name: "LIST", List: &List{Patterns: []string{"☺*"}}}},
		{`LIST "" a]b*%`, &Command{Name: "LIST", List: &List{Patterns: []string{"a]b*%"}}}},
		{`LIST (SUBSCRIBED) "" "*"`, &Command{Name: "LIST", List: &List{Extended: true, Patterns: []string{"*"}, SelectSubscribed: true}}},
		{`LIST () "" "%" RETURN (CHILDREN)`, &Command{Name: "LIST", List: &List{Extended: true, Patterns: []string{"%"}, ReturnChildren: true}}},
		{`LIST (REMOTE) "" "%" RETURN (CHILDREN)`, &Command{Name: "LIST", List: &List{Extended: true, Patterns: []string{"%"}, SelectRemote: true, ReturnChildren: true}}},
		{`LIST "" ("INBOX" "Drafts" "Sent/%")`, &Command{Name: "LIST", List: &List{Extended: true, Patterns: []string{"INBOX", "Drafts", "Sent/%"}}}},
		{`LIST (SUBSCRIBED RECURSIVEMATCH) "" "*" RETURN (STATUS (MESSAGES UNSEEN) SUBSCRIBED SPECIAL-USE)`, &Command{Name: "LIST", List: &List{Extended: true,
			Patterns: []string{"*"}, SelectSubscribed: true, SelectRecursive: true, ReturnSubscribed: true, ReturnSpecialUse: true, ReturnStatus: []string{"MESSAGES", "UNSEEN"}}}},
		{`LIST (SPECIAL-USE) "" "*" RETURN ()`, &Command{Name: "LIST", List: &List{Extended: true, Patterns: []string{"*"}, SelectSpecialUse: true}}}, // RFC 6154 §5.2
		{`LIST "" "&Jjo"`, &Command{Name: "LIST", List: &List{}}},                                                                                     // RFC 9051 §6.3.9: passed over
		{`LIST "" ("&Jjo" a "")`, &Command{Name: "LIST", List: &List{Extended: true, Patterns: []string{"a"}}}},                                       // RFC 5258 §3
		{`LIST () "a" ""`, &Command{Name: "LIST", List: &List{Extended: true, Reference: "a", Patterns: []string{}}}},
		{`LIST "&Jjo" ""`, nil},
		{`LIST (RECURSIVEMATCH) "" "*"`, nil}, // RFC 5258 §3.1
		{`LIST (FOO) "" "*"`, nil}, {`LIST "" "*" RETURN (FOO)`, nil}, {`LIST "" "*" (CHILDREN)`, nil}, {`LIST "" "*" RETURN`, nil},
		{`LIST "" ()`, nil}, {`LIST ""`, nil}, {`LIST "" "*" RETURN (STATUS)`, nil}, {`LIST % ""`, nil},
		{`LSUB "#news." "comp.%"`, &Command{Name: "LSUB", List: &List{Reference: "#news.", Patterns: []string{"comp.%"}}}}, // RFC 3501 §6.3.9
		{`LSUB "" ("a" "b")`, nil}, {`LSUB "" "a" RETURN ()`, nil},
	})
}

func TestMessages(t *testing.T) {
	check(t, []row{
		{"COPY 2:4 MEETING", &Command{Name: "COPY", Set: set("2:4"), Mailbox: "MEETING"}}, // RFC 9051 §6.4.7
		{"UID COPY 2:4,* inbox", &Command{Name: "COPY", UID: true, Set: set("2:4,*"), Mailbox: "INBOX"}},
		{"COPY $ x", &Command{Name: "COPY", Set: Set{Saved: true}, Mailbox: "x"}}, // RFC 5182 §2.1
		{"UID MOVE 42:69 foo", &Command{Name: "MOVE", UID: true, Set: set("42:69"), Mailbox: "foo"}},
		{"MOVE 0 foo", nil}, {"COPY 1", nil}, {"COPY 1 ", nil}, {"COPY x y", nil}, {"COPY 1:4294967296 y", nil},
		{"UID EXPUNGE 3000:3002", &Command{Name: "EXPUNGE", UID: true, Set: set("3000:3002")}}, // RFC 4315 §2.1
		{"UID EXPUNGE", nil}, {"EXPUNGE 1", nil},
		{`STORE 2:4 +FLAGS (\Deleted)`, &Command{Name: "STORE", Set: set("2:4"), Store: &Store{Op: '+', Flags: []string{`\Deleted`}}}}, // RFC 9051 §6.4.6
		{`uid store 1 -flags.silent (\SEEN $Junk)`, &Command{Name: "STORE", UID: true, Set: set("1"), Store: &Store{Op: '-', Silent: true, Flags: []string{`\Seen`, "$Junk"}}}},
		{`STORE 1 FLAGS ()`, &Command{Name: "STORE", Set: set("1"), Store: &Store{Flags: []string{}}}},
		{`STORE 1 FLAGS \Seen \Draft`, &Command{Name: "STORE", Set: set("1"), Store: &Store{Flags: []string{`\Seen`, `\Draft`}}}},
		{`STORE 7,5,9 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\Deleted)`, // RFC 7162 §3.1.3
			&Command{Name: "STORE", Set: set("5,7,9"), Store: &Store{Op: '+', Silent: true, Flags: []string{`\Deleted`}, Unchanged: true, UnchangedSince: 320162338}}},
		{`STORE 1 (UNCHANGEDSINCE 0) FLAGS (a)`, &Command{Name: "STORE", Set: set("1"), Store: &Store{Flags: []string{"a"}, Unchanged: true}}},
		{`STORE 1 FLAGS (\Recent)`, nil}, {`STORE 1 FLAGS (\*)`, nil}, {`STORE 1 FLAGS (\Foo)`, nil}, {`STORE 1 FLAGS (\)`, nil},
		{`STORE 1 FLAGS`, nil}, {`STORE 1 FLAGS `, nil}, {`STORE 1 *FLAGS (a)`, nil}, {`STORE 1 +-FLAGS (a)`, nil}, {`STORE 1 FLAGS (a b`, nil},
		{`STORE 1 FLAGS ("a")`, nil}, {`STORE 1 FLAGS (a  b)`, nil}, {`STORE 1 () FLAGS (a)`, nil}, {`STORE 1 (UNCHANGEDSINCE 9223372036854775808) FLAGS (a)`, nil},
	})
}

func TestDates(t *testing.T) {
	for _, c := range []struct {
		in   string
		want string // RFC 3339; empty: refused
	}{
		{" 7-Feb-1994 21:52:25 -0800", "1994-02-07T21:52:25-08:00"}, // RFC 9051 §6.3.12
		{"17-Jul-1996 02:44:25 -0700", "1996-07-17T02:44:25-07:00"},
		{"01-jan-2000 23:59:60 +0530", "2000-01-02T00:00:00+05:30"},
		{"29-Feb-2000 00:00:00 +0000", "2000-02-29T00:00:00Z"},
		{"29-Feb-1900 00:00:00 +0000", ""}, {"31-Apr-2000 00:00:00 +0000", ""}, {"00-Jan-2000 00:00:00 +0000", ""}, {"32-Jan-2000 00:00:00 +0000", ""},
		{"7-Feb-1994 21:52:25 -0800", ""}, {"17-Jul-1996 24:00:00 -0700", ""}, {"17-Jul-1996 02:60:00 -0700", ""}, {"17-Jul-1996 02:44:25 -0760", ""},
		{"17-Foo-1996 02:44:25 -0700", ""}, {"17-Jul-1996 02:44:25 07000", ""}, {"17-Jul-1996T02:44:25 -0700", ""}, {"", ""}, {"17-Jul-1996 +2:44:25 -0700", ""},
	} {
		got, ok := parseDateTime(c.in)
		if ok != (c.want != "") || ok && got.Format(time.RFC3339) != c.want {
			t.Errorf("parseDateTime(%q) = %v, %v; want %q", c.in, got, ok, c.want)
		}
	}
}

// TestTable: what the session trusts the table's flags for.
func TestTable(t *testing.T) {
	for name, s := range commands {
		_, uid := strings.CutPrefix(name, "UID ")
		if uid && s.flags&(UsesSeqs|NoExpunge) != 0 {
			t.Errorf("%s: uses sequence numbers", name)
		}
		if s.flags&NeedsMailbox != 0 && s.flags&NeedsLogin == 0 || s.flags&NeedsLogin != 0 && s.flags&BeforeLogin != 0 {
			t.Errorf("%s: flags contradict each other", name)
		}
		// RFC 9051 §7.5.1
		if got, want := s.flags&NoExpunge != 0, name == "FETCH" || name == "STORE" || name == "SEARCH"; got != want {
			t.Errorf("%s: NoExpunge %v; want %v", name, got, want)
		}
	}
	for _, in := range []string{"a FETCH 1 UID\r\n", "a UID FETCH 1 UID\r\n"} {
		cmd, err := newClient(in, true).Next()
		if err != nil || cmd.UID == (cmd.Flags&UsesSeqs != 0) {
			t.Errorf("%q = %+v, %v", in, cmd, err)
		}
	}
}

// TestClients: the kinds of commands that mbsync, offlineimap, getmail,
// fetchmail, neomutt, imapfilter, Thunderbird and imaplib send.
func TestClients(t *testing.T) {
	for _, line := range []string{
		"UID FETCH 1:2000 (UID FLAGS)", "UID FETCH 5 (BODY.PEEK[])", "FETCH 1:* (FLAGS UID INTERNALDATE)", "FETCH 1:20 (UID RFC822.SIZE)",
		"FETCH 1 RFC822.HEADER", "FETCH 1 BODY.PEEK[TEXT]", `STORE 1 +FLAGS (\Seen)`, `UID STORE 1,5:7 -FLAGS.SILENT (\Seen \Flagged)`,
		"ENABLE UTF8=ACCEPT", "ENABLE QRESYNC", `SELECT "INBOX" (QRESYNC (1 5))`, `LIST "" *`, `LSUB "" "*"`, `LIST "" "%"`,
		"FETCH 1:20 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM SENDER SUBJECT TO CC MESSAGE-ID REFERENCES CONTENT-TYPE CONTENT-DESCRIPTION IN-REPLY-TO REPLY-TO LINES LIST-POST X-LABEL)])",
		"UID SEARCH 1:* NOT DELETED", "UID SEARCH CHARSET US-ASCII ALL", `list (subscribed) "" "*" return (special-use)`, "UID fetch 1:* (FLAGS)",
		`UID FETCH 7 (BODY.PEEK[]<0.16384>)`, "UID EXPUNGE 7", `UID MOVE 7 "Trash"`, `STATUS "INBOX" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT HIGHESTMODSEQ)`,
		`UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 17)`, `UID SEARCH HEADER "Message-Id" "<a@b>"`, `UID SEARCH (UID 1:* SINCE 01-Jan-2020)`,
		`ID ("name" "Thunderbird" "version" "128.0")`, `CREATE "Sent" (USE (\Sent))`, `NAMESPACE`, `UID COPY 1:5 "Archive"`,
	} {
		if c, err := read(t, line); err != nil {
			t.Errorf("%q = %v, %v; want taken", line, c, err)
		}
	}
}
