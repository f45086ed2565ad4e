// SPDX-License-Identifier: ISC

package main

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"time"
)

// histogram counts times of 2⁸ ns and more in steps of a sixteenth.
type histogram struct {
	n   [64 * 16]int64
	all int64
}

// add counts one, in ns.
func (h *histogram) add(ns int64) {
	h.n[bucket(uint64(max(ns, 0))>>8)]++
	h.all++
}

func bucket(v uint64) int {
	if v < 16 {
		return int(v)
	}
	e := bits.Len64(v) - 5
	return (e+1)<<4 | int(v>>e&15)
}

// at is the time, in ms, that this part of all did not exceed, as far as the
// steps tell.
func (h *histogram) at(part float64) float64 {
	want, sum := int64(part*float64(h.all)), int64(0)
	for i, n := range h.n {
		if sum += n; n > 0 && sum >= want {
			if i < 16 {
				return float64(i+1) * 256 / 1e6
			}
			return float64(uint64(i&15|16)+1) * float64(uint64(1)<<(i>>4-1)) * 256 / 1e6
		}
	}
	return 0
}

// outcome is what was measured.
type outcome struct {
	Seconds  float64        `json:"seconds"`
	Sent     int64          `json:"sent"`
	Answered int64          `json:"answered"`
	Rate     float64        `json:"rate"`
	Lost     int64          `json:"lost"`
	Late     int64          `json:"late"`
	Wrong    int64          `json:"wrong"`
	Refused  int64          `json:"refused"`
	Rcodes   map[string]int `json:"rcodes"`
	Bytes    float64        `json:"bytes"`
	P50      float64        `json:"p50_ms"`
	P99      float64        `json:"p99_ms"`
	CPU      float64        `json:"cpu_us"`     // the server's for an answer
	Busy     float64        `json:"cpu_part"`   // of a core, the server's
	Own      float64        `json:"own_cpu_us"` // the generator's for an answer
	Before   int            `json:"pss_before"` // KiB
	After    int            `json:"pss_after"`  // KiB
	server   time.Duration  // CPU time
	own      time.Duration
}

// take brings over what was counted.
func (r *outcome) take(n *counters) {
	r.Sent, r.Answered, r.Lost, r.Late, r.Wrong, r.Refused = n.sent, n.answered, n.lost, n.late, n.wrong, n.refused
	r.Rate = float64(n.answered) / r.Seconds
	r.P50, r.P99 = n.times.at(0.50), n.times.at(0.99)
	r.Rcodes = make(map[string]int)
	for code, n := range n.rcodes {
		if n > 0 {
			r.Rcodes[fmt.Sprint(code)] = int(n)
		}
	}
	r.Busy = r.server.Seconds() / r.Seconds
	if n.answered > 0 {
		each := 1e6 / float64(n.answered)
		r.Bytes = float64(n.bytes) / float64(n.answered)
		r.CPU, r.Own = r.server.Seconds()*each, r.own.Seconds()*each
	}
}

func (r *outcome) print(o *options) {
	if o.asJSON {
		b, _ := json.Marshal(r)
		fmt.Println(string(b))
		return
	}
	fmt.Printf("%.0f answers/s of %.0f bytes in %.2f s, %d lost, %d late, %d wrong, %d refused, rcodes %v, p50 %.3f ms, p99 %.3f ms\n",
		r.Rate, r.Bytes, r.Seconds, r.Lost, r.Late, r.Wrong, r.Refused, r.Rcodes, r.P50, r.P99)
	if o.pid != 0 {
		fmt.Printf("server: %.3f us of CPU for an answer, %.0f %% of a core; generator: %.3f us\n", r.CPU, 100*r.Busy, r.Own)
	}
	if r.After > 0 {
		fmt.Printf("memory of the server (PSS): %d KiB before, %d KiB after\n", r.Before, r.After)
	}
}
