// SPDX-License-Identifier: ISC

package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"quill/internal/dnsrate"
	"quill/internal/dnswire"
)

// maxNSID is the bytes of NSID.
const maxNSID = 64

// ownAddresses is the clients that have no limit unless RATEEXEMPT is set: no
// packet from a network bears them.
const ownAddresses = "127.0.0.0/8,::1"

// config is the environment; tinydns(8) describes it.
type config struct {
	root    string
	djb     bool // answer as djb's program does
	nsid    []byte
	sample  uint64           // each so manyth question is logged; 0: none is
	cookies *dnswire.Cookies // nil: none
	rate    *dnsrate.Config  // nil: no limit
	metrics netip.AddrPort
}

// readConfig reads the environment but for what dnsserve and privilege read.
func readConfig() (c config, err error) {
	if c.root = os.Getenv("ROOT"); c.root == "" {
		return c, errors.New("$ROOT not set: it names the folder with data.cdb")
	}
	for _, read := range []func(*config) error{readAnswers, readNSID, readLog, readCookies, readRate, readMetrics} {
		if err := read(&c); err != nil {
			return c, err
		}
	}
	return c, nil
}

// wrong is the error for a variable.
func wrong(name, want string) error {
	return fmt.Errorf("$%s is %q: want %s", name, os.Getenv(name), want)
}

func readAnswers(c *config) error {
	switch os.Getenv("ANSWERS") {
	case "djb":
		c.djb = true
	case "", "rfc":
	default:
		return wrong("ANSWERS", "rfc or djb")
	}
	return nil
}

func readNSID(c *config) error {
	if c.nsid = []byte(os.Getenv("NSID")); len(c.nsid) > maxNSID {
		return wrong("NSID", fmt.Sprintf("at most %d bytes", maxNSID))
	}
	return nil
}

func readLog(c *config) error {
	switch v := os.Getenv("LOG"); v {
	case "", "full":
		c.sample = 1
	case "off":
	default:
		n, ok := strings.CutPrefix(v, "sampled:")
		each, err := strconv.ParseUint(n, 10, 31)
		if !ok || err != nil || each == 0 {
			return wrong("LOG", "full, off or sampled:N")
		}
		c.sample = each
	}
	return nil
}

func readCookies(c *config) error {
	v := os.Getenv("COOKIES")
	if v == "off" {
		return nil
	}
	var secret [16]byte
	if v == "" {
		rand.Read(secret[:]) // which ends the process rather than fail
	} else if b, err := hex.DecodeString(v); err == nil && len(b) == len(secret) {
		copy(secret[:], b)
	} else {
		return errors.New("$COOKIES: want off or 32 hexadecimal digits, the secret") // which is not for logs
	}
	c.cookies = dnswire.NewCookies(secret)
	return nil
}

// number is a variable's, from least to most; without one it is usual.
func number(name string, usual, least, most int) (int, error) {
	v := os.Getenv(name)
	if v == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		return 0, wrong(name, fmt.Sprintf("a number from %d to %d", least, most))
	}
	return n, nil
}

func readRate(c *config) (err error) {
	r := &dnsrate.Config{}
	if r.Slip, err = number("SLIP", dnsrate.DefaultSlip, 0, dnsrate.MaxSlip); err != nil {
		return err
	}
	exempt, set := os.LookupEnv("RATEEXEMPT")
	if !set {
		exempt = ownAddresses
	}
	for _, s := range strings.FieldsFunc(exempt, func(c rune) bool { return c == ',' || c == ' ' }) {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			ip, err := netip.ParseAddr(s)
			if err != nil || ip.Zone() != "" {
				return fmt.Errorf("$RATEEXEMPT: %q is no address and no prefix", s)
			}
			p = netip.PrefixFrom(ip, ip.BitLen())
		}
		r.Exempt = append(r.Exempt, p.Masked())
	}
	if len(r.Exempt) > dnsrate.MaxExempt {
		return fmt.Errorf("$RATEEXEMPT has %d prefixes: want at most %d", len(r.Exempt), dnsrate.MaxExempt)
	}
	if os.Getenv("RATELIMIT") == "off" {
		return nil
	}
	if r.Rate, err = number("RATELIMIT", dnsrate.DefaultRate, 1, dnsrate.MaxRate); err != nil {
		return fmt.Errorf("%w, or off", err)
	}
	c.rate = r
	return nil
}

func readMetrics(c *config) error {
	v := os.Getenv("METRICS")
	if v == "" {
		return nil
	}
	at, err := netip.ParseAddrPort(v)
	if err != nil || !at.Addr().IsLoopback() || at.Port() == 0 {
		return wrong("METRICS", "a loopback address and a port, like 127.0.0.1:9153")
	}
	c.metrics = at
	return nil
}
