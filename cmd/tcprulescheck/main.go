// SPDX-License-Identifier: ISC

// Program tcprulescheck shows what compiled rules say of a client; see
// tcprulescheck(1).
package main

import (
	"fmt"
	"os"
	"strings"

	"quill/internal/cdb"
	"quill/internal/exit"
	"quill/tcpserver"
)

func main() {
	if len(os.Args) != 2 {
		exit.Usage("tcprulescheck rules.cdb")
	}
	m, err := cdb.Open(os.Args[1])
	if err != nil {
		exit.Die("tcprulescheck", exit.Temporary, err)
	}
	v, err := tcpserver.Search(m, os.Getenv("TCPREMOTEIP"), os.Getenv("TCPREMOTEHOST"), os.Getenv("TCPREMOTEINFO"))
	if err != nil {
		exit.Die("tcprulescheck", exit.Temporary, fmt.Errorf("%s: %w", os.Args[1], err))
	}
	fmt.Print(tell(v))
}

// tell is a verdict as text.
func tell(v tcpserver.Verdict) string {
	var b strings.Builder
	if v.Found {
		fmt.Fprintf(&b, "rule %s:\n", v.Rule)
	} else {
		b.WriteString("default:\n")
	}
	if v.Deny {
		b.WriteString("deny connection\n")
		return b.String()
	}
	for _, e := range v.Env {
		fmt.Fprintf(&b, "set environment variable %s\n", e)
	}
	b.WriteString("allow connection\n")
	return b.String()
}
