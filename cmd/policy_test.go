// SPDX-License-Identifier: ISC

// Package cmd holds no code of its own: the tests here look at the tree as a
// whole (who may import what, a page for every program, the form of sources)
// and run the built programs as stories.
package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath   string
	Name         string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string
}

// packages is all of the module's.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Imports,TestImports,XTestImports,Deps", "quill/...")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// kinds of packages (docs/decisions/engines.md): engines are pure, ground is
// one part of Unix each, stores keep files.
var (
	engines = []string{"addr", "dialog", "dnsanswer", "dnsdata", "dnsprint", "dnsrate", "dnsrbl", "dnsreply", "dnstransfer", "dnswall",
		"digest", "dnswire", "dotqmail", "header", "imap", "imapfetch", "imaplogin", "imapsearch", "imapsession", "login", "mailbox", "mime", "pop3", "qmaillog", "qsbmf", "route", "schedule", "smtp"}
	stores = []string{"quill/maildir", "quill/maildir/folders", "quill/maildir/index", "quill/queue"}
)

// doors says which packages may import a module of others, and why it is there
// at all. Do not change this to make a build pass: bring a page in
// docs/decisions.
var doors = map[string][]string{
	"github.com/emersion/go-maildir": {"quill/maildir", "quill/internal/lab"},                            // Maildir names and flags
	"github.com/miekg/dns":           {"quill/internal/zonefile", "quill/internal/dnsdaemon/daemontest"}, // DNS where speed is not the point
	"github.com/urfave/cli/v2":       {"quill/cmd/quill"},                                                // the administrator's command only
	"golang.org/x/crypto/argon2":     {"quill/internal/checkpw"},                                         // password hashes
}

// only says which of our packages may import one that is not for everybody.
var only = map[string][]string{
	"quill/internal/netns": {"quill/cmd/quill"}, // changes a process's network, which is the administrator's business
}

// testDoors is the same for what only tests may import.
var testDoors = map[string][]string{
	"github.com/rogpeppe/go-internal/testscript": {"quill/cmd"}, // stories of programs in a shell (testdata/*.txtar)
	"github.com/emersion/go-imap/v2":             {"quill/cmd"}, // a second reader of what imapd says
	"github.com/miekg/dns": {"quill/internal/dnsanswer", "quill/internal/dnsclient", "quill/internal/dnsdata", "quill/internal/resolve", "quill/internal/dnsrbl", "quill/internal/dnstransfer", "quill/internal/dnswall", "quill/cmd/axfr-get",
		"quill/cmd/axfrdns", "quill/cmd/tinydns", "quill/cmd/tinydns-notify"}, // a second reader of what we write
}

// noNet is the programs that get sockets as descriptors and must not be able to
// open one by package net.
var noNet = []string{"smtpd", "popup", "imapup", "pop3d", "imapd", "checkpassword", "qmail-queue", "queued", "local-delivery", "forward", "maildirmake",
	"qmail-lspawn", "qmail-send", "qmail-qread", "qmail-qstat", "recordio", "tcprules", "tcprulescheck", "tinydns-data", "tinydns-edit",
	"axfrdns", "axfr-get", "axfrdns-conf", "rbldns-data", "tinydns-conf", "rbldns-conf", "walldns-conf",
	"tinydns-get", "dnstracesort", "random-ip"}

// TestImportPolicy holds the tree's layers apart.
func TestImportPolicy(t *testing.T) {
	for _, p := range packages(t) {
		checkLayers(t, p)
		checkDoors(t, p)
		if name, ok := strings.CutPrefix(p.ImportPath, "quill/cmd/"); ok && slices.Contains(noNet, name) {
			for _, banned := range []string{"net", "crypto/tls", "net/http", "github.com/urfave/cli/v2"} {
				if slices.Contains(p.Deps, banned) {
					t.Errorf("%s links %s; session programs get descriptors and have no use for it", p.ImportPath, banned)
				}
			}
		}
	}
}

func isEngine(imp string) bool {
	name, ok := strings.CutPrefix(imp, "quill/internal/")
	return ok && slices.Contains(engines, strings.Split(name, "/")[0])
}

// checkLayers: cmd is imported by nobody; engines import no ground, nor the
// system; stores import no engine but addr.
func checkLayers(t *testing.T, p pkg) {
	store := slices.Contains(stores, p.ImportPath)
	for _, imp := range p.Imports {
		switch {
		case strings.HasPrefix(imp, "quill/cmd/"):
			t.Errorf("%s imports %s; nobody imports a program", p.ImportPath, imp)
		case isEngine(p.ImportPath) && slices.Contains([]string{"os", "net", "syscall", "os/exec", "golang.org/x/sys/unix"}, imp):
			t.Errorf("engine %s imports %s; engines take readers and writers", p.ImportPath, imp)
		case isEngine(p.ImportPath) && strings.HasPrefix(imp, "quill/") && !isEngine(imp):
			t.Errorf("engine %s imports %s; engines import no ground", p.ImportPath, imp)
		case store && isEngine(imp) && imp != "quill/internal/addr":
			t.Errorf("store %s imports the engine %s; of engines only addr", p.ImportPath, imp)
		case only[imp] != nil && !slices.Contains(only[imp], p.ImportPath):
			t.Errorf("%s imports %s; only %s may", p.ImportPath, imp, strings.Join(only[imp], ", "))
		case slices.Contains([]string{"net/mail", "net/textproto", "net/smtp", "mime/multipart"}, imp):
			t.Errorf("%s imports %s, which is not safe on remote data", p.ImportPath, imp)
		}
	}
}

// checkDoors: modules of others come in by their doors only.
func checkDoors(t *testing.T, p pkg) {
	for _, imp := range p.Imports {
		checkDoor(t, p, imp, doors)
	}
	for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
		checkDoor(t, p, imp, doors, testDoors)
	}
}

// checkDoor wants one of these doors to let the import in.
func checkDoor(t *testing.T, p pkg, imp string, doors ...map[string][]string) {
	if !strings.Contains(strings.Split(imp, "/")[0], ".") || strings.HasPrefix(imp, "golang.org/x/sys/") {
		return
	}
	var allowed []string
	known := false
	for _, d := range doors {
		for module, to := range d {
			if imp == module || strings.HasPrefix(imp, module+"/") {
				known = true
				allowed = append(allowed, to...)
			}
		}
	}
	switch {
	case !known:
		t.Errorf("%s imports %s (%s), which has no door and no page in docs/decisions", p.ImportPath, imp, path.Base(imp))
	case !slices.Contains(allowed, p.ImportPath):
		t.Errorf("%s imports %s; only %s may", p.ImportPath, imp, strings.Join(allowed, ", "))
	}
}
