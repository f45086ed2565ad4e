// SPDX-License-Identifier: ISC

package imapfetch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"quill/internal/digest"
	"quill/internal/imap"
	"quill/internal/mailbox"
)

// box is a mailbox in memory; of its first message the number is 1.
type box struct {
	messages []string
	kept     map[int][]byte
	opened   int
	closed   int
	read     int64 // bytes
	cut      int64 // how much of each message can be read; 0: all
}

func newBox(messages ...string) *box { return &box{messages: messages, kept: map[int][]byte{}} }

type content struct {
	io.ReaderAt
	b    *box
	size int64
}

func (c *content) Size() int64  { return c.size }
func (c *content) Close() error { c.b.closed++; return nil }
func (c *content) ReadAt(b []byte, at int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(b, at)
	c.b.read += int64(n)
	return n, err
}

func (b *box) Open(seq int) (mailbox.Content, error) {
	text := b.messages[seq-1]
	if text == "gone" {
		return nil, fmt.Errorf("opening message %d: %w", seq, fs.ErrNotExist)
	}
	b.opened++
	size := int64(len(text))
	if b.cut > 0 {
		text = text[:b.cut]
	}
	return &content{strings.NewReader(text), b, size}, nil
}
func (b *box) Kept(seq int) []byte         { return b.kept[seq] }
func (b *box) Keep(seq int, digest []byte) { b.kept[seq] = digest }
func (b *box) message(seq int) *mailbox.Message {
	text := b.messages[seq-1]
	return &mailbox.Message{UID: uint32(seq), Size: int64(len(text)), Wire: int64(len(crlf(text)))}
}

// crlf is a text in CRLF form, made in another way than the package does.
func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

// items reads what a client asks for.
func items(t testing.TB, s string) []imap.Item {
	t.Helper()
	r := imap.NewReader(strings.NewReader("a FETCH 1 "+s+"\r\n"), func(string) error { return nil })
	r.LoggedIn = true
	c, err := r.Next()
	if err != nil {
		t.Fatalf("FETCH 1 %s: %v", s, err)
	}
	return c.Fetch.Items
}

// fetch is what is written of a message.
func (b *box) fetch(t testing.TB, seq int, ask string, cache *Cache) (string, error) {
	t.Helper()
	var out bytes.Buffer
	w := imap.NewWriter(&out)
	err := New(w, b, items(t, ask), Options{Cache: cache}).Message(seq, b.message(seq), false)
	if e := w.Flush(); e != nil && err == nil {
		t.Fatal(e)
	}
	return out.String(), err
}

var _ = errors.Is
var _ = digest.Max

func TestX(t *testing.T) {
	b := newBox("Subject: x\nFrom: a@b\n\nhello\nworld\x00\n")
	for _, ask := range []string{"FULL", "(BODY[] UID BODY.PEEK[HEADER.FIELDS (subject)] BODY[1]<3.4> BINARY[1] BINARY.SIZE[1] BODY[TEXT] RFC822.HEADER BODY[HEADER.FIELDS (x-foo)] BODY[HEADER.FIELDS.NOT (subject)] BODY[2])"} {
		var c Cache
		s, err := b.fetch(t, 1, ask, &c)
		t.Logf("%q %v", s, err)
	}
}
