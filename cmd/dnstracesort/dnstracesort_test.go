// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	const in = `0:.:.:start:NS:.:.
0:.:.:start:A:.:127.0.0.1
1:www.example:.:127.0.0.1:tx
1:www.example:.:127.0.0.1:NS:example:ns.example
1:www.example:.:127.0.0.1:A:ns.example:127.0.0.2
1:www.example:.:127.0.0.1:A:ns.example:127.0.0.2
1:www.example:.:127.0.0.1:see:example
1:www.example:example:127.0.0.2:tx
1:www.example:example:127.0.0.2:answer:www.example 60 A 10.0.0.1
16:www.example:example:127.0.0.2:answer:www.example 60 16 \005a:b:c
1:www.example:example:127.0.0.3:ALERT:query failed; timed out
1:alias.example:example:127.0.0.2:CNAME:www.example
1:nx.example:example:127.0.0.2:NXDOMAIN
half
`
	want := strings.Join([]string{
		"", `16 www.E 127.0.0.2        60 16 \005a:b:c`,
		"", "1 alias.E 127.0.0.2        CNAME www.example",
		"", "1 nx.E 127.0.0.2        NXDOMAIN",
		"", "1 www.example 127.0.0.1        see example", "1 www.E 127.0.0.3        A\bAL\bLE\bER\bRT\bT:\b: query failed; timed out", "1 www.E 127.0.0.2        60 A 10.0.0.1",
		"", "glue . start            A 127.0.0.1", "glue . start            NS .",
		"", "glue example 127.0.0.1        NS ns.example",
		"", "glue ns.example 127.0.0.1        A 127.0.0.2",
		"", "half                   ", "",
	}, "\n")
	want = strings.ReplaceAll(want, ".E ", "._\be_\bx_\ba_\bm_\bp_\bl_\be ")
	var out bytes.Buffer
	if err := run(strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// TestOdd: lines that dnstrace does not print make no trouble.
func TestOdd(t *testing.T) {
	for _, in := range []string{"", "\n", ":", "::::", "a:b:longer than b:c:d", "::::A", "::::tx", "\x00:\xff"} {
		var out bytes.Buffer
		if err := run(strings.NewReader(in), &out); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
}
