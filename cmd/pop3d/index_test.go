// SPDX-License-Identifier: ISC

package main

import (
	"os"
	"path/filepath"
	"testing"

	"quill/maildir"
	"quill/maildir/index"
)

// TestIndexed: where the mailbox has an index, sizes come from it, what is deleted
// is expunged in it without a scan, and the dialogue is the same; what is damaged
// or locked is no reason to have no session.
func TestIndexed(t *testing.T) {
	const said = "+OK \n+OK 4 80\n+OK \n1 0.z.h\n2 1.a.h\n3 2.b.h\n4 3.c.h\n.\n+OK \n+OK \n"
	for _, c := range []struct {
		name string
		do   func(dir string)
	}{
		{"whole", func(string) {}},
		{"damaged", func(dir string) { os.WriteFile(filepath.Join(dir, "M/qx.snap"), []byte("no snapshot"), 0o600) }},
		{"with a message that the index has not seen yet", func(dir string) {
			os.Remove(filepath.Join(dir, "M/new/3.c.h"))
			write(t, filepath.Join(dir, "M/new/3.c.h"), "S: 3\nH: x\n\nl1\nl2\nl3\n", 98)
		}},
	} {
		dir, home := folder(t)
		x := openIndex(t, dir)
		valid := x.View().UIDValidity()
		x.Close()
		c.do(dir)
		give(t, dir)
		if got, code := talk(t, dir, []string{"QMAILHOME=" + home}, "STAT\nUIDL\nDELE 2\nQUIT\n", "M"); got != said || code != 0 {
			t.Errorf("%s: exit %d, said %q; want %q", c.name, code, got, said)
		}
		if got, want := left(dir), "cur/0.z.h:2, cur/2.b.h:2,S cur/3.c.h:2, new/.hidden"; got != want {
			t.Errorf("%s: left %s; want %s", c.name, got, want)
		}
		x = openIndex(t, dir)
		v := x.View()
		if v.Len() != 3 || c.name == "whole" && v.UIDValidity() != valid {
			t.Errorf("%s: the index has %d messages, UIDVALIDITY %d after %d", c.name, v.Len(), v.UIDValidity(), valid)
		}
		if gone, known := x.Vanished(0); c.name == "whole" && (!known || len(gone) != 1) {
			t.Errorf("%s: expunged are %v, %v; want one", c.name, gone, known)
		}
		x.Close()
	}
}

func openIndex(t *testing.T, dir string) *index.Index {
	t.Helper()
	m, err := maildir.Open(filepath.Join(dir, "M"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	x, err := index.Open(m, index.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return x
}
