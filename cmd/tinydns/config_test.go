// SPDX-License-Identifier: ISC

package main

import (
	"strings"
	"testing"
)

// TestEnvironment: what each variable may be, at its edges.
func TestEnvironment(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"ROOT", "", "$ROOT not set"},
		{"ANSWERS", "djb", ""}, {"ANSWERS", "rfc", ""}, {"ANSWERS", "DJB", `$ANSWERS is "DJB"`},
		{"NSID", strings.Repeat("x", maxNSID), ""}, {"NSID", strings.Repeat("x", maxNSID+1), "$NSID is"},
		{"LOG", "full", ""}, {"LOG", "off", ""}, {"LOG", "sampled:1", ""}, {"LOG", "sampled:2147483647", ""},
		{"LOG", "sampled:0", "$LOG is"}, {"LOG", "sampled:", "$LOG is"}, {"LOG", "sampled:-1", "$LOG is"}, {"LOG", "none", "$LOG is"},
		{"COOKIES", "off", ""}, {"COOKIES", "00112233445566778899aabbccddeeFF", ""}, {"COOKIES", "00112233445566778899aabbccddee", "$COOKIES: want"}, {"COOKIES", "secret", "$COOKIES: want"},
		{"RATELIMIT", "off", ""}, {"RATELIMIT", "1", ""}, {"RATELIMIT", "1000000", ""}, {"RATELIMIT", "0", "$RATELIMIT is"}, {"RATELIMIT", "1000001", "$RATELIMIT is"}, {"RATELIMIT", "many", "$RATELIMIT is"},
		{"SLIP", "0", ""}, {"SLIP", "10", ""}, {"SLIP", "11", "$SLIP is"}, {"SLIP", "-1", "$SLIP is"},
		{"RATEEXEMPT", "192.0.2.1,2001:db8::/32 10.0.0.0/8", ""}, {"RATEEXEMPT", "", ""}, {"RATEEXEMPT", "10.0.0.0/33", "$RATEEXEMPT: "}, {"RATEEXEMPT", "home", "$RATEEXEMPT: "},
		{"RATEEXEMPT", strings.Repeat("10.0.0.1,", 64), ""}, {"RATEEXEMPT", strings.Repeat("10.0.0.1,", 65), "$RATEEXEMPT has 65"},
		{"METRICS", "127.0.0.1:9153", ""}, {"METRICS", "[::1]:9153", ""}, {"METRICS", "0.0.0.0:9153", "$METRICS is"}, {"METRICS", "192.0.2.1:9153", "$METRICS is"}, {"METRICS", "127.0.0.1:0", "$METRICS is"}, {"METRICS", "9153", "$METRICS is"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("ROOT", ".")
			t.Setenv(c.name, c.value)
			_, err := readConfig()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
				t.Errorf("%s=%s: %v; want %q", c.name, c.value, err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") && c.value == "secret" && strings.Contains(err.Error(), `"secret"`) {
				t.Errorf("the secret is told: %v", err)
			}
		})
	}
}
