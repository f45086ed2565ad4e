// SPDX-License-Identifier: ISC

package main

import (
	"encoding/json"
	"fmt"
)

// result is what was measured.
type result struct {
	Kind       string  `json:"kind"`
	Count      int     `json:"count"`
	Seconds    float64 `json:"seconds"`
	Rate       float64 `json:"rate"`
	P50        float64 `json:"p50_ms"`
	P90        float64 `json:"p90_ms"`
	P99        float64 `json:"p99_ms"`
	Max        float64 `json:"max_ms"`
	Errors     int     `json:"errors"`
	FirstError string  `json:"first_error,omitempty"`
	CPU        float64 `json:"cpu_per_1000"` // seconds of the server for 1000 messages or sessions
}

func (r *result) print(o *options) {
	if o.asJSON {
		b, _ := json.Marshal(r)
		fmt.Println(string(b))
		return
	}
	fmt.Printf("%s: %d in %.2f s, %.1f/s, p50 %.2f ms, p90 %.2f, p99 %.2f, max %.2f, errors %d %s\n", r.Kind, r.Count, r.Seconds, r.Rate, r.P50, r.P90, r.P99, r.Max, r.Errors, r.FirstError)
	if len(o.pids) > 0 {
		fmt.Printf("server: %.3f s of CPU for 1000\n", r.CPU)
	}
}
