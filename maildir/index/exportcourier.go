// SPDX-License-Identifier: ISC

package index

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"quill/maildir"
)

// courierLock is what Courier makes while it changes a folder.
const courierLock = "tmp/courier.lock"

// ExportCourier gives the folder m back to Courier, as Export does to Dovecot:
// courierimapuiddb and courierimapkeywords/:list say what the index does, all
// files are in cur/, since Courier gives those in new/ new UIDs, and what Dovecot
// kept is deleted. $Forwarded is a keyword there. A file whose name has a newline
// cannot be listed.
func ExportCourier(m *maildir.Maildir, opt Options) (Exported, error) {
	return exportBy(m, opt, (*Index).exportCourier)
}

func (x *Index) exportCourier() (lost []string, err error) {
	if err := x.unlocked(courierLock, "Courier"); err != nil {
		return nil, err
	}
	if err := x.spell(courierName); err != nil {
		return nil, err
	}
	if err := x.giveWords(); err != nil {
		return nil, err
	}
	text, lost := x.s.courierText()
	if err := replace(x.m.Fd(), courierList+".tmp", courierList, text); err != nil {
		return nil, err
	}
	return lost, x.giveUp(dovecotList, dovecotKeywords)
}

// courierName is the name of a message's file with flags. Keywords have no letters
// there, nor has $Forwarded.
func courierName(m *Message) string {
	flags := slices.DeleteFunc(maildir.Flags(flagName(m.Name, m.Flags&^Passed)), func(c maildir.Flag) bool { return c >= 'a' })
	return maildir.WithFlags(m.Name, flags)
}

// listed tells whether the message's file can stand in a line.
func listed(m *Message) bool { return !strings.Contains(m.Key(), "\n") }

// courierText is courierimapuiddb.
func (s *state) courierText() (text []byte, lost []string) {
	text = fmt.Appendf(nil, "1 %d %d\n", s.valid, s.next)
	for i := range s.msgs {
		m := s.msgs[i]
		if !listed(m) {
			lost = append(lost, fmt.Sprintf("UID %d: its file's name %q has a newline", m.UID, m.Name))
			continue
		}
		text = fmt.Appendf(text, "%d %s\n", m.UID, m.Key())
	}
	return text, lost
}

// wordsText is courierimapkeywords/:list; nil where no message has a keyword.
func (s *state) wordsText() []byte {
	var head, body bytes.Buffer
	names := 0
	var number [KeywordsMax]int // 0: none yet
	passed := 0
	numberOf := func(n *int, name string) int {
		if *n == 0 {
			names++
			*n = names
			head.WriteString(name + "\n")
		}
		return *n - 1
	}
	for i := range s.msgs {
		m := s.msgs[i]
		if m.Flags&Passed == 0 && m.Keywords == 0 || !listed(m) {
			continue
		}
		body.WriteString(m.Key())
		sep := byte(':')
		put := func(n int) {
			fmt.Fprintf(&body, "%c%d", sep, n)
			sep = ' '
		}
		if m.Flags&Passed != 0 {
			put(numberOf(&passed, forwarded))
		}
		for set := m.Keywords; set != 0; set &= set - 1 {
			n := bits.TrailingZeros64(set)
			put(numberOf(&number[n], s.keywords[n]))
		}
		body.WriteByte('\n')
	}
	if names == 0 {
		return nil
	}
	return slices.Concat(head.Bytes(), []byte("\n"), body.Bytes())
}

// giveWords writes the keywords. The files of single messages, which count more
// than the list, are old and are deleted.
func (x *Index) giveWords() error {
	text := x.s.wordsText()
	if text == nil {
		return x.clearCourier("")
	}
	dir := x.m.Fd()
	if err := unix.Mkdirat(dir, courierKeywords, 0o700); err == nil {
		if err := maildir.SyncFolder(dir); err != nil {
			return err
		}
	} else if err != unix.EEXIST {
		return &os.PathError{Op: "mkdir", Path: courierKeywords, Err: err}
	}
	words, err := openWords(dir)
	if err != nil {
		return err
	}
	defer unix.Close(words)
	if err := replace(words, courierAll+".tmp", courierAll, text); err != nil {
		return err
	}
	return x.clearCourier(courierAll)
}

func openWords(dir int) (int, error) {
	fd, err := unix.Openat(dir, courierKeywords, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: courierKeywords, Err: err}
	}
	return fd, nil
}

// clearCourier deletes Courier's files of keywords, but for the one named.
func (x *Index) clearCourier(but string) error {
	dir, err := openWords(x.m.Fd())
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil // none that counts
	}
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	names, err := namesIn(dir, ".", -1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == but {
			continue
		}
		if err := unix.Unlinkat(dir, name, 0); err != nil && err != unix.ENOENT && err != unix.EISDIR {
			return &os.PathError{Op: "delete", Path: courierKeywords + "/" + name, Err: err}
		}
	}
	return maildir.SyncFolder(dir)
}
