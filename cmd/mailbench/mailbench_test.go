// SPDX-License-Identifier: ISC

package main

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestAgainstSink: a short run counts messages and no errors, and says who is
// refused.
func TestAgainstSink(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go serveSink(l)
	for _, reuse := range []string{"1", "20", "20 -pipeline"} {
		args := append(append([]string{"-sessions", "4", "-seconds", "0.3", "-reuse"}, strings.Fields(reuse)...), "-pid", strconv.Itoa(os.Getpid()), l.Addr().String())
		o, err := parse("smtp", args)
		if err != nil {
			t.Fatal(err)
		}
		r := run(o, newSMTP(o))
		if r.Count == 0 || r.Errors != 0 || r.Rate <= 0 || r.P99 < r.P50 {
			t.Errorf("reuse %s: %+v", reuse, r)
		}
	}
	o, _ := parse("pop3", []string{"-sessions", "1", "-seconds", "0.1", l.Addr().String()})
	if r := run(o, newPOP3(o)); r.Errors == 0 || r.FirstError == "" {
		t.Errorf("POP3 against an SMTP sink: %+v; want errors", r)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, args := range [][]string{{"192.0.2.1:25"}, {"-sessions", "0", "127.0.0.1:25"}, {"127.0.0.1"}, {}, {"-seconds", "4000", "127.0.0.1:25"}} {
		if _, err := parse("smtp", args); err == nil {
			t.Errorf("parse(%q) = nil error; want a refusal", args)
		}
	}
	if _, err := parse("http", []string{"127.0.0.1:80"}); err == nil {
		t.Error("parse(http) = nil error; want a refusal")
	}
}

// TestMessageSize: the message is as large as was asked.
func TestMessageSize(t *testing.T) {
	for _, n := range []int{100, 4096, 100000} {
		l := newSMTP(&options{size: n, from: "a@b"}).(*smtpLoad)
		if got := len(l.body) - 3; got < n || got > n+3 {
			t.Errorf("message of %d bytes has %d", n, got)
		}
	}
}
