// SPDX-License-Identifier: ISC

package imapsearch

import (
	"testing"

	"quill/internal/imap"
	"quill/internal/mailbox"
	"quill/internal/mailbox/mailboxtest"
)

// TestAnswers: the forms of RFC 3501 §7.2.5, RFC 4731 §3, RFC 5182 §2 and RFC 7162
// §3.1.5. UIDs are numbers plus one; modseqs of 2, 4, 5 and 7 are 3, 9, 6 and 8.
func TestAnswers(t *testing.T) {
	m := mailboxtest.New()
	m.Deliver("INBOX", make([]mailboxtest.Message, 8)...)
	box, err := m.Account().Open("INBOX", false)
	if err != nil {
		t.Fatal(err)
	}
	store := func(flags mailbox.Flags, uids ...uint32) {
		if _, err := box.Store(uids, mailbox.Store{Flags: flags}); err != nil {
			t.Fatal(err)
		}
	}
	if err := box.Expunge([]uint32{1}); err != nil {
		t.Fatal(err)
	}
	for _, uid := range []uint32{3, 6, 8, 5} {
		store(mailbox.Flagged, uid)
	}
	e := env(t, m)
	for _, c := range []struct {
		line, want, saved string
		rev2              bool
	}{
		{line: "SEARCH FLAGGED", want: "* SEARCH 2 4 5 7\r\n"},
		{line: "UID SEARCH FLAGGED", want: "* SEARCH 3 5 6 8\r\n"},
		{line: "SEARCH SEEN", want: "* SEARCH\r\n"},
		{line: "SEARCH FLAGGED MODSEQ 1", want: "* SEARCH 2 4 5 7 (MODSEQ 14)\r\n"},
		{line: "SEARCH SEEN MODSEQ 1", want: "* SEARCH\r\n"},
		{line: "SEARCH FLAGGED", want: "* ESEARCH (TAG \"A1\") ALL 2,4:5,7\r\n", rev2: true},
		{line: "UID SEARCH FLAGGED MODSEQ 1", want: "* ESEARCH (TAG \"A1\") UID ALL 3,5:6,8 MODSEQ 14\r\n", rev2: true},
		{line: "SEARCH SEEN", want: "* ESEARCH (TAG \"A1\")\r\n", rev2: true},
		{line: "UID SEARCH SEEN", want: "* ESEARCH (TAG \"A1\") UID\r\n", rev2: true},
		{line: "SEARCH RETURN () FLAGGED", want: "* ESEARCH (TAG \"A1\") ALL 2,4:5,7\r\n"},
		{line: "SEARCH RETURN (MIN COUNT) FLAGGED", want: "* ESEARCH (TAG \"A1\") MIN 2 COUNT 4\r\n"},
		{line: "UID SEARCH RETURN (MIN MAX) FLAGGED", want: "* ESEARCH (TAG \"A1\") UID MIN 3 MAX 8\r\n"},
		{line: "SEARCH RETURN (MIN MAX COUNT ALL) SEEN", want: "* ESEARCH (TAG \"A1\") COUNT 0\r\n"},
		{line: "SEARCH RETURN (MIN) SEEN MODSEQ 1", want: "* ESEARCH (TAG \"A1\")\r\n"},
		{line: "SEARCH RETURN (MIN) FLAGGED MODSEQ 1", want: "* ESEARCH (TAG \"A1\") MIN 2 MODSEQ 11\r\n"},
		{line: "SEARCH RETURN (MAX) FLAGGED MODSEQ 1", want: "* ESEARCH (TAG \"A1\") MAX 7 MODSEQ 13\r\n"},
		{line: "SEARCH RETURN (MIN MAX) FLAGGED MODSEQ 1", want: "* ESEARCH (TAG \"A1\") MIN 2 MAX 7 MODSEQ 13\r\n"},
		{line: "SEARCH RETURN (MIN COUNT) FLAGGED MODSEQ 1", want: "* ESEARCH (TAG \"A1\") MIN 2 COUNT 4 MODSEQ 14\r\n"},
		{line: "SEARCH RETURN (SAVE) FLAGGED", want: "", saved: "3,5:6,8"},
		{line: "SEARCH RETURN (SAVE MIN) FLAGGED", want: "* ESEARCH (TAG \"A1\") MIN 2\r\n", saved: "3"},
		{line: "SEARCH RETURN (SAVE MAX MIN) FLAGGED", want: "* ESEARCH (TAG \"A1\") MIN 2 MAX 7\r\n", saved: "3,8"},
		{line: "SEARCH RETURN (SAVE MAX COUNT) FLAGGED", want: "* ESEARCH (TAG \"A1\") MAX 7 COUNT 4\r\n", saved: "3,5:6,8"},
		{line: "SEARCH RETURN (SAVE MAX) SEEN", want: "* ESEARCH (TAG \"A1\")\r\n"},
	} {
		r, got := run(t, e, c.line, c.rev2)
		if got != c.want {
			t.Errorf("%s = %q; want %q", c.line, got, c.want)
		}
		if saved := string(imap.AppendRanges(nil, r.Saved())); read(t, c.line).Search.Save && saved != c.saved {
			t.Errorf("%s saves %q; want %q", c.line, saved, c.saved)
		}
	}
}
