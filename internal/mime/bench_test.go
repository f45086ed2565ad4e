// SPDX-License-Identifier: ISC

package mime

import (
	"strings"
	"testing"
)

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct{ name, msg string }{
		{"small", rfc2049},
		{"1MB of base64", rfc2049 + strings.Repeat(strings.Repeat("QUJD", 19)+"\n", 1<<20/77)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.msg)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(strings.NewReader(c.msg)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParsePart(b *testing.B) {
	p, err := Parse(strings.NewReader(rfc2049))
	if err != nil {
		b.Fatal(err)
	}
	form := p.AppendBinary(nil)
	b.SetBytes(int64(len(form)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParsePart(form); err != nil {
			b.Fatal(err)
		}
	}
}
