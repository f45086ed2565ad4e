// SPDX-License-Identifier: ISC

// Program walldns-conf makes the folder of a walldns service; see
// walldns-conf(8).
package main

import "quill/internal/dnsconf"

const prog = "walldns-conf"

func main() { dnsconf.Main(prog, "acct logacct /walldns myip", 4, []int{2}, conf) }

// conf makes the folder of arguments acct, logacct, dir, ip.
func conf(args []string) error {
	acct, logacct, dir, ip := args[0], args[1], args[2], args[3]
	f, bin, err := dnsconf.Begin(dir, logacct, dir+"/root", ip, "walldns")
	if err != nil {
		return err
	}
	f.File("run", dnsconf.RunScript(acct, dnsconf.Quote(bin[0])), dnsconf.Script)
	f.Mkdir("root")
	return f.Close()
}
