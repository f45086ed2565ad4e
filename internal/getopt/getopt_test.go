// SPDX-License-Identifier: ISC

package getopt

import (
	"strings"
	"testing"
)

func TestParser(t *testing.T) {
	for _, c := range []struct{ in, opts, rest, err string }{
		{"-vRHl0 -c40 127.0.0.1 25 smtpd -x", "v R H l=0 c=40", "127.0.0.1 25 smtpd -x", ""},
		{"-c 40 0 25", "c=40", "0 25", ""},
		{"-v -- -x y", "v", "-x y", ""},
		{"- a", "", "- a", ""},
		{"", "", "", ""},
		{"-vZ a", "v", "a", "unknown option -Z"},
		{"-vc", "v", "", "option -c needs an argument"},
		{"-l -v x", "l=-v", "x", ""},
		{"a -v", "", "a -v", ""},
	} {
		p := New(strings.Fields(c.in), "vRHl:c:x:")
		var opts []string
		for p.Next() {
			o := string(p.Opt())
			if p.Arg() != "" {
				o += "=" + p.Arg()
			}
			opts = append(opts, o)
		}
		err := ""
		if p.Err() != nil {
			err = p.Err().Error()
		}
		if got := strings.Join(opts, " "); got != c.opts || err != c.err || strings.Join(p.Rest(), " ") != c.rest {
			t.Errorf("New(%q) = %q, rest %q, error %q; want %q, %q, %q", c.in, got, p.Rest(), err, c.opts, c.rest, c.err)
		}
	}
}
