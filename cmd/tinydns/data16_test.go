// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestReplacedUnderLoad is DN16: data.cdb is replaced 50 times while questions
// come as fast as they are answered, over both transports: all are answered,
// each by data that were there.
func TestReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	publish(t, dir, zoneText)
	at := "127.0.0.1:" + freePort(t)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off", "METRICS="+at)
	var done atomic.Bool
	var wg sync.WaitGroup
	var asked atomic.Int64
	for i := range 3 {
		network := []string{"udp", "udp", "tcp"}[i]
		wg.Go(func() {
			c, err := dns.Dial(network, p.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			m := new(dns.Msg).SetQuestion("www.a.org.", dns.TypeA)
			for !done.Load() {
				c.SetDeadline(time.Now().Add(3 * time.Second))
				if err := c.WriteMsg(m); err != nil {
					t.Error(err)
					return
				}
				a, err := c.ReadMsg()
				if err != nil || len(a.Answer) != 1 {
					t.Errorf("%s, after %d: %v, %v; want an answer", network, asked.Load(), a, err)
					return
				}
				asked.Add(1)
			}
		})
	}
	for i := range 50 {
		publish(t, dir, fmt.Sprintf(".a.org:127.0.0.1:ns.a.org\n+www.a.org:1.0.0.%d\n", i))
		time.Sleep(lookEvery/2 + time.Duration(rand.IntN(int(lookEvery))))
	}
	await(t, "udp", p.addr, "www.a.org.", "1.0.0.49")
	done.Store(true)
	wg.Wait()
	if n := sample(t, at, "tinydns_data_loads_total"); n < 25 {
		t.Errorf("%d loads of 51 files; want more", n)
	}
	if n := mapsOf(t, p); n != 1 {
		t.Errorf("%d maps of data.cdb at the end; want 1", n)
	}
}

// mapsOf is how many data.cdb a process has mapped.
func mapsOf(t *testing.T, p *process) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(b, []byte("data."))
}

// TestDamagedFiles: files that are cut at any length are refused, and the old
// data answer; ones with random bytes take nothing down.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := zoneText
	for i := range 100 {
		text += fmt.Sprintf("+h%d.a.org:1.2.3.5\n", i)
	}
	publish(t, dir, text)
	whole, err := os.ReadFile(filepath.Join(dir, dataFile))
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	replace := func(b []byte) {
		if err := errors.Join(os.WriteFile(dir+"/bad", b, 0o644), os.Rename(dir+"/bad", filepath.Join(dir, dataFile))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookEvery + lookEvery/4)
	}
	for _, n := range []int{0, 1, 2047, 2048, 2049, len(whole) / 2, len(whole) * 3 / 4, len(whole) - 1} {
		replace(whole[:n])
		for _, network := range []string{"udp", "tcp"} {
			if got := ask(t, network, p.addr, "www.a.org."); got != "1.2.3.4" {
				t.Errorf("cut to %d of %d bytes, over %s: %s; want the old data", n, len(whole), network, got)
			}
		}
	}
	for i := range 6 {
		bad := bytes.Clone(whole)
		for range 1 + i*40 {
			bad[rand.IntN(len(bad))] = byte(rand.Uint32())
		}
		replace(bad)
		for _, name := range []string{"www.a.org.", "a.org.", "none.a.org.", "h1.a.org."} {
			q := question(t, name, dns.TypeANY) // what is said may be as damaged
			if n, _ := volley(t, dial(t, "127.0.0.1", p.addr), 3, 1, q); n != 3 {
				t.Errorf("file %d, %s: %d of 3 answered", i, name, n)
			}
		}
	}
	publish(t, dir, zoneText)
	await(t, "udp", p.addr, "www.a.org.", "1.2.3.4")
}
