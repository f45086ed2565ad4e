// SPDX-License-Identifier: ISC

// Program random-ip prints IPv4 addresses in random order; see random-ip(1).
package main

import (
	"bufio"
	"io"
	"math/rand/v2"
	"os"
	"strconv"

	"quill/internal/dnsprint"
	"quill/internal/exit"
)

const prog = "random-ip"

const defaultLoops = 10000

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// run prints as many addresses as the first word says; further words are their
// first bytes.
func run(args []string, to io.Writer) error {
	m := newMixer()
	loops := uint64(defaultLoops)
	if len(args) > 0 {
		loops, _ = dnsprint.Digits(args[0])
		for _, a := range args[1:min(len(args), 5)] {
			n, _ := dnsprint.Digits(a)
			m.ip[m.fixed] = byte(n)
			m.fixed++
		}
	}
	if m.fixed > 0 {
		loops = min(loops, 1<<(8*(4-m.fixed)))
	}
	out := bufio.NewWriterSize(to, 64<<10)
	var line []byte
	for ; loops > 0; loops-- {
		line = line[:0]
		for _, b := range m.address(loops - 1) {
			line = append(strconv.AppendUint(line, uint64(b), 10), '.')
		}
		line[len(line)-1] = '\n'
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return out.Flush()
}

// mixer turns numbers into addresses, no two into the same.
type mixer struct {
	table [256]byte // all bytes, in random order
	ip    [4]byte
	fixed int // bytes of ip that stay
}

func newMixer() *mixer {
	m := &mixer{}
	for i, b := range rand.Perm(len(m.table)) {
		m.table[i] = byte(b)
	}
	return m
}

// address is the address of a number: of its low bytes, mixed. Each step can be
// undone, so that no address comes twice.
func (m *mixer) address(n uint64) [4]byte {
	const rounds = 100
	ip := m.ip
	for i := m.fixed; i < 4; i++ {
		ip[i] = byte(n)
		n >>= 8
	}
	if m.fixed == 3 {
		ip[3] = m.table[ip[3]]
		return ip
	}
	c := byte(0)
	for range rounds {
		for i := m.fixed; i < 4; i++ {
			c = m.table[c^ip[i]]
			ip[i] = c
		}
	}
	return ip
}
