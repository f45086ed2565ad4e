// SPDX-License-Identifier: ISC

// Program tinydns-notify tells other servers that zones have changed; see
// tinydns-notify(8).
package main

import (
	"errors"
	"fmt"
	"os"

	"quill/internal/dnstransfer"
	"quill/internal/dnswire"
	"quill/internal/exit"
	"quill/internal/getopt"
	"quill/internal/privilege"
	"quill/internal/sandbox"
	"quill/internal/transferfiles"
)

const prog = "tinydns-notify"

// What it reads and writes beside data.cdb and keys.
const (
	targetsFile = "notify"
	stateFile   = "notify.state"
)

func usage() {
	exit.Usage("tinydns-notify [-k keyname] zone address[:port] ...\n       tinydns-notify -a")
}

func main() {
	opts := getopt.New(os.Args[1:], "ak:")
	all, key := false, ""
	for opts.Next() {
		switch opts.Opt() {
		case 'a':
			all = true
		case 'k':
			key = opts.Arg()
		}
	}
	args := opts.Rest()
	if opts.Err() != nil || all != (len(args) == 0) || all && key != "" || !all && len(args) < 2 {
		usage()
	}
	var targets []dnstransfer.Target
	if !all {
		var err error
		if targets, err = named(args, key); err != nil {
			exit.Die(prog, exit.Permanent, err)
		}
	}
	if err := run(all, targets); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// named are the targets of the command line.
func named(args []string, key string) (targets []dnstransfer.Target, err error) {
	zone, err := dnswire.Name(args[0])
	if err != nil {
		return nil, fmt.Errorf("%q is no domain name", args[0])
	}
	for _, a := range args[1:] {
		to, err := dnstransfer.ParseAddress(a)
		if err != nil {
			return nil, err
		}
		targets = append(targets, dnstransfer.Target{Zone: dnswire.Lower(zone), To: to, Key: key})
	}
	return targets, nil
}

func run(all bool, targets []dnstransfer.Target) error {
	if root := os.Getenv("ROOT"); root != "" {
		if err := os.Chdir(root); err != nil {
			return fmt.Errorf("unable to chdir to %s: %w", root, errors.Unwrap(err))
		}
	}
	keys := transferfiles.New(warn).Keys()
	if err := confine(); err != nil {
		return err
	}
	if !all {
		return notify(targets, keys, nil)
	}
	targets, err := readTargets()
	if err != nil {
		return err
	}
	said, err := readState()
	if err != nil {
		return err
	}
	err = notify(targets, keys, said)
	return errors.Join(err, said.save(targets))
}

// confine gives up being root for UID and GID, or where these are not set for
// the owner of the folder, and gives up programs and other files.
func confine() error {
	if privilege.Root() {
		id, err := privilege.FromEnv()
		if os.Getenv("UID") == "" && os.Getenv("GID") == "" {
			id, err = privilege.OwnerOf(".")
		}
		if err == nil {
			err = id.Drop()
		}
		if err != nil {
			return err
		}
	}
	return sandbox.Confine(prog, sandbox.Rules{Deny: sandbox.NoBackdoor | sandbox.NoExec, Files: &sandbox.Files{Write: []string{"."}}})
}

// warn says on descriptor 2 what went wrong without ending anything.
func warn(err error) { os.Stderr.WriteString(prog + ": warning: " + err.Error() + "\n") }
