// SPDX-License-Identifier: ISC

package index

import (
	"os"
	"testing"
)

// TestDeliverDamaged: who only delivers leaves it to others to see that what was
// committed is gone.
func TestDeliverDamaged(t *testing.T) {
	for what, harm := range map[string]func(log []byte) []byte{
		"cut":     func(log []byte) []byte { return log[:len(log)-5] },
		"bad bit": func(log []byte) []byte { log[len(log)-100] ^= 1; return log },
	} {
		m, dir := newBox(t, 3)
		x := open(t, m, Options{})
		v := x.View()
		old := v.UIDValidity()
		if _, err := x.Adopt(deliver(t, dir, "late"), Attr{}); err != nil {
			t.Fatal(err)
		}
		name := x.log.Name()
		want(t, what+": close", x.Close(), nil)
		log, err := os.ReadFile(dir + "/" + name)
		if err == nil {
			err = os.WriteFile(dir+"/"+name, harm(log), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(m, Options{Deliver: true}); err == nil {
			t.Errorf("%s: a delivery takes it for whole", what)
		}
		if got := open(t, m, Options{}).View().UIDValidity(); got <= old {
			t.Errorf("%s: UIDVALIDITY %d after %d, once a delivery has looked", what, got, old)
		}
	}
}

// deliver puts a message of this text into new/.
func deliver(t testing.TB, dir, text string) (name string) {
	t.Helper()
	name = "1700000000.M" + text + "P1.host"
	if err := os.WriteFile(dir+"/new/"+name, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
