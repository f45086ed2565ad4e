// SPDX-License-Identifier: ISC

package lab

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestZone: both machines have their names and their way back on both networks.
func TestZone(t *testing.T) {
	for _, n := range []Network{Loopback, Namespace} {
		zone := Zone(n.Server, n.Laptop)
		for _, ip := range []string{n.Server, n.Laptop} {
			_, reverse, _ := strings.Cut(Reverse(ip), ".")
			if got := strings.Count(zone, "\n."+reverse+":"+n.Server+":"); got != 1 {
				t.Errorf("the zone for %s has %d times the reverse zone %s; want once\n%s", n.Server, got, reverse, zone)
			}
		}
		for _, want := range []string{"\n=mail.testingsmtp.org:" + n.Server + ":", "\n=laptop.testingsmtp.org:" + n.Laptop + ":", "\n+pop3.testingsmtp.org:" + n.Server + ":"} {
			if !strings.Contains(zone, want) {
				t.Errorf("the zone for %s lacks %q:\n%s", n.Server, want, zone)
			}
		}
	}
	if got, want := Reverse("192.168.32.206"), "206.32.168.192.in-addr.arpa"; got != want {
		t.Errorf("Reverse = %s; want %s", got, want)
	}
}

// TestSettle: a home belongs to the network that it was made for; one that is
// not made yet takes any.
func TestSettle(t *testing.T) {
	for _, c := range []struct {
		name        string
		made, start Network
		home        bool // the home is there
		want        string
	}{
		{"loopback again", Loopback, Loopback, true, ""},
		{"namespace again", Namespace, Namespace, true, ""},
		{"loopback, then namespace", Loopback, Namespace, true, "was made without --namespace, and is started with"},
		{"namespace, then loopback", Namespace, Loopback, true, "was made with --namespace, and is started without"},
		{"not made yet", Namespace, Loopback, false, ""},
	} {
		dir := t.TempDir()
		if err := c.made.settle(dir); err != nil {
			t.Fatal(err)
		}
		if c.home {
			if err := os.Mkdir(filepath.Join(dir, "control"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		err := c.start.settle(dir)
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrNetwork) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
	}
}

// TestPlaintextLogin: only a lab whose network has no way out lets passwords
// pass in the clear off loopback.
func TestPlaintextLogin(t *testing.T) {
	for _, n := range []Network{Loopback, Namespace} {
		o := Options{Dir: t.TempDir(), Net: n}
		if err := makeHome(o); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(filepath.Join(o.Dir, "control/plaintextlogin"))
		if got, want := err == nil, n.Server == Namespace.Server; got != want {
			t.Errorf("a lab on %s has control/plaintextlogin: %v; want %v", n.Server, got, want)
		}
	}
}
