// SPDX-License-Identifier: ISC

package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// goMail is what a mailer might send; its parts' sizes follow from it.
const (
	goText   = "Gr=C3=BC=C3=9Fe aus der Vorlesung\r\nund noch eine Zeile\r\n"
	goBinary = "aGVsbG8gd29ybGQ=\r\n"
	goMail   = "Date: Fri, 27 Nov 2026 20:00:00 +0100\r\n" +
		"From: =?utf-8?q?J=C3=B6rg?= Watcher <netwatcher@testingsmtp.org>\r\n" +
		"Sender: <sendmemail@testingsmtp.org>\r\n" +
		"Reply-To: \"Reply, to me\" <netwatcher@testingsmtp.org>\r\n" +
		"To: sendmemail@testingsmtp.org,\r\n friends: a@testingsmtp.org, b@testingsmtp.org;\r\n" +
		"Cc: copy@testingsmtp.org (by the way)\r\n" +
		"Subject: =?utf-8?b?w5xiZXI=?= all\r\n" +
		"Message-ID: <one@testingsmtp.org>\r\n" +
		"In-Reply-To: <zero@testingsmtp.org>\r\n" +
		"MIME-Version: 1.0\r\n" +
		"Content-Type: multipart/mixed; boundary=\"=_x\"\r\n\r\n" +
		"--=_x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + goText + "\r\n" +
		"--=_x\r\nContent-Type: application/octet-stream; name=\"a.bin\"\r\nContent-Transfer-Encoding: base64\r\n" +
		"Content-Disposition: attachment; filename=\"a.bin\"\r\n\r\n" + goBinary + "\r\n--=_x--\r\n"
)

// goStory is a session of go-imap's client.
type goStory struct {
	t *testing.T
	c *imapclient.Client
}

// must ends the test where a command has failed.
func (s goStory) must(what string, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

// want compares.
func (s goStory) want(what string, got, want any) {
	s.t.Helper()
	if got, want := fmt.Sprint(got), fmt.Sprint(want); got != want {
		s.t.Errorf("%s: %q; want %q", what, got, want)
	}
}

// TestGoIMAP: go-imap's client, which reads strictly what it is sent, goes through
// a session.
func TestGoIMAP(t *testing.T) {
	home := imapHome(t)
	conn, cmd, err := spawnIMAPD(home, (*exec.Cmd).Start)
	if err != nil {
		t.Fatal(err)
	}
	news := make(chan uint32, 100)
	s := goStory{t, imapclient.New(conn, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				news <- *d.NumMessages
			}
		},
	}})}
	s.must("greeting", s.c.WaitGreeting())
	s.account()
	s.folders()
	validity := s.append()
	s.fetch()
	s.search()
	s.change(validity)
	s.idle(home, news)
	s.must("UNSELECT", s.c.Unselect().Wait())
	en, err := s.c.Enable(imap.CapIMAP4rev2, imap.CapUTF8Accept).Wait()
	s.must("ENABLE", err)
	s.want("ENABLE", en.Caps.Has(imap.CapIMAP4rev2), true)
	// Before ENABLE this client would send such a name as UTF-8 too, which only
	// IMAP4rev2 lets it.
	s.must("CREATE", s.c.Create("Größe", nil).Wait())
	box, err := s.c.Select("Größe", nil).Wait()
	s.must("SELECT after ENABLE", err)
	if box.List == nil || box.List.Mailbox != "Größe" {
		t.Errorf("SELECT of IMAP4rev2 tells LIST %+v", box.List)
	}
	s.must("LOGOUT", s.c.Logout().Wait())
	s.c.Close()
	s.must("imapd's end", cmd.Wait())
}

func (s goStory) account() {
	s.want("state", s.c.State(), imap.ConnStateAuthenticated)
	caps, err := s.c.Capability().Wait()
	s.must("CAPABILITY", err)
	for _, c := range []imap.Cap{imap.CapIMAP4rev1, imap.CapIMAP4rev2, imap.CapIdle, imap.CapMove, imap.CapUIDPlus, imap.CapCondStore, imap.CapESearch, imap.CapNamespace, imap.CapSpecialUse, imap.CapID} {
		s.want(string(c), caps.Has(c), true)
	}
	id, err := s.c.ID(&imap.IDData{Name: "go-imap"}).Wait()
	s.must("ID", err)
	s.want("ID", id.Name, "quill")
	ns, err := s.c.Namespace().Wait()
	s.must("NAMESPACE", err)
	s.want("NAMESPACE", *ns, imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Prefix: "", Delim: '.'}}})
	s.must("NOOP", s.c.Noop().Wait())
}

func (s goStory) folders() {
	for _, name := range []string{"Work", "Work.Old", "More & more"} {
		s.must("CREATE", s.c.Create(name, nil).Wait())
		s.must("SUBSCRIBE", s.c.Subscribe(name).Wait())
	}
	s.must("CREATE with a use", s.c.Create("Sent", &imap.CreateOptions{SpecialUse: []imap.MailboxAttr{imap.MailboxAttrSent}}).Wait())
	s.must("RENAME", s.c.Rename("Work.Old", "Work.New", nil).Wait())
	s.must("UNSUBSCRIBE", s.c.Unsubscribe("Work").Wait())
	all, err := s.c.List("", "*", &imap.ListOptions{ReturnSubscribed: true, ReturnChildren: true, ReturnSpecialUse: true,
		ReturnStatus: &imap.StatusOptions{NumMessages: true, UIDNext: true}}).Collect()
	s.must("LIST", err)
	var names []string
	for _, m := range all {
		names = append(names, m.Mailbox)
		s.want("delimiter", string(m.Delim), ".")
		s.want(m.Mailbox+" has children", slices.Contains(m.Attrs, imap.MailboxAttrHasChildren), m.Mailbox == "Work")
		s.want(m.Mailbox+" is for sent mail", slices.Contains(m.Attrs, imap.MailboxAttrSent), m.Mailbox == "Sent")
		if m.Status == nil || m.Status.NumMessages == nil || *m.Status.NumMessages != 0 {
			s.t.Errorf("LIST with STATUS of %s: %+v", m.Mailbox, m.Status)
		}
	}
	slices.Sort(names)
	s.want("LIST", names, []string{"INBOX", "More & more", "Sent", "Work", "Work.New"})
	s.must("DELETE", s.c.Delete("Work.New").Wait())
}

// append appends three messages, and gives INBOX's UIDVALIDITY.
func (s goStory) append() uint32 {
	var validity uint32
	for i := range 3 {
		text := []string{goMail, "Subject: second\r\n\r\nx\r\n", strings.Repeat("y: z\r\n", 1000) + "\r\n"}[i]
		a := s.c.Append("INBOX", int64(len(text)), &imap.AppendOptions{Flags: []imap.Flag{imap.FlagSeen, "$Label"}, Time: time.Unix(1e9, 0)})
		a.Write([]byte(text))
		s.must("APPEND", a.Close())
		got, err := a.Wait()
		s.must("APPEND", err)
		s.want("APPENDUID", got.UID, i+1)
		validity = got.UIDValidity
	}
	st, err := s.c.Status("INBOX", &imap.StatusOptions{NumMessages: true, UIDNext: true, UIDValidity: true, NumUnseen: true, HighestModSeq: true, Size: true}).Wait()
	s.must("STATUS", err)
	s.want("STATUS", []any{*st.NumMessages, st.UIDNext, st.UIDValidity, *st.NumUnseen}, []any{3, 4, validity, 0})
	box, err := s.c.Select("INBOX", &imap.SelectOptions{CondStore: true}).Wait()
	s.must("SELECT", err)
	s.want("SELECT", []any{box.NumMessages, box.UIDNext, box.UIDValidity, box.HighestModSeq}, []any{3, 4, validity, st.HighestModSeq})
	s.want("a flag of ours", slices.Contains(box.Flags, "$Label"), true)
	return validity
}

// fetch compares what the client makes of all items with the message.
func (s goStory) fetch() {
	text, part := &imap.FetchItemBodySection{Peek: true}, &imap.FetchItemBodySection{Part: []int{1}, Peek: true}
	file := &imap.FetchItemBinarySection{Part: []int{2}, Peek: true}
	msgs, err := s.c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{BodyStructure: &imap.FetchItemBodyStructure{Extended: true}, Envelope: true, Flags: true,
		InternalDate: true, RFC822Size: true, UID: true, ModSeq: true, BodySection: []*imap.FetchItemBodySection{text, part},
		BinarySection: []*imap.FetchItemBinarySection{file}, BinarySectionSize: []*imap.FetchItemBinarySectionSize{{Part: []int{2}}}}).Collect()
	s.must("FETCH", err)
	s.want("messages", len(msgs), 1)
	m := msgs[0]
	s.want("BODY[]", string(m.FindBodySection(text)), goMail)
	s.want("BODY[1]", string(m.FindBodySection(part)), goText)
	s.want("BINARY[2]", string(m.FindBinarySection(file)), "hello world")
	size, ok := m.FindBinarySectionSize([]int{2})
	s.want("BINARY.SIZE[2]", []any{size, ok}, []any{11, true})
	s.want("size, UID, date", []any{m.RFC822Size, m.UID, m.InternalDate.Unix()}, []any{len(goMail), 1, 1000000000})
	slices.Sort(m.Flags)
	s.want("FLAGS", m.Flags, []imap.Flag{"$Label", imap.FlagSeen})
	e := m.Envelope
	s.want("dates", e.Date.Unix(), time.Date(2026, 11, 27, 19, 0, 0, 0, time.UTC).Unix())
	s.want("words", []any{e.Subject, e.MessageID, e.InReplyTo}, []any{"Über all", "one@testingsmtp.org", []string{"zero@testingsmtp.org"}})
	mail := func(name, box string) imap.Address {
		return imap.Address{Name: name, Mailbox: box, Host: "testingsmtp.org"}
	}
	s.want("From", e.From, []imap.Address{mail("Jörg Watcher", "netwatcher")})
	s.want("Sender", e.Sender, []imap.Address{mail("", "sendmemail")})
	s.want("Reply-To", e.ReplyTo, []imap.Address{mail("Reply, to me", "netwatcher")})
	s.want("To", e.To, []imap.Address{mail("", "sendmemail"), {Mailbox: "friends"}, mail("", "a"), mail("", "b"), {}})
	s.want("Cc and Bcc", []any{e.Cc[0].Addr(), len(e.Bcc)}, []any{"copy@testingsmtp.org", 0})
	s.structure(m.BodyStructure)
}

func (s goStory) structure(b imap.BodyStructure) {
	multi, ok := b.(*imap.BodyStructureMultiPart)
	if !ok || len(multi.Children) != 2 {
		s.t.Fatalf("BODYSTRUCTURE: %+v", b)
	}
	s.want("multipart", []any{multi.Subtype, multi.Extended.Params}, []any{"mixed", map[string]string{"boundary": "=_x"}})
	text, file := multi.Children[0].(*imap.BodyStructureSinglePart), multi.Children[1].(*imap.BodyStructureSinglePart)
	s.want("text", []any{text.MediaType(), text.Params["charset"], strings.ToLower(text.Encoding), text.Size, text.Text.NumLines},
		[]any{"text/plain", "utf-8", "quoted-printable", len(goText), 2})
	s.want("file", []any{file.MediaType(), file.Params["name"], strings.ToLower(file.Encoding), file.Size, file.Filename()},
		[]any{"application/octet-stream", "a.bin", "base64", len(goBinary), "a.bin"})
	s.want("disposition", strings.ToLower(file.Disposition().Value), "attachment")
}

func (s goStory) search() {
	for _, c := range []struct {
		what string
		key  imap.SearchCriteria
		want string
	}{
		{"a subject", imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: "über"}}}, "1"},
		{"a text", imap.SearchCriteria{Body: []string{"Vorlesung"}}, "1"},
		{"not a text", imap.SearchCriteria{Not: []imap.SearchCriteria{{Text: []string{"VORLESUNG"}}}}, "2:3"},
		{"a flag and a size", imap.SearchCriteria{Flag: []imap.Flag{"$Label"}, Smaller: 100}, "2"},
		{"either", imap.SearchCriteria{Or: [][2]imap.SearchCriteria{{{UID: []imap.UIDSet{imap.UIDSetNum(3)}}, {Larger: 5000}}}}, "3"},
		{"a day", imap.SearchCriteria{Since: time.Unix(1e9+86400*3, 0)}, ""},
	} {
		got, err := s.c.UIDSearch(&c.key, &imap.SearchOptions{ReturnAll: true, ReturnCount: true, ReturnMax: true, ReturnMin: true}).Wait()
		s.must("SEARCH for "+c.what, err)
		all := ""
		if got.All != nil {
			all = got.All.String()
		}
		s.want("SEARCH for "+c.what, all, c.want)
		plain, err := s.c.UIDSearch(&c.key, nil).Wait()
		s.must("SEARCH for "+c.what, err)
		s.want("ESEARCH and SEARCH count", got.Count, len(plain.AllUIDs()))
	}
}

// change stores, copies, moves and expunges.
func (s goStory) change(validity uint32) {
	msgs, err := s.c.Store(imap.SeqSetNum(1, 2), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagFlagged}}, nil).Collect()
	s.must("STORE", err)
	s.want("STORE tells of", len(msgs), 2)
	s.want("STORE", slices.Contains(msgs[0].Flags, imap.FlagFlagged), true)
	msgs, err = s.c.Store(imap.SeqSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsDel, Flags: []imap.Flag{imap.FlagSeen}}, &imap.StoreOptions{UnchangedSince: 1}).Collect()
	s.must("conditional STORE", err)
	for _, m := range msgs {
		s.want("a message spared is seen", slices.Contains(m.Flags, imap.FlagSeen), true)
	}
	got, err := s.c.Copy(imap.UIDSetNum(1, 3), "Work").Wait()
	s.must("COPY", err)
	s.want("COPYUID", []any{got.SourceUIDs.String(), got.DestUIDs.String(), got.UIDValidity != validity}, []any{"1,3", "1:2", true})
	moved, err := s.c.Move(imap.UIDSetNum(2), "More & more").Wait()
	s.must("MOVE", err)
	s.want("MOVE", []any{moved.SourceUIDs.String(), moved.DestUIDs.String()}, []any{"2", "1"})
	s.must("STORE", s.c.Store(imap.UIDSetNum(3), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close())
	gone, err := s.c.UIDExpunge(imap.UIDSetNum(1, 3)).Collect()
	s.must("UID EXPUNGE", err)
	s.want("EXPUNGE", gone, []uint32{2})
	_, err = s.c.Copy(imap.UIDSetNum(1), "None").Wait()
	if e, ok := err.(*imap.Error); !ok || e.Type != imap.StatusResponseTypeNo || e.Code != imap.ResponseCodeTryCreate {
		s.t.Errorf("COPY to nowhere: %v; want NO [TRYCREATE]", err)
	}
}

// idle waits for a message that is delivered meanwhile.
func (s goStory) idle(home string, news chan uint32) {
	idle, err := s.c.Idle()
	s.must("IDLE", err)
	for len(news) > 0 {
		<-news
	}
	tmp := filepath.Join(home, "Maildir/tmp/1700000000.a.h")
	s.must("delivery", os.WriteFile(tmp, []byte("Subject: while idle\n\nx\n"), 0o644))
	s.must("delivery", os.Rename(tmp, filepath.Join(home, "Maildir/new/1700000000.a.h")))
	select {
	case n := <-news:
		s.want("EXISTS", n, 2)
	case <-time.After(20 * time.Second):
		s.t.Error("IDLE tells of no new message within 20 s")
	}
	s.must("DONE", idle.Close())
	s.must("IDLE", idle.Wait())
	msgs, err := s.c.Fetch(imap.SeqSetNum(2), &imap.FetchOptions{Envelope: true}).Collect()
	s.must("FETCH", err)
	s.want("what came", msgs[0].Envelope.Subject, "while idle")
}
