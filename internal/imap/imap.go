// SPDX-License-Identifier: ISC

// Package imap is the language of IMAP (RFC 3501, RFC 9051 and extensions)
// without a session: a Reader makes Commands of a client's bytes, a Writer
// makes a server's lines of values, a Matcher is a pattern of LIST.
//
// What a client can make the package hold is bounded by the constants below,
// before login more tightly; reading takes time linear in the bytes read. A
// message that is appended is never held: it is handed on as a reader.
package imap

import "fmt"

// Limits on what a client may send.
const (
	lineBefore    = 8 << 10  // bytes of a command before login, literals apart
	lineAfter     = 64 << 10 // and after it
	literalBefore = 1 << 10  // bytes of all literals of a command before login
	literalAfter  = 64 << 10 // and after it; messages are not counted
	skipBefore    = 1 << 10  // a {n+} larger than this is not skipped, before login
	skipAfter     = 64 << 20 // and after it: the connection ends
	overBefore    = 64 << 10 // a line longer than this ends the connection, before login
	overAfter     = 2 << 20  // and after it

	literalMinus = 4096 // a {n+} under LITERAL-, RFC 7888 §5

	maxTag      = 128
	maxMailbox  = 1024 // bytes of a mailbox name, decoded or not
	maxKeyword  = 128  // bytes of a flag
	maxFlags    = 128  // flags in a list
	maxItems    = 1024 // members of any other list
	maxArgs     = 8192 // tokens of a command
	maxPatterns = 64   // of a LIST: each is held against each folder
	maxPattern  = 8192 // bytes of them all, with the reference before each
	maxDepth    = 50   // parentheses, NOT and OR within each other
	maxKeys     = 1024 // search keys of a command
	maxRanges   = 10000
	maxParts    = 100 // numbers of a section: BODY[1.2.3]
	maxID       = 30  // pairs of ID, RFC 2971 §3.3
	maxIDField  = 30
	maxIDValue  = 1024
	maxMessages = 1000 // of one APPEND
	maxSkips    = 1000 // literals of a bad command that are skipped
)

// Error says why a command is refused. The connection goes on with the next
// line unless Close is set.
type Error struct {
	Tag    string // the command's, empty where it had none: answer with *
	Status string // BAD or NO
	Code   string // response code without brackets, or empty
	Text   string // for the client; holds nothing that the client sent
	Close  bool   // the reader no longer knows where the next command begins: say BYE
}

func (e *Error) Error() string {
	if e.Code != "" {
		return fmt.Sprintf("%s [%s] %s", e.Status, e.Code, e.Text)
	}
	return e.Status + " " + e.Text
}

func bad(text string) *Error { return &Error{Status: "BAD", Text: text} }

// Flags of the command table say when a command may come and what may run
// beside it.
type Flags uint8

const (
	NeedsLogin   Flags = 1 << iota // only after login
	BeforeLogin                    // only before login
	NeedsMailbox                   // only with a mailbox selected
	UsesSeqs                       // names messages by sequence number: what they are must be settled before an EXPUNGE is sent
	NoExpunge                      // no EXPUNGE may be sent while it runs, RFC 9051 §7.5.1
	MayPipeline                    // the next command may be begun before this one's answer is flushed
)

// Command is one command of a client. Which fields are set follows from Name.
type Command struct {
	Tag   string
	Name  string // in capitals, without UID
	UID   bool   // the UID form: Set and answers are UIDs
	Flags Flags

	Mailbox string   // UTF-8, see DecodeMailbox; APPEND, SELECT, CREATE, COPY …
	NewName string   // RENAME
	Use     []string // CREATE's special uses, RFC 6154

	User, Password string // LOGIN
	Mechanism      string // AUTHENTICATE, in capitals
	Initial        []byte // AUTHENTICATE's first response, decoded; nil without one, RFC 4959

	ID     []Pair   // ID; nil for NIL
	Enable []string // ENABLE, in capitals

	Select *Select // parameters of SELECT and EXAMINE; nil without any
	List   *List   // LIST and LSUB
	Status []string

	Set    Set // FETCH, STORE, COPY, MOVE, UID EXPUNGE
	Search *Search
	Fetch  *Fetch
	Store  *Store
}

// Pair is one of ID's. Nil says that the value was NIL.
type Pair struct {
	Field, Value string
	Nil          bool
}
