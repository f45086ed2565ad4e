// SPDX-License-Identifier: ISC

package chain

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exec becomes the next program of a chain, found in PATH, with the rest of the
// words and this environment. It returns only with an error.
func Exec(argv, env []string) error {
	path, err := Find(argv)
	if err != nil {
		return err
	}
	return fmt.Errorf("run %s: %w", path, syscall.Exec(path, argv, env))
}

// Find is the file of the program that the words start with: as it stands where
// it has a slash, else the first executable of that name in PATH.
func Find(argv []string) (path string, err error) {
	if len(argv) == 0 || argv[0] == "" {
		return "", errors.New("no program to run")
	}
	name := argv[0]
	if strings.Contains(name, "/") {
		return name, nil
	}
	dirs := os.Getenv("PATH")
	if dirs == "" {
		dirs = "/bin:/usr/bin"
	}
	for _, dir := range strings.Split(dirs, ":") {
		if dir == "" {
			dir = "."
		}
		path := dir + "/" + name
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && unix.Access(path, unix.X_OK) == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: not found in PATH %s", name, dirs)
}
