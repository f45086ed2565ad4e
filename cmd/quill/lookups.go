// SPDX-License-Identifier: ISC

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"quill/internal/lab"
)

// dnsLog is tinydns's log: who asked what stands there, in hexadecimal.
func (d *demo) dnsLog() string { return filepath.Join(d.l.Dir, "log", "dns", "current") }

// logged is how much tinydns has logged so far.
func (d *demo) logged() int64 {
	st, err := os.Stat(d.dnsLog())
	if err != nil {
		return 0
	}
	return st.Size()
}

// kindNames are the types that the server asks for when somebody calls.
var kindNames = map[string]string{"000c": "PTR", "0001": "A", "001c": "AAAA"}

// lookups shows what the server has asked DNS since the log had that size: who
// its client is, and whether that name leads back to it. Nobody else asks
// meanwhile.
func (d *demo) lookups(since int64) error {
	reverse, host := lab.Reverse(d.l.Net.Laptop), "laptop."+lab.Domain
	var asked [][]string // time, address:port:id, status, type, name
	for end := time.Now().Add(stepTime); ; time.Sleep(2 * time.Millisecond) {
		text, err := os.ReadFile(d.dnsLog())
		if err != nil {
			return err
		}
		if int64(len(text)) < since {
			since = 0 // the log was begun anew
		}
		if asked = questions(string(text[since:]), reverse, host); len(asked) >= 3 {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("the server asked DNS for nobody's name within %v: %s does not tell of %s", stepTime, d.dnsLog(), reverse)
		}
	}
	for _, f := range asked {
		why := "the server asks DNS who is calling"
		if f[4] != reverse {
			why = "and whether that name leads back"
		}
		d.note(kindNames[f[3]] + " " + f[4] + "?   " + why)
	}
	return nil
}

// questions is the whole lines of tinydns's log about these names, the first
// name's before the others: processors that answer at once do not log in order.
func questions(text string, names ...string) (asked [][]string) {
	for _, name := range names {
		for line := range strings.Lines(text) {
			f := strings.Fields(line)
			if strings.HasSuffix(line, "\n") && len(f) == 5 && kindNames[f[3]] != "" && f[4] == name {
				asked = append(asked, f)
			}
		}
	}
	return asked
}
