// SPDX-License-Identifier: ISC

package folders

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGiveSubscriptions: they stay the same whichever server's file has them, and
// what that server changes in its own counts afterwards.
func TestGiveSubscriptions(t *testing.T) {
	for _, c := range []struct {
		what, dovecot, courier string // files before, "-": none
		to                     bool   // Courier
		wantDovecot, want      string // files after
		names                  string
	}{
		{"nothing to Courier", "-", "-", true, "-", "-", ""},
		{"nothing to Dovecot", "-", "-", false, "-", "-", ""},
		{"Dovecot's to Courier", "inbox\nR&AOQ-ume.x\nbad..x\n", "INBOX.Old\n", true, "-", "INBOX\nINBOX.R&AOQ-ume.x\nINBOX.bad..x\n", "INBOX Räume.x"},
		{"Dovecot's 2 to Courier", "V\t2\n\nA\tB\na.b\nINBOX\tx\n", "-", true, "-", "INBOX.A.B\nINBOX.INBOX.x\n", "A.B INBOX.x"},
		{"an end of all to Courier", "", "INBOX.Old\n", true, "-", "", ""},
		{"Courier's to Courier", "-", "INBOX.A\n", true, "-", "INBOX.A\n", "A"},
		{"Courier's to Dovecot", "-", "INBOX\nINBOX.A\n", false, "INBOX\nA\n", "INBOX\nINBOX.A\n", "A INBOX"},
		{"Dovecot's to Dovecot", "A\n", "INBOX.Old\n", false, "A\n", "INBOX.Old\n", "A"},
	} {
		a, root := newAccount(t)
		files := map[string]string{subscribedFile: c.dovecot, courierFile: c.courier}
		for name, text := range files {
			if text != "-" {
				must(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
			}
		}
		for range 2 { // a second time changes nothing
			must(t, a.GiveSubscriptions(c.to))
			for name, want := range map[string]string{subscribedFile: c.wantDovecot, courierFile: c.want} {
				b, err := os.ReadFile(filepath.Join(root, name))
				got := string(b)
				if os.IsNotExist(err) {
					got, err = "-", nil
				}
				if err != nil || got != want {
					t.Errorf("%s: %s is %q, %v; want %q", c.what, name, got, err, want)
				}
			}
			if got, err := a.Subscribed(); err != nil || strings.Join(got, " ") != c.names {
				t.Errorf("%s: %q, %v; want %q", c.what, got, err, c.names)
			}
		}
	}
	a, root := newAccount(t)
	must(t, a.Subscribe("A", true))
	must(t, os.Mkdir(filepath.Join(root, courierFile), 0o700))
	if err := a.GiveSubscriptions(true); err == nil {
		t.Error("a folder in place of the file: no error")
	}
	if got, err := a.Subscribed(); err != nil || len(got) != 1 {
		t.Errorf("after an error: %q, %v; want A", got, err)
	}
}
