// SPDX-License-Identifier: ISC

package main

import (
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// get is what the server of counts answers to a request.
func get(t testing.TB, at, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(c, request)
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sample is one count.
func sample(t testing.TB, at, name string) int {
	t.Helper()
	body := get(t, at, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\d+)$`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no %s in %s", name, body)
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// TestMetrics: what was asked is counted, and each line is in Prometheus's form.
func TestMetrics(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	publish(t, dir, zoneText)
	at := "127.0.0.1:" + freePort(t)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off", "METRICS="+at, "RATELIMIT=20", "SLIP=1", "RATEEXEMPT=127.0.0.1")
	for range 3 {
		ask(t, "udp", p.addr, "www.a.org.")
	}
	ask(t, "tcp", p.addr, "none.a.org.")
	ask(t, "udp", p.addr, "b.org.")
	silent(t, p.addr, []byte("short"))
	burst(t, dial(t, "127.2.0.1", p.addr), 30, question(t, "a.org.", dns.TypeMX))
	for name, want := range map[string]int{
		`tinydns_queries_total{transport="udp"}`: 36, `tinydns_queries_total{transport="tcp"}`: 1, `tinydns_questions_total{type="A"}`: 6, `tinydns_questions_total{type="MX"}`: 30,
		`tinydns_answers_total{rcode="NXDOMAIN"}`: 1, `tinydns_answers_total{rcode="REFUSED"}`: 1, "tinydns_malformed_total": 1, "tinydns_silent_total": 1,
		"tinydns_rate_slipped_total": 10, "tinydns_truncated_total": 10, "tinydns_data_loads_total": 1, "tinydns_data_failures_total": 0,
	} {
		if got := sample(t, at, name); got != want {
			t.Errorf("%s = %d; want %d", name, got, want)
		}
	}
	_, body, _ := strings.Cut(get(t, at, "GET / HTTP/1.0\r\n\r\n"), "\r\n\r\n")
	form := regexp.MustCompile(`^(# (HELP|TYPE) tinydns_[a-z_]+ .+|tinydns_[a-z_]+(\{[a-z]+="[A-Za-z0-9]+"\})? [0-9.e+-]+)$`)
	for line := range strings.Lines(body) {
		if !form.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Errorf("%q is not Prometheus's form", line)
		}
	}
}

// TestMetricsRequests: other requests than for the counts, and ones that never
// end.
func TestMetricsRequests(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	publish(t, dir, zoneText)
	at := "127.0.0.1:" + freePort(t)
	start(t, dir, "127.0.0.1", nil, "LOG=off", "METRICS="+at)
	for request, want := range map[string]string{
		"GET /other HTTP/1.0\r\n\r\n": "HTTP/1.0 404 ", "POST / HTTP/1.0\r\n\r\n": "HTTP/1.0 405 ", "GET /metrics\n\n": "HTTP/1.0 200 ",
		strings.Repeat("x", metricsHead): "",
	} {
		if got := get(t, at, request); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%.20q: %.40q; want %q", request, got, want)
		}
	}
	for range metricsConns { // which say nothing
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if got := get(t, at, "GET / HTTP/1.0\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.0 200 ") {
		t.Errorf("behind silent ones: %.40q; want 200", got)
	}
}
