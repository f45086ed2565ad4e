// SPDX-License-Identifier: ISC

package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Network is where the lab's two machines are. A home is made for one network,
// which its zone and its control files are about.
type Network struct {
	name    string // in the marker of the home
	how     string // how a lab on it is started
	Server  string
	Laptop  string
	own     bool // nobody else is there: ports are the standard ones
	control map[string]string
}

// The networks a lab may be on.
var (
	// Loopback is the host's own: any free ports, and Linux's source address
	// towards 127/8 as the laptop.
	Loopback = Network{how: "without --namespace", Server: "127.0.0.206", Laptop: "127.0.0.1"}
	// Namespace has the lecture's addresses and ports. Its laptop is not on
	// loopback, but no wire leads out either: passwords may go in the clear.
	Namespace = Network{name: "namespace", how: "with --namespace", Server: "192.168.32.206", Laptop: "192.168.32.208", own: true,
		control: map[string]string{"plaintextlogin": "this lab's network has no way out"}}
)

// settle makes sure that a home that is there was made for this network, and
// marks one that is still to be made. The lab's lock is held.
func (n Network) settle(dir string) error {
	mark := filepath.Join(dir, marker)
	if _, err := os.Stat(filepath.Join(dir, "control")); errors.Is(err, fs.ErrNotExist) {
		return os.WriteFile(mark, []byte(n.name), 0o600) // in place: the lock is on this file
	}
	text, err := os.ReadFile(mark)
	if err != nil || strings.TrimSpace(string(text)) == n.name {
		return err
	}
	made := Loopback
	if n.name == "" {
		made = Namespace
	}
	return fmt.Errorf("%s: the lab in it was made %s, and is started %s: %w", dir, made.how, n.how, ErrNetwork)
}
