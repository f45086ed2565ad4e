// SPDX-License-Identifier: ISC

// Package mailbox is what an IMAP session needs of a user's mail: an Account of
// mailboxes, and of each what it holds. The engines read and change mail by
// these interfaces alone and know nothing of files; imapd(8) joins them to
// Maildirs.
//
// Names of mailboxes are UTF-8 with '.' between the levels; INBOX is spelled so.
package mailbox

import (
	"errors"
	"io"
	"time"

	"quill/internal/imap"
)

// Separator stands between the levels of a name.
const Separator = '.'

// Flags is the system flags of a message.
type Flags uint16

// The flags. Forwarded is a keyword to clients ($Forwarded, RFC 9051 §2.3.2),
// but has a place in a Maildir's file names.
const (
	Seen Flags = 1 << iota
	Answered
	Flagged
	Deleted
	Draft
	Forwarded
)

// Message is what is known of a message without opening it.
type Message struct {
	UID      uint32
	Flags    Flags
	New      bool   // no session has had it yet: \Recent (RFC 3501 §2.3.2)
	Keywords uint64 // bit n: the mailbox's keyword n
	ModSeq   uint64 // RFC 7162
	Size     int64  // bytes as it is kept
	Wire     int64  // bytes when each line ends in CRLF, RFC822.SIZE; 0: not known yet
	Date     int64  // INTERNALDATE, nanoseconds since 1970
}

// InternalDate is Date as a time, in the local zone.
func (m *Message) InternalDate() time.Time { return time.Unix(0, m.Date) }

// EventKind says what has happened to a message.
type EventKind uint8

// The kinds of events.
const (
	Added    EventKind = iota + 1
	Changed            // flags or keywords
	Expunged           // Seq is its number at that moment; those after it move up
	Reset              // nothing that was known of the mailbox holds: the session must end
)

// Event is a change between what a mailbox showed and what it shows.
type Event struct {
	Kind EventKind
	Seq  int
	UID  uint32
}

// Op is what a Store does with the flags and keywords it names.
type Op uint8

// The three kinds of STORE (RFC 3501 §6.4.6).
const (
	Replace Op = iota
	Add
	Remove
)

// Store is a change of flags and keywords.
type Store struct {
	Op        Op
	Flags     Flags
	Keywords  []string
	Unchanged *uint64 // only messages with no greater modseq (RFC 7162 §3.1.3); nil: all
}

// Copied says which messages a COPY, MOVE or APPEND made (RFC 4315 §3). Source
// and Target have the same length; messages that were gone are in neither.
type Copied struct {
	UIDValidity    uint32
	Source, Target []uint32
}

// What a client can be told by a response code.
var (
	ErrNoMailbox = errors.New("no such mailbox")                                // NONEXISTENT, TRYCREATE
	ErrExists    = errors.New("mailbox exists already")                         // ALREADYEXISTS
	ErrName      = errors.New("not a name that a mailbox can have")             // CANNOT
	ErrChildren  = errors.New("mailbox has others below it")                    // HASCHILDREN, as one that cannot be opened
	ErrNotOpen   = errors.New("not a mailbox that can be opened")               // NONEXISTENT: only others below it are there
	ErrUse       = errors.New("not a special use that is known here, or taken") // USEATTR, RFC 6154
	ErrKeywords  = errors.New("no room for another keyword")                    // LIMIT
	ErrQuota     = errors.New("mailbox is full")                                // OVERQUOTA
	ErrBusy      = errors.New("mailbox is in use by others")                    // INUSE
)

// Folder is a mailbox as LIST tells of it.
type Folder struct {
	Name     string
	NoSelect bool     // only a level above others: \NonExistent
	Children bool     // there are others below it
	Use      []string // \Sent … (RFC 6154)
}

// Status is what STATUS tells of a mailbox.
type Status struct {
	Messages, Recent, Unseen, Deleted int
	UIDNext, UIDValidity              uint32
	HighestModSeq                     uint64
	Size                              int64 // RFC 8438: of all messages, at least their RFC822.SIZE; only where it was asked for
	AppendLimit                       int64 // RFC 7889; 0: none
}

// Account is one user's mail. It is one session's, which calls it from one
// goroutine.
type Account interface {
	// Folders is all mailboxes, INBOX among them, and the levels above them, in
	// order of their names.
	Folders() ([]Folder, error)
	// Subscribed is the names subscribed to, in order; some may be of mailboxes
	// that do not exist (RFC 3501 §6.3.6).
	Subscribed() ([]string, error)
	Subscribe(name string, on bool) error
	// Create makes a mailbox, and those above it, with these special uses.
	Create(name string, use []string) error
	Delete(name string) error
	// Rename renames a mailbox and those below it. INBOX's messages move to the
	// new name, and it stays (RFC 3501 §6.3.5).
	Rename(from, to string) error
	// Status is a mailbox's figures; its Size only where size says so: it may take reading.
	Status(name string, size bool) (Status, error)
	// Open opens a mailbox for the session.
	Open(name string, readOnly bool) (Mailbox, error)
	// Append begins an APPEND of one or more messages, all or none of which will
	// be there (RFC 3502).
	Append(name string) (Appender, error)
	// AppendLimit is the bytes of a message that is taken (RFC 7889); 0: any.
	AppendLimit() int64
}

// Appending is a message of an APPEND.
type Appending struct {
	Flags    Flags
	Keywords []string
	Date     time.Time // zero: now
	Size     int64     // bytes as announced
}

// Appender takes the messages of an APPEND.
type Appender interface {
	// Add takes a message, which nobody sees yet.
	Add(m *Appending, r io.Reader) error
	// Commit returns when all are on disk; Target has their UIDs, or is empty
	// where others have taken one of them away already.
	Commit() (*Copied, error)
	// Abort drops what was not committed; after Commit it does nothing.
	Abort()
}

// Content is a message's bytes as they are kept: its lines may end in LF.
type Content interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Mailbox is a mailbox as one session sees it: sequence numbers, Len and Message
// change by Update alone.
type Mailbox interface {
	// Sync takes in what others have done. It is cheap where that is nothing.
	Sync() error
	// Update brings what is shown up to what is known. The events are: what was
	// expunged, in ascending order, then what has changed, then what was added.
	// Without expunges those that are gone stay, and can be read, until the next
	// Update with them.
	Update(expunges bool) []Event
	Len() int
	// Message tells of the message with this sequence number, from 1 to Len.
	Message(seq int, m *Message)
	// Opening is what SELECT tells of the messages: the UIDs of those that are New,
	// and the number of the first without Seen, 0 where all have it.
	Opening() (fresh []imap.Range, unseen int)
	// Seq is the sequence number of the message with this UID, or of the first
	// with a greater one (Len+1 where there is none); ok tells which.
	Seq(uid uint32) (seq int, ok bool)
	UIDValidity() uint32
	UIDNext() uint32
	// HighestModSeq is the mod-sequence up to which Update has told everything:
	// while messages are held, one before their expunge (RFC 7162 §3.2).
	HighestModSeq() uint64
	// Held tells whether messages are shown that are gone.
	Held() bool
	// Keywords is the names of the mailbox's keywords.
	Keywords() []string
	// Vanished is the UIDs expunged after modseq; known is false where that is
	// not remembered from so long ago.
	Vanished(modseq uint64) (uids []imap.Range, known bool)

	// Store returns when the change is on disk; modified is the UIDs that
	// Unchanged spared.
	Store(uids []uint32, st Store) (modified []uint32, err error)
	// Expunge deletes messages for good. One from which another session has just
	// taken Deleted may stay.
	Expunge(uids []uint32) error
	// Copy copies messages to another mailbox of the account: all of those that
	// are there, or none.
	Copy(uids []uint32, to string) (*Copied, error)
	// Move is Copy, after which they are no longer here.
	Move(uids []uint32, to string) (*Copied, error)

	Source

	// Seen says that the client has been told of all messages: they are New to
	// no later session.
	Settle() error
	// Watch has f called, from any goroutine, when there may be news, until stop
	// is called.
	Watch(f func()) (stop func(), err error)
	Close() error
}

// Source is the content of a mailbox's messages.
type Source interface {
	// Open opens a message; one that is gone gives an error that is
	// fs.ErrNotExist.
	Open(seq int) (Content, error)
	// Kept is what Keep was given for this message in any session (package
	// digest), or nil. It is good until the next call.
	Kept(seq int) []byte
	// Keep keeps a message's digest. It may be written later, or not at all.
	Keep(seq int, digest []byte)
}
