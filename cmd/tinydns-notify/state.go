// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"quill/internal/dnstransfer"
	"quill/internal/dnswire"
	"quill/internal/safefile"
)

// readTargets reads the file notify.
func readTargets() ([]dnstransfer.Target, error) {
	f, err := os.Open(targetsFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	targets, err := dnstransfer.ParseTargets(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", targetsFile, err)
	}
	return targets, nil
}

// state is the serial numbers that servers know of, by place.
type state map[string]uint32

// place is what a target is known by: zone and address.
func place(t dnstransfer.Target) string { return dnswire.Text(t.Zone) + " " + t.To.String() }

// readState reads what was acknowledged before; lines that cannot be read do
// not count, so that at worst a server is told twice.
func readState() (state, error) {
	s := make(state)
	f, err := os.Open(stateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	for in.Scan() {
		where, number, ok := cutLast(in.Text())
		serial, err := strconv.ParseUint(number, 10, 32)
		if ok && err == nil {
			s[where] = uint32(serial)
		}
	}
	return s, in.Err()
}

func cutLast(line string) (before, last string, ok bool) {
	i := strings.LastIndexByte(line, ' ')
	if i < 0 {
		return "", "", false
	}
	return line[:i], line[i+1:], true
}

// save writes what these targets know of.
func (s state) save(targets []dnstransfer.Target) error {
	var b strings.Builder
	for _, t := range targets {
		if serial, ok := s[place(t)]; ok {
			fmt.Fprintf(&b, "%s %d\n", place(t), serial)
		}
	}
	return safefile.WriteFile(stateFile, []byte(b.String()), 0o644)
}
