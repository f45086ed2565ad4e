// SPDX-License-Identifier: ISC

//go:build peers

package main

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/dnsserve"
	"quill/internal/racetest"
)

// TestSlowClients: who sends a byte a second, and who does not read, is cut off
// after ten seconds; who asks now and then is not.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := zoneText
	for i := range 200 {
		text += "'big.a.org:" + strings.Repeat("x", 100) + string(rune('a'+i%26)) + strings.Repeat("y", i) + "\n"
	}
	publish(t, dir, text)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	slow, deaf, steady := connect(t, p.addr), connect(t, p.addr), connect(t, p.addr)
	for _, c := range []*net.TCPConn{slow, deaf, steady} {
		c.SetDeadline(time.Now().Add(dnsserve.TCPIdle + 8*time.Second))
	}
	q := framed(question(t, "www.a.org.", dns.TypeA))
	big := framed(question(t, "big.a.org.", dns.TypeTXT))
	ended := make(chan string, 2)
	began := time.Now()
	go func() {
		for { // answers of some 40 KiB that nobody takes
			if _, err := deaf.Write(bytes.Repeat(big, 100)); err != nil {
				break
			}
		}
		ended <- "deaf"
	}()
	go func() {
		slow.Write([]byte{0x0f, 0xff})
		for {
			if _, err := slow.Write([]byte{0}); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		ended <- "slow"
	}()
	for len(ended) < 2 && time.Since(began) < dnsserve.TCPIdle+6*time.Second {
		steady.Write(q)
		if _, err := io.ReadFull(steady, make([]byte, len(q)+16)); err != nil {
			t.Fatalf("who asks now and then, after %v: %v", time.Since(began), err)
		}
		time.Sleep(500 * time.Millisecond)
	}
	if took := time.Since(began); len(ended) < 2 || took < dnsserve.TCPIdle-time.Second {
		t.Errorf("after %v of them %d ended; want both, after %v", took, len(ended), dnsserve.TCPIdle)
	}
	if after := p.memory(t); after > racetest.Slack*32<<10 {
		t.Errorf("%d KiB of memory", after)
	}
}
