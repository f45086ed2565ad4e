// SPDX-License-Identifier: ISC

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quill/internal/dotqmail"
	"quill/maildir"
	"quill/maildir/index"
)

// BenchmarkDeliver delivers, many at once, into a Maildir without an index and
// into one that a filler keeps.
func BenchmarkDeliver(b *testing.B) {
	for _, indexed := range []bool{false, true} {
		b.Run(fmt.Sprintf("index=%v", indexed), func(b *testing.B) {
			home := b.TempDir()
			os.Chmod(home, 0o700)
			for _, sub := range []string{"tmp", "new", "cur"} {
				os.MkdirAll(filepath.Join(home, "M", sub), 0o700)
			}
			if indexed {
				m, err := maildir.Open(home + "/M")
				if err != nil {
					b.Fatal(err)
				}
				defer m.Close()
				x, err := index.Open(m, index.Options{})
				if err != nil {
					b.Fatal(err)
				}
				x.Close()
			}
			msg, err := os.Create(filepath.Join(home, "message"))
			if err != nil {
				b.Fatal(err)
			}
			defer msg.Close()
			io.WriteString(msg, "Subject: hello\n\n"+strings.Repeat("line of a body\n", 200))
			o := testOffice(nil)
			o.filler = newFiller()
			defer o.filler.end()
			b.SetParallelism(30)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					j := &job{office: o, limits: defaultLimits, msg: msg, out: io.Discard, err: os.Stderr,
						to: dotqmail.Address{User: "u", Home: home, Local: "u", Host: "testingsmtp.org"}, defaultDelivery: "./M/"}
					if code := j.run(); code != 0 {
						b.Errorf("exit code %d", code)
						return
					}
				}
			})
		})
	}
}
