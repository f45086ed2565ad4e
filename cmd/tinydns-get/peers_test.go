// SPDX-License-Identifier: ISC

//go:build peers

package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestMain re-runs this test binary as the program.
func TestMain(m *testing.M) {
	if os.Getenv("TINYDNS_GET_TEST") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// peerQuestions is how many questions are put to both.
const peerQuestions = 600

// peerData is zones of random lines over few names.
func peerData(random *rand.Rand) (text string, names []string) {
	var b strings.Builder
	pick := func(s ...string) string { return s[random.IntN(len(s))] }
	b.WriteString(".example.org:10.0.0.1:a:600\n.example.org:10.0.0.2:ns.other.test:601\nZzone.test:ns.zone.test:root.zone.test:5:::::60\n&zone.test::ns.zone.test:77\n&del.example.org:10.9.9.9:a\n%in:10\n%ex\n")
	b.WriteString("'long.example.org:" + strings.Repeat(`0123456789\134\033`, 40) + "\n")
	labels := []string{"a", "B", "mx", "*", `o\033dd`, "_tcp", `d\056ot`, "del", "x-y"}
	names = []string{"example.org", "zone.test", "del.example.org", "x.del.example.org", "other.test", ".", "long.example.org", "many.example.org"}
	for i := range 12 {
		fmt.Fprintf(&b, "+many.example.org:10.1.1.%d:60\n", i)
	}
	for range 150 {
		name := pick("example.org", "zone.test")
		for range 1 + random.IntN(3) {
			name = pick(labels...) + "." + name
		}
		names = append(names, name, strings.ReplaceAll(name, "*", "w"))
		other := names[random.IntN(len(names))]
		tail := fmt.Sprintf(":%d:%s:%s", random.IntN(5)*60, pick("", "", "", "4000000000000001", "4fffffff00000000"), pick("", "", "", "in", "ex"))
		ip := fmt.Sprintf("10.0.%d.%d", random.IntN(3), random.IntN(256))
		switch random.IntN(10) {
		case 0, 1:
			b.WriteString("+" + name + ":" + ip + tail)
		case 2:
			b.WriteString("=" + name + ":" + ip + tail)
		case 3:
			b.WriteString("@" + name + ":" + ip + ":" + pick("", "h", other) + ":" + pick("", "10") + tail)
		case 4:
			b.WriteString("'" + name + ":" + pick("text", `a\072b\000\377`, "") + tail)
		case 5:
			b.WriteString("C" + name + ":" + other + tail)
		case 6:
			b.WriteString("^" + name + ":" + other + tail)
		case 7:
			b.WriteString(":" + name + ":" + pick("28", "257", "65535", "99") + `:\001\002abc` + tail)
		case 8:
			b.WriteString("&" + name + ":" + ip + ":" + pick("", "n", other) + tail)
		case 9:
			b.WriteString("S" + name + ":" + ip + ":s:25:1:2" + tail)
		}
		b.WriteString("\n")
	}
	return b.String(), names
}

var anAddress = regexp.MustCompile(`(?m)^(answer: many\.example\.org \d+ A) .*$`)

// order puts the lines of sections in order: addresses come in a random one,
// and of more than eight a random eight.
func order(s string) string {
	lines := strings.SplitAfter(anAddress.ReplaceAllString(s, "$1"), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// TestPeers: with ANSWERS=djb, tinydns-get prints what Debian's prints.
func TestPeers(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	text, names := peerData(random)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "data"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(env, program string, args ...string) string {
		cmd := exec.Command(program, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), env)
		var out, said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &said
		err := cmd.Run()
		var ended *exec.ExitError
		if err != nil && !errors.As(err, &ended) {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s2: %s\nexit %d\n", out.String(), said.String(), cmd.ProcessState.ExitCode())
	}
	const theirs = "/usr/bin/tinydns-get"
	kinds := []string{"a", "any", "ns", "mx", "txt", "ptr", "cname", "soa", "aaaa", "srv", "28", "33", "0", "252", "axfr", "251", "65535"}
	answers := 0
	compare := func(args ...string) {
		want, got := run("", theirs, args...), run("ANSWERS=djb", os.Args[0], args...)
		if strings.Contains(want, "\nanswer: ") {
			answers++
		}
		if order(got) != order(want) {
			t.Errorf("tinydns-get %q prints\n%s\nDebian's\n%s", args, got, want)
		}
	}
	t.Setenv("TINYDNS_GET_TEST", "1")
	compare("a", "example.org") // no data.cdb yet
	if got := run("", "tinydns-data"); !strings.HasSuffix(got, "exit 0\n") {
		t.Fatal(got)
	}
	for range peerQuestions {
		args := []string{kinds[random.IntN(len(kinds))], names[random.IntN(len(names))]}
		if random.IntN(2) == 0 {
			args[0] = "any"
		}
		if args[0] == "srv" {
			args[0] = "33" // Debian's does not know the name
		}
		if random.IntN(4) == 0 {
			args = append(args, []string{"10.0.0.1", "1.2.3.4", "10.0.0.1junk"}[random.IntN(3)])
		}
		compare(args...)
	}
	if answers < peerQuestions/6 {
		t.Errorf("%d of %d questions had an answer: too few to compare", answers, peerQuestions)
	}
	for _, args := range [][]string{{}, {"a"}, {"nosuch", "example.org"}, {"a", "example.org", "x"}, {"a", "example.org", "1.2.3.4", "more"}, {"", "example.org"}, {"a", strings.Repeat("x", 64)}, {"any", ""}, {"a", "Many.Example.ORG"}, {"65537", "many.example.org"}} {
		compare(args...)
	}
}
