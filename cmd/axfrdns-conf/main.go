// SPDX-License-Identifier: ISC

// Program axfrdns-conf makes a service folder for axfrdns; see axfrdns-conf(8).
package main

import "quill/internal/dnsconf"

const prog = "axfrdns-conf"

func main() {
	dnsconf.Main(prog, "acct logacct /axfrdns /tinydns myip", 5, []int{2, 3}, conf)
}

// conf makes the folder of arguments acct, logacct, dir, tinydns, ip.
func conf(args []string) error {
	acct, logacct, dir, tinydns, ip := args[0], args[1], args[2], args[3], args[4]
	f, bin, err := dnsconf.Begin(dir, logacct, tinydns+"/root", ip, "axfrdns")
	if err != nil {
		return err
	}
	server := `exec tcpserver -vDRHl0 -x tcp.cdb -- "$IP" 53 ` + dnsconf.Quote(bin[0])
	f.File("run", dnsconf.RunScript(acct, "sh -c "+dnsconf.Quote(server)), dnsconf.Script)
	f.File("Makefile", "tcp.cdb: tcp\n\ttcprules tcp.cdb tcp.tmp < tcp\n", dnsconf.Plain)
	f.File("tcp", "# sample line:  1.2.3.4:allow,AXFR=\"heaven.af.mil/3.2.1.in-addr.arpa\"\n:deny\n", dnsconf.Plain)
	return f.Close()
}
