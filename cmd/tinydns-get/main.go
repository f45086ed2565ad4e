// SPDX-License-Identifier: ISC

// Program tinydns-get prints how tinydns would answer a question from data.cdb
// in the current folder; see tinydns-get(1).
package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"quill/internal/cdb"
	"quill/internal/dnsanswer"
	"quill/internal/dnsprint"
	"quill/internal/dnswire"
	"quill/internal/exit"
)

const prog = "tinydns-get"

func main() {
	if len(os.Args) < 3 {
		usage()
	}
	kind, ok := dnsprint.Type(os.Args[1])
	if !ok {
		usage()
	}
	from := netip.IPv4Unspecified()
	if len(os.Args) > 3 {
		if from, ok = client(os.Args[3]); !ok {
			usage()
		}
	}
	if err := run(kind, os.Args[2], from); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

func usage() {
	os.Stderr.WriteString("tinydns-get: usage: tinydns-get type name [ip]\n")
	os.Exit(exit.Permanent)
}

// client reads a client's address.
func client(s string) (netip.Addr, bool) {
	if ip, _, ok := dnsprint.IP4(s); ok {
		return ip, true
	}
	ip, err := netip.ParseAddr(s)
	return ip, err == nil && ip.Is6()
}

// run prints the answer to a question from this client.
func run(kind uint16, name string, from netip.Addr) error {
	djb, err := classic()
	if err != nil {
		return err
	}
	q, err := dnswire.Name(name)
	if err != nil {
		return fmt.Errorf("unable to parse: %w", err)
	}
	answer, err := ask(q, kind, from, djb)
	if err != nil {
		return err
	}
	out := dnsprint.Head(nil, kind, q)
	if len(answer) > 0 {
		if out, err = dnsprint.Packet(out, answer); err != nil {
			return fmt.Errorf("unable to parse: %w", err)
		}
	}
	_, err = os.Stdout.Write(out)
	return err
}

// classic says whether ANSWERS asks for djb's answers.
func classic() (bool, error) {
	switch v := os.Getenv("ANSWERS"); v {
	case "", "rfc":
		return false, nil
	case "djb":
		return true, nil
	default:
		return false, fmt.Errorf("$ANSWERS is %q; it must be rfc or djb", v)
	}
}

// ask is what tinydns would say over TCP, where nothing is cut; nothing where it
// would keep silent. djb's program is silent where there is no data.cdb, too.
func ask(name []byte, kind uint16, from netip.Addr, djb bool) ([]byte, error) {
	m, err := cdb.Open("data.cdb")
	var d *dnsanswer.Data
	switch {
	case errors.Is(err, os.ErrNotExist) && djb:
	case errors.Is(err, os.ErrNotExist):
		return nil, errors.New("unable to open data.cdb: file does not exist; tinydns-data makes it, in the folder where it stands")
	case err != nil:
		return nil, fmt.Errorf("unable to open data.cdb: %w", err)
	default:
		defer m.Close()
		if d, err = dnsanswer.Open(m); err != nil {
			return nil, fmt.Errorf("unable to read data.cdb: %w", err)
		}
	}
	question := []byte{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	question = append(append(question, name...), byte(kind>>8), byte(kind), 0, dnswire.ClassIN)
	var q dnswire.Query
	tcp := !djb || kind != dnswire.TypeAXFR // djb's tinydns has no transfers; axfrdns, over TCP, does not answer those
	out, _ := dnsanswer.New(dnsanswer.Config{DJB: djb}).Answer(d, nil, question, from, tcp, time.Now(), &q)
	return out, nil
}
