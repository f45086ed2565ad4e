// SPDX-License-Identifier: ISC

// Program axfr-get fetches a zone over descriptors 6 and 7 into lines of a data
// file; see axfr-get(8).
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"quill/internal/dnstransfer"
	"quill/internal/dnswire"
	"quill/internal/exit"
	"quill/internal/getopt"
	"quill/internal/privilege"
	"quill/internal/sandbox"
)

const prog = "axfr-get"

func usage() { exit.Usage("axfr-get [-3] zone fn fn.tmp") }

func main() {
	opts := getopt.New(os.Args[1:], "3")
	six := false
	for opts.Next() {
		six = true
	}
	args := opts.Rest()
	if opts.Err() != nil || len(args) < 3 {
		usage()
	}
	if err := run(args[0], args[1], args[2], six); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

func run(zone, file, tmp string, six bool) error {
	signal.Ignore(syscall.SIGPIPE)
	wire, err := dnswire.Name(zone)
	if err != nil {
		return fmt.Errorf("unable to generate AXFR query: %w", err)
	}
	key, err := readKey(os.Getenv("KEY"))
	if err != nil {
		return err
	}
	if err := lower(filepath.Dir(tmp)); err != nil {
		return err
	}
	err = sandbox.Confine(prog, sandbox.Rules{
		Deny:  sandbox.NoBackdoor | sandbox.NoExec | sandbox.NoSocket,
		Files: &sandbox.Files{Write: []string{filepath.Dir(file), filepath.Dir(tmp)}},
	})
	if err != nil {
		return err
	}
	return (&fetch{zone: wire, file: file, tmp: tmp, six: six, conn: newConn(key)}).run()
}

// readKey reads the file that KEY names; nil where it names none.
func readKey(path string) (*dnstransfer.Key, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("$KEY: %w", err)
	}
	defer f.Close()
	keys, err := dnstransfer.ParseKeys(f)
	if err == nil && len(keys) != 1 {
		err = fmt.Errorf("%d keys; want one line name:algorithm:base64", len(keys))
	}
	if err != nil {
		return nil, fmt.Errorf("$KEY: %s: %w", path, err)
	}
	for _, k := range keys {
		return k, nil
	}
	return nil, nil
}

// lower gives up being root for UID and GID, or where these are not set for the
// owner of the folder that is written to.
func lower(dir string) error {
	if !privilege.Root() {
		return nil
	}
	id, err := privilege.FromEnv()
	if os.Getenv("UID") == "" && os.Getenv("GID") == "" {
		id, err = privilege.OwnerOf(dir)
	}
	if err != nil {
		return err
	}
	return id.Drop()
}
