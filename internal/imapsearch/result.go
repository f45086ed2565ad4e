// SPDX-License-Identifier: ISC

package imapsearch

import (
	"quill/internal/imap"
	"quill/internal/mailbox"
)

// Result is what a SEARCH found.
type Result struct {
	Seqs, UIDs []imap.Range // of the same messages, in order
	Count      int
	// ModSeq is the highest of those that RFC 4731 §3.2 says: of all found, or
	// where the client asked for MIN and MAX alone, of these. 0: none.
	ModSeq uint64

	search      *imap.Search
	first, last uint64 // modseqs
	seqs, uids  ranges
}

func (r *Result) add(seq int, m *mailbox.Message) {
	r.seqs.add(uint32(seq))
	r.uids.add(m.UID)
	if r.Count++; r.Count == 1 {
		r.first = m.ModSeq
	}
	r.last, r.ModSeq = m.ModSeq, max(r.ModSeq, m.ModSeq)
}

// ranges gathers ascending numbers.
type ranges struct {
	done []imap.Range
	last imap.Range // being gathered; from 0: none
}

func (r *ranges) add(n uint32) {
	switch {
	case r.last.Lo == 0:
		r.last.Lo = n
	case n != r.last.Hi+1:
		r.done = append(r.done, r.last)
		r.last.Lo = n
	}
	r.last.Hi = n
}

func (r *ranges) all() []imap.Range {
	if r.last.Lo > 0 {
		return append(r.done, r.last)
	}
	return r.done
}

// settle makes the answer of what was gathered.
func (r *Result) settle() {
	r.Seqs, r.UIDs = r.seqs.all(), r.uids.all()
	if s := r.search; ends(s) {
		r.ModSeq = 0
		if s.Min {
			r.ModSeq = r.first
		}
		if s.Max {
			r.ModSeq = max(r.ModSeq, r.last)
		}
	}
}

// ends says whether the client asked for the first and the last message alone.
func ends(s *imap.Search) bool { return s.Extended && (s.Min || s.Max) && !s.All && !s.Count }

// Saved is the UIDs that are $ after a search with SAVE (RFC 5182 §2.4).
func (r *Result) Saved() []imap.Range {
	if !ends(r.search) || r.Count == 0 {
		return r.UIDs
	}
	var out []imap.Range
	if lo := r.UIDs[0].Lo; r.search.Min {
		out = append(out, imap.Range{Lo: lo, Hi: lo})
	}
	if hi := r.UIDs[len(r.UIDs)-1].Hi; r.search.Max {
		out = append(out, imap.Range{Lo: hi, Hi: hi})
	}
	return imap.Normal(out)
}

// Write writes the answer to SEARCH or UID SEARCH: ESEARCH where the client gave
// RETURN or, with rev2, has enabled IMAP4rev2; else SEARCH. To RETURN (SAVE)
// alone there is none (RFC 5182 §1).
func (r *Result) Write(w *imap.Writer, c *imap.Command, rev2 bool) {
	found := r.Seqs
	if c.UID {
		found = r.UIDs
	}
	if s := c.Search; s.Extended || rev2 {
		if !s.Extended || s.Min || s.Max || s.All || s.Count {
			r.writeExtended(w, c, found)
		}
		return
	}
	w.Untagged("SEARCH")
	for _, x := range found {
		for n := uint64(x.Lo); n <= uint64(x.Hi); n++ {
			w.Raw(" ").Number(n)
		}
	}
	if c.Search.ModSeq && r.Count > 0 { // RFC 7162 §3.1.5
		w.Raw(" (MODSEQ ").Number(r.ModSeq).Raw(")")
	}
	w.End()
}

// writeExtended: RFC 4731 §3.1, RFC 9051 §7.3.4. Of nothing only the count is
// told.
func (r *Result) writeExtended(w *imap.Writer, c *imap.Command, found []imap.Range) {
	s := c.Search
	w.Untagged("ESEARCH (TAG ").String(c.Tag).Raw(")")
	if c.UID {
		w.Raw(" UID")
	}
	any := len(found) > 0
	if any && s.Min {
		w.Raw(" MIN ").Number(uint64(found[0].Lo))
	}
	if any && s.Max {
		w.Raw(" MAX ").Number(uint64(found[len(found)-1].Hi))
	}
	if s.Count {
		w.Raw(" COUNT ").Number(uint64(r.Count))
	}
	if any && (s.All || !s.Extended) {
		w.Raw(" ALL ").Set(found)
	}
	if any && s.ModSeq {
		w.Raw(" MODSEQ ").Number(r.ModSeq)
	}
	w.End()
}
