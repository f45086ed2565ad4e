package imapsearch

import (
	"quill/internal/imap"
	"quill/internal/mailbox"
	"time"
)

type Env struct {
	Mailbox mailbox.Mailbox
	Recent  func(uint32) bool
	Saved   []imap.Range
	Now     time.Time
	Stop    func() bool
}
type S struct{}
type Result struct{}

func New(*imap.Search, Env) (*S, error)                    { return &S{}, nil }
func (*S) Run() (*Result, error)                           { return &Result{}, nil }
func (*Result) Saved() []imap.Range                        { return nil }
func (*Result) Write(*imap.Writer, *imap.Command, bool)    {}
