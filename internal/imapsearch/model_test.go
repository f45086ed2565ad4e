// SPDX-License-Identifier: ISC

package imapsearch

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"quill/internal/imap"
	"quill/internal/mailbox"
	"quill/internal/mailbox/mailboxtest"
	"quill/internal/mime"
)

// words is what random texts and patterns are made of.
var words = []string{"fox", "Fox", "oxen", "été", "ÉTÉ", "мир", "МИР", "a", "aa", "x y", "=?utf-8?q?=C3=89t=C3=A9?=", "=?bad"}

var fieldNames = []string{"Subject", "From", "To", "X-Odd", "Date", "Sender", "x-label", "Received"}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

func phrase(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(6) {
		b.WriteString(pick(r, words) + pick(r, []string{" ", "\t", ""}))
	}
	return b.String()
}

func randomHeader(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(5) {
		fmt.Fprintf(&b, "%s:%s%s\r\n", pick(r, fieldNames), phrase(r), pick(r, []string{"", "", "\r\n " + phrase(r), "\n\tfox"}))
	}
	if r.IntN(2) == 0 {
		fmt.Fprintf(&b, "Date: %d Mar 2024 10:00:00 +0000\n", 1+r.IntN(4))
	}
	return b.String()
}

func randomMail(r *rand.Rand) string {
	part := func() string {
		return pick(r, []string{"", "Content-Type: text/html\n", "Content-Type: image/png\n", "Content-Transfer-Encoding: quoted-printable\n"}) + randomHeader(r) + "\n" + phrase(r) + pick(r, []string{"\r\n", "\n", "=\n"}) + phrase(r) + "\n"
	}
	switch r.IntN(4) {
	case 0:
		return "Content-Type: multipart/mixed; boundary=b\n" + randomHeader(r) + "\nfox\n--b\n" + part() + "--b\n" + part() + "--b--\n"
	case 1:
		return "Content-Type: message/rfc822\n" + randomHeader(r) + "\n" + part()
	}
	return part()
}

func randomKey(r *rand.Rand, depth int) imap.Key {
	day := time.Date(2024, 3, 1+r.IntN(5), 0, 0, 0, 0, time.UTC)
	set := imap.Set{Ranges: []imap.Range{{Lo: 1 + r.Uint32N(5), Hi: 5 + r.Uint32N(30)}}, Star: r.IntN(2) == 0}
	ops := []imap.Op{imap.OpAll, imap.OpFlag, imap.OpFlag, imap.OpSeq, imap.OpUID, imap.OpLarger, imap.OpSmaller, imap.OpBefore, imap.OpOn, imap.OpSince, imap.OpSentBefore, imap.OpSentOn,
		imap.OpSentSince, imap.OpOlder, imap.OpYounger, imap.OpHeader, imap.OpHeader, imap.OpBody, imap.OpBody, imap.OpText, imap.OpText, imap.OpModSeq}
	if depth > 0 {
		ops = append(ops, imap.OpAnd, imap.OpOr, imap.OpNot, imap.OpAnd, imap.OpOr, imap.OpNot, imap.OpAnd, imap.OpOr, imap.OpNot, imap.OpAnd, imap.OpOr, imap.OpNot)
	}
	k := imap.Key{Op: ops[r.IntN(len(ops))], Date: day, Set: set, Str: pick(r, words[:10])}
	if r.IntN(8) == 0 {
		k.Str = phrase(r)
	}
	n := 0
	switch k.Op {
	case imap.OpFlag:
		k.Str = pick(r, []string{`\Seen`, `\Deleted`, `\Recent`, "kw", "nokw", "$Forwarded"})
	case imap.OpHeader:
		k.Field = pick(r, fieldNames)
		if r.IntN(4) == 0 {
			k.Str = ""
		}
	case imap.OpLarger, imap.OpSmaller, imap.OpModSeq:
		k.Num = r.Int64N(300)
	case imap.OpOlder, imap.OpYounger:
		k.Num = 3600 * r.Int64N(100)
	case imap.OpAnd:
		n = 1 + r.IntN(4)
	case imap.OpOr:
		n = 2
	case imap.OpNot:
		n = 1
	}
	for range n {
		k.Sub = append(k.Sub, randomKey(r, depth-1))
	}
	return k
}

// model tries keys one by one, each by all of the message.
type model struct {
	seq, last int
	top       uint32 // the last UID
	m         mailbox.Message
	text      string
}

func contains(text, pattern string) bool { return strings.Contains(folded(text), folded(pattern)) }

func (o *model) match(k *imap.Key) bool {
	date := o.m.InternalDate().In(zone)
	internal, wanted := dayOf(date.Date()), dayOf(k.Date.Date())
	age := now().Unix() - date.Unix()
	switch k.Op {
	case imap.OpAll:
		return true
	case imap.OpAnd:
		for i := range k.Sub {
			if !o.match(&k.Sub[i]) {
				return false
			}
		}
		return true
	case imap.OpOr:
		return o.match(&k.Sub[0]) || o.match(&k.Sub[1])
	case imap.OpNot:
		return !o.match(&k.Sub[0])
	case imap.OpFlag:
		return o.flag(k.Str)
	case imap.OpSeq:
		return k.Set.Contains(uint32(o.seq), uint32(o.last))
	case imap.OpUID:
		return k.Set.Contains(o.m.UID, o.top)
	case imap.OpLarger:
		return o.m.Wire > k.Num
	case imap.OpSmaller:
		return o.m.Wire < k.Num
	case imap.OpModSeq:
		return o.m.ModSeq >= uint64(k.Num)
	case imap.OpOlder:
		return age >= k.Num
	case imap.OpYounger:
		return age <= k.Num
	case imap.OpBefore:
		return internal < wanted
	case imap.OpOn:
		return internal == wanted
	case imap.OpSince:
		return internal >= wanted
	}
	return o.content(k, wanted)
}

func now() time.Time { return at(3, 5, 12) }

func (o *model) flag(name string) bool {
	switch name {
	case `\Seen`:
		return o.m.Flags&mailbox.Seen != 0
	case `\Deleted`:
		return o.m.Flags&mailbox.Deleted != 0
	case `\Recent`:
		return o.m.New
	case "$Forwarded":
		return o.m.Flags&mailbox.Forwarded != 0
	}
	return name == "kw" && o.m.Keywords != 0
}

func (o *model) content(k *imap.Key, wanted day) bool {
	p, err := mime.Parse(strings.NewReader(o.text))
	if err != nil {
		return false
	}
	switch k.Op {
	case imap.OpHeader:
		for name, text := range mime.Each([]byte(o.text[:p.Body])) {
			if strings.EqualFold(name, k.Field) && (k.Str == "" || contains(mime.DecodeWords(text), k.Str)) {
				return true
			}
		}
		return false
	case imap.OpBody:
		return o.within(p, k.Str, false)
	case imap.OpText:
		return o.within(p, k.Str, true)
	}
	for name, text := range mime.Each([]byte(o.text[:p.Body])) {
		if strings.EqualFold(name, "Date") {
			d, ok := sentDay([]byte(text))
			return ok && (k.Op == imap.OpSentBefore && d < wanted || k.Op == imap.OpSentOn && d == wanted || k.Op == imap.OpSentSince && d >= wanted)
		}
	}
	return false
}

// within looks into a part and all that it holds.
func (o *model) within(p *mime.Part, pattern string, headers bool) bool {
	if headers {
		for name, text := range mime.Each([]byte(o.text[p.Header:p.Body])) {
			if contains(name+": "+mime.DecodeWords(text), pattern) {
				return true
			}
		}
	}
	for _, sub := range p.Parts {
		if o.within(sub, pattern, headers) {
			return true
		}
	}
	if p.Message != nil {
		return o.within(p.Message, pattern, headers)
	}
	if !p.Is("text", "") {
		return folded(pattern) == ""
	}
	text, err := io.ReadAll(p.TextReader(bytes.NewReader([]byte(o.text[p.Body:p.End]))))
	return err == nil && contains(string(text), pattern)
}

// TestModel: random keys over random messages match as they do one by one.
func TestModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		m := mailboxtest.New()
		var texts []string
		for range 1 + r.IntN(12) {
			in := mailboxtest.Message{Text: randomMail(r), Flags: mailbox.Flags(r.IntN(64)), Old: r.IntN(2) == 0, Date: at(3, 1+r.IntN(4), r.IntN(24))}
			if r.IntN(2) == 0 {
				in.Keywords = []string{"kw"}
			}
			texts = append(texts, in.Text)
			m.Deliver("INBOX", in)
		}
		e := env(t, m)
		for range 60 {
			checkModel(t, e, texts, imap.Key{Op: imap.OpAnd, Sub: []imap.Key{randomKey(r, 5)}})
		}
	}
}

func checkModel(t *testing.T, e Env, texts []string, key imap.Key) {
	t.Helper()
	s, err := New(&imap.Search{Charset: "UTF-8", Key: key}, e)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Run()
	if err != nil {
		t.Fatal(err)
	}
	var want ranges
	for i, text := range texts {
		o := model{seq: i + 1, last: len(texts), text: text}
		e.Box.Message(len(texts), &o.m)
		o.top = o.m.UID
		if e.Box.Message(i+1, &o.m); o.match(&key) {
			want.add(uint32(i + 1))
		}
	}
	if fmt.Sprint(got.Seqs) != fmt.Sprint(want.all()) {
		t.Errorf("%+v finds %v; want %v, in:\n%q", key, got.Seqs, want.all(), texts)
	}
}
