// SPDX-License-Identifier: ISC

package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPages: every program has its page beside it, with what a reader looks
// for, and every format page that contracts between programs need is there.
func TestPages(t *testing.T) {
	mains, err := filepath.Glob("*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("no programs found: %v", err)
	}
	for _, m := range mains {
		name := filepath.Dir(m)
		pages, _ := filepath.Glob(name + "/" + name + ".[18]")
		if len(pages) != 1 {
			t.Errorf("%s has %d pages %s.1 or .8; want 1", name, len(pages), name)
			continue
		}
		checkPage(t, pages[0], ".Sh NAME", ".Nm "+name, ".Sh SYNOPSIS", ".Sh DESCRIPTION", ".Sh EXIT STATUS", ".Sh SEE ALSO")
	}
	for _, name := range []string{"chain.7", "queued.7", "queue.5", "spawn.7", "users.5", "home.7", "sandbox.7", "maildir-index.5"} {
		checkPage(t, "../docs/man/"+name, ".Sh NAME", ".Sh DESCRIPTION", ".Sh SEE ALSO")
	}
}

func checkPage(t *testing.T, file string, want ...string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Errorf("page: %v", err)
		return
	}
	for _, w := range want {
		if !bytes.Contains(b, []byte(w)) {
			t.Errorf("%s lacks %q", file, w)
		}
	}
}

// funcLine starts a function or method.
var funcLine = regexp.MustCompile(`^func `)

// TestSourceForm: the walls of docs/decisions/form.md: SPDX line, files of at
// most 500 lines, functions of at most 80, mains of at most 120, no init.
func TestSourceForm(t *testing.T) {
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() && slices.Contains([]string{".git", "bin"}, d.Name()) {
			if d != nil && d.IsDir() {
				return filepath.SkipDir
			}
			return err
		}
		if strings.HasSuffix(path, ".go") {
			checkSource(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkSource(t *testing.T, path string) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	lines := strings.Split(string(b), "\n")
	test := strings.HasSuffix(path, "_test.go")
	if !strings.Contains(strings.Join(lines[:min(3, len(lines))], "\n"), "SPDX-License-Identifier: ISC") {
		t.Errorf("%s has no SPDX line at its top", path)
	}
	limit := 500
	if filepath.Base(path) == "main.go" {
		limit = 120
	}
	if len(lines)-1 > limit && !test {
		t.Errorf("%s has %d lines; at most %d", path, len(lines)-1, limit)
	}
	start, name := 0, ""
	for i, l := range lines {
		if funcLine.MatchString(l) {
			start, name = i, l
			if strings.HasPrefix(l, "func init()") {
				t.Errorf("%s has an init()", path)
			}
		}
		if l == "}" && name != "" {
			if n := i - start + 1; n > 80 && !test {
				t.Errorf("%s: %d lines, at most 80: %s", path, n, name)
			}
			name = ""
		}
	}
}
