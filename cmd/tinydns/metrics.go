// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	metricsTime  = time.Second // for a request and its answer
	metricsConns = 4           // at once; others wait
	metricsHead  = 4096        // bytes of a request
)

// metrics serves the counts in Prometheus's text form over HTTP/1.0.
type metrics struct {
	tallies *tallies
	store   *store
	log     *logger
}

// serve answers for ever.
func (m *metrics) serve(l net.Listener) {
	room := make(chan struct{}, metricsConns)
	for {
		room <- struct{}{}
		c, err := l.Accept()
		if err != nil {
			<-room
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go func() {
			defer func() { <-room }()
			defer c.Close()
			c.SetDeadline(time.Now().Add(metricsTime))
			m.answer(c)
		}()
	}
}

// answer reads one request and answers it.
func (m *metrics) answer(c net.Conn) {
	in := bufio.NewReaderSize(c, metricsHead)
	first, err := in.ReadSlice('\n')
	if err != nil {
		return
	}
	path, ok := strings.CutPrefix(string(first), "GET ")
	path, _, _ = strings.Cut(strings.TrimRight(path, "\r\n"), " ")
	for n := len(first); n < metricsHead; { // the rest must be read, or closing resets
		line, err := in.ReadSlice('\n')
		if n += len(line); err != nil || len(line) <= 2 {
			break
		}
	}
	switch {
	case !ok:
		say(c, "405 Method Not Allowed", "only GET\n")
	case path != "/metrics" && path != "/":
		say(c, "404 Not Found", "there is /metrics alone\n")
	default:
		say(c, "200 OK", m.text())
	}
}

func say(c net.Conn, code, body string) {
	fmt.Fprintf(c, "HTTP/1.0 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", code, len(body), body)
}

// rcodeName is what a code is called (RFC 6895 §2.3).
func rcodeName(n int) string {
	names := [...]string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE", 16: "BADVERS", 23: "BADCOOKIE"}
	if n < len(names) && names[n] != "" {
		return names[n]
	}
	return strconv.Itoa(n)
}

// text is all counts.
func (m *metrics) text() string {
	t := m.tallies.sum()
	var b strings.Builder
	family := func(name, kind, help string) {
		fmt.Fprintf(&b, "# HELP tinydns_%s %s\n# TYPE tinydns_%s %s\n", name, help, name, kind)
	}
	one := func(name, help string, n uint64) {
		family(name, "counter", help)
		fmt.Fprintf(&b, "tinydns_%s %d\n", name, n)
	}
	family("queries_total", "counter", "Packets that came, by transport.")
	fmt.Fprintf(&b, "tinydns_queries_total{transport=\"udp\"} %d\ntinydns_queries_total{transport=\"tcp\"} %d\n", t.udp, t.tcp)
	family("questions_total", "counter", "Questions that could be read, by type.")
	for i, n := range t.types {
		fmt.Fprintf(&b, "tinydns_questions_total{type=%q} %d\n", typeNames[i].name, n)
	}
	family("answers_total", "counter", "Answers sent, by code.")
	for i, n := range t.rcodes {
		if n > 0 || i <= 5 {
			fmt.Fprintf(&b, "tinydns_answers_total{rcode=%q} %d\n", rcodeName(i), n)
		}
	}
	one("silent_total", "Packets that got no answer.", t.silent)
	one("truncated_total", "Answers with TC set, slipped ones among them.", t.truncated)
	one("malformed_total", "Packets that could not be read.", t.malformed)
	one("cookies_good_total", "Questions with a good server cookie.", t.goodCookie)
	one("rate_dropped_total", "Answers not sent for the rate limit.", t.rateDrop)
	one("rate_slipped_total", "Answers sent with TC set and empty for the rate limit.", t.rateSlip)
	one("log_dropped_total", "Lines of the log that were lost as nobody read it.", m.log.dropped.Load())
	l := &m.store.loads
	one("data_loads_total", "Times that a data.cdb was taken into use.", l.done.Load())
	one("data_failures_total", "Times that a data.cdb could not be used.", l.failed.Load())
	family("data_load_seconds", "gauge", "What taking the last one into use took.")
	fmt.Fprintf(&b, "tinydns_data_load_seconds %g\n", time.Duration(l.took.Load()).Seconds())
	family("data_loaded_timestamp_seconds", "gauge", "When that was.")
	fmt.Fprintf(&b, "tinydns_data_loaded_timestamp_seconds %g\n", float64(l.last.Load()/1e6)/1e3)
	return b.String()
}
