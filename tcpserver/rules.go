// SPDX-License-Identifier: ISC

package tcpserver

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"

	"quill/internal/cdb"
)

// Verdict is what the rules say of a client.
type Verdict struct {
	Rule string   // the address of the rule that counted; Found tells "" from none
	Deny bool     // refuse the client
	Env  []string // VAR=value for the session
	// Found is false where no rule matched: the client is allowed.
	Found bool
}

// Search looks a client up in a rules database as tcprules(1) says: the first
// address that is there decides, and no other counts. host and info are empty
// where they are not known.
func Search(m *cdb.Map, ip, host, info string) (Verdict, error) {
	ip, a := canonical(ip)
	var lengths []byte
	if a.IsValid() {
		var err error
		if lengths, _, err = m.Value([]byte(lengthsKey(a))); err != nil {
			return Verdict{}, err
		}
	}
	for _, key := range searchKeys(ip, networks(a, lengths), host, info) {
		data, ok, err := m.Value([]byte(key))
		if err != nil {
			return Verdict{}, err
		}
		if ok {
			return verdict(key, data), nil
		}
	}
	return Verdict{}, nil
}

// searchKeys is the addresses to look up, in the order that counts.
func searchKeys(ip string, nets []string, host, info string) []string {
	keys := make([]string, 0, 12)
	if info != "" {
		keys = append(keys, info+"@"+ip)
		if host != "" {
			keys = append(keys, info+"@="+host)
		}
	}
	keys = append(keys, ip)
	if host != "" {
		keys = append(keys, "="+host)
	}
	for i := len(ip) - 1; i > 0; i-- {
		if ip[i-1] == '.' || ip[i-1] == ':' {
			keys = append(keys, ip[:i])
		}
	}
	keys = append(keys, nets...)
	if host != "" {
		for i := range host {
			if host[i] == '.' {
				keys = append(keys, "="+host[i:])
			}
		}
		keys = append(keys, "=")
	}
	return append(keys, "")
}

// verdict reads a rule's data: "D" denies, "+VAR=value" sets, each ended by
// NUL.
func verdict(key string, data []byte) Verdict {
	v := Verdict{Rule: key, Found: true}
	for len(data) > 0 {
		word, rest, ended := bytes.Cut(data, []byte{0})
		data = rest
		switch {
		case !ended || len(word) == 0:
			return v
		case word[0] == 'D':
			v.Deny = true
		case word[0] == '+':
			v.Env = append(v.Env, string(word[1:]))
		}
	}
	return v
}

// Rules is a rules database that is read anew when its file changes.
type Rules struct {
	db      *cdb.Live
	lenient bool // a missing database allows everybody
}

// NewRules reads rules from path. Where lenient is set, a missing file allows
// everybody.
func NewRules(path string, lenient bool) *Rules { return &Rules{cdb.NewLive(path), lenient} }

// Verdict looks a client up.
func (r *Rules) Verdict(ip, host, info string) (v Verdict, err error) {
	err = r.db.Current(func(m *cdb.Map) (err error) {
		v, err = Search(m, ip, host, info) // which copies what it takes
		return err
	})
	if r.lenient && errors.Is(err, fs.ErrNotExist) {
		return Verdict{}, nil
	}
	return v, err
}

// cut shortens text for a log line and replaces what could break it, as the
// family does: at most 100 bytes, unsafe ones, ':' and '%' as '?'.
func cut(s string) string {
	s = s[:min(len(s), 100)]
	return strings.Map(func(c rune) rune {
		if c < 33 || c > 126 || c == '%' || c == ':' {
			return '?'
		}
		return c
	}, s)
}
