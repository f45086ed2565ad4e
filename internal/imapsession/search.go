// SPDX-License-Identifier: ISC

package imapsession

import (
	"errors"
	"math/bits"
	"slices"
	"strconv"
	"time"

	"quill/internal/imap"
	"quill/internal/imapsearch"
)

// doSearch: RFC 9051 §6.4.4, RFC 5182. A search that was to be saved and fails
// saves that nothing was found.
func (s *session) doSearch(c *imap.Command) (string, string, error) {
	if c.Search.Charset != "" && s.utf8 { // RFC 6855 §3
		return "", "", wrong("no CHARSET after ENABLE UTF8=ACCEPT")
	}
	if err := s.flush(); err != nil { // for a client that is gone none of those that it has sent is done
		return "", "", connError{err}
	}
	if c.Search.ModSeq {
		s.wantModSeq()
	}
	saved := s.saved
	if c.Search.Save {
		s.saved = nil
	}
	end := time.Now().Add(searchTime)
	q, err := imapsearch.New(c.Search, imapsearch.Env{
		Box:    s.box,
		Recent: func(uid uint32) bool { return inRanges(s.recent, uid) },
		Saved:  saved,
		Now:    time.Now(),
		Stop:   func() bool { return time.Now().After(end) },
	})
	if err != nil {
		return "", "", searchError(err)
	}
	got, err := q.Run()
	if err != nil {
		return "", "", searchError(err)
	}
	if c.Search.Save {
		s.saved = got.Saved()
	}
	got.Write(s.w, c, s.rev2)
	return "", "", nil
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

func ones(b uint64) int { return bits.OnesCount64(b) }

// toRanges gathers UIDs, in any order, into ranges in order.
func toRanges(uids []uint32) (rs []imap.Range) {
	uids = slices.Clone(uids)
	slices.Sort(uids)
	for _, u := range uids {
		rs = with(rs, u)
	}
	return rs
}

// searchError is how a search that cannot be done is told (RFC 9051 §7.1).
func searchError(err error) error {
	switch {
	case errors.Is(err, imapsearch.ErrCharset):
		return no("BADCHARSET ("+imapsearch.Charsets+")", "the charset is not known here")
	case errors.Is(err, imapsearch.ErrStopped):
		return no("LIMIT", "the search took too long; ask for less at once")
	}
	return err
}
