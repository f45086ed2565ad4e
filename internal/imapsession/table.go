// SPDX-License-Identifier: ISC

package imapsession

import (
	"slices"
	"strings"

	"quill/internal/imap"
	"quill/internal/mailbox"
)

// Capabilities is what a session offers, for CAPABILITY and the answer to the
// login.
const Capabilities = "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE UIDPLUS UNSELECT CHILDREN MOVE" +
	" SPECIAL-USE CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS ESEARCH SEARCHRES STATUS=SIZE BINARY UTF8=ACCEPT" +
	" APPENDLIMIT MULTIAPPEND WITHIN CONDSTORE QRESYNC"

// commands by name; those of before the login are not here. Each gives the code
// and text of its OK.
var commands = map[string]func(*session, *imap.Command) (code, text string, err error){
	"CAPABILITY": (*session).doCapability, "NOOP": (*session).doNoop, "LOGOUT": (*session).doLogout, "ID": (*session).doID,
	"ENABLE": (*session).doEnable, "NAMESPACE": (*session).doNamespace,
	"SELECT": (*session).doSelect, "EXAMINE": (*session).doSelect, "CLOSE": (*session).doClose, "UNSELECT": (*session).doClose,
	"CREATE": (*session).doCreate, "DELETE": (*session).doDelete, "RENAME": (*session).doRename,
	"SUBSCRIBE": (*session).doSubscribe, "UNSUBSCRIBE": (*session).doSubscribe,
	"LIST": (*session).doList, "LSUB": (*session).doLsub, "STATUS": (*session).doStatus,
	"APPEND": (*session).doAppend, "IDLE": (*session).doIdle, "CHECK": (*session).doNoop,
	"EXPUNGE": (*session).doExpunge, "SEARCH": (*session).doSearch, "FETCH": (*session).doFetch, "STORE": (*session).doStore,
	"COPY": (*session).doCopy, "MOVE": (*session).doMove,
}

func (s *session) doCapability(*imap.Command) (string, string, error) {
	s.w.Untagged("CAPABILITY " + Capabilities).End()
	return "", "", nil
}

// doNoop: what is new is told after every command.
func (s *session) doNoop(*imap.Command) (string, string, error) { return "", "", nil }

func (s *session) doLogout(*imap.Command) (string, string, error) {
	s.unselect()
	s.w.Status("", "BYE", "", "good bye")
	s.end = true
	return "", "", nil
}

func (s *session) doID(*imap.Command) (string, string, error) {
	s.w.Untagged(`ID ("name" "quill")`).End()
	return "", "", nil
}

// doEnable: RFC 9051 §6.3.1, RFC 7162 §3.2.3, RFC 6855 §3.
func (s *session) doEnable(c *imap.Command) (string, string, error) {
	var on []string
	had := s.condstore
	for _, name := range c.Enable {
		var flag *bool
		switch name {
		case "IMAP4REV2":
			flag, name = &s.rev2, "IMAP4rev2"
		case "UTF8=ACCEPT":
			flag = &s.utf8
		case "CONDSTORE":
			flag = &s.condstore
		case "QRESYNC":
			flag = &s.qresync
		default:
			continue
		}
		if !*flag {
			*flag = true
			on = append(on, name)
		}
	}
	if s.condstore = had; s.qresync || slices.Contains(on, "CONDSTORE") {
		s.wantModSeq()
	}
	s.r.UTF8, s.w.UTF8 = s.rev2 || s.utf8, s.rev2 || s.utf8
	s.w.Untagged(strings.TrimRight("ENABLED "+strings.Join(on, " "), " ")).End()
	return "", "", nil
}

// doNamespace: RFC 2342.
func (s *session) doNamespace(*imap.Command) (string, string, error) {
	s.w.Untagged(`NAMESPACE (("" "` + string(mailbox.Separator) + `")) NIL NIL`).End()
	return "", "", nil
}

// wantModSeq turns mod-sequences on when a command asks for them (RFC 7162
// §3.1).
func (s *session) wantModSeq() {
	if s.condstore {
		return
	}
	s.condstore = true
	if s.box != nil {
		s.w.Untagged("OK [HIGHESTMODSEQ ").Number(s.box.HighestModSeq()).Raw("] told from now on").End()
	}
}
