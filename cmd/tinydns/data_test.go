// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReplaced: a new data.cdb is used within 100 ms of its rename, and no
// question is lost meanwhile.
func TestReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	for i := range 5 {
		publish(t, dir, fmt.Sprintf(".a.org:127.0.0.1:ns.a.org\n+www.a.org:1.0.0.%d\n", i))
		await(t, "udp", p.addr, "www.a.org.", fmt.Sprintf("1.0.0.%d", i))
	}
	for _, broken := range []string{"", "short", strings.Repeat("\xff", 4096)} {
		if err := errors.Join(os.WriteFile(dir+"/bad", []byte(broken), 0o644), os.Rename(dir+"/bad", filepath.Join(dir, dataFile))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookEvery + lookEvery/4)
		if got := ask(t, "udp", p.addr, "www.a.org."); got != "1.0.0.4" {
			t.Errorf("with a broken data.cdb of %d bytes: %s; want the old data", len(broken), got)
		}
	}
	if err := os.Remove(filepath.Join(dir, dataFile)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(lookEvery + lookEvery/4)
	if got := ask(t, "udp", p.addr, "www.a.org."); got != "1.0.0.4" {
		t.Errorf("without data.cdb: %s; want the old data", got)
	}
	p.stop(t, syscall.SIGINT)
}

// TestNoData: without data.cdb it says so, answers SERVFAIL, and takes one that
// appears.
func TestNoData(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	if got := ask(t, "udp", p.addr, "www.a.org."); got != "SERVFAIL" {
		t.Errorf("without data.cdb: %s; want SERVFAIL", got)
	}
	publish(t, dir, zoneText)
	await(t, "udp", p.addr, "www.a.org.", "1.2.3.4")
}

// TestCutShort: data.cdb is cut short in place, against all advice; questions
// are answered with SERVFAIL or the like, and the process lives.
func TestCutShort(t *testing.T) {
	dir := t.TempDir()
	text := ".a.org:127.0.0.1:ns.a.org\n"
	for i := range 2000 {
		text += fmt.Sprintf("+h%d.a.org:1.2.3.4\n", i)
	}
	publish(t, dir, text)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	if err := os.Truncate(filepath.Join(dir, dataFile), 2048); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i := range 20 {
		if ask(t, "udp", p.addr, fmt.Sprintf("h%d.a.org.", i)) == "SERVFAIL" {
			failed++
		}
	}
	if failed == 0 {
		t.Error("no question failed; the cut was not noticed")
	}
	publish(t, dir, zoneText)
	await(t, "tcp", p.addr, "www.a.org.", "1.2.3.4")
}
