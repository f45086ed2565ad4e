// SPDX-License-Identifier: ISC

// Program rbldns-conf makes the folder of an rbldns service; see
// rbldns-conf(8).
package main

import "quill/internal/dnsconf"

const prog = "rbldns-conf"

func main() { dnsconf.Main(prog, "acct logacct /rbldns myip base", 5, []int{2}, conf) }

// conf makes the folder of arguments acct, logacct, dir, ip, base.
func conf(args []string) error {
	acct, logacct, dir, ip, base := args[0], args[1], args[2], args[3], args[4]
	f, bin, err := dnsconf.Begin(dir, logacct, dir+"/root", ip, "rbldns", "rbldns-data")
	if err != nil {
		return err
	}
	f.Env("BASE", base)
	f.File("run", dnsconf.RunScript(acct, dnsconf.Quote(bin[0])), dnsconf.Script)
	f.Mkdir("root")
	f.File("root/data", "", dnsconf.Plain)
	f.File("root/Makefile", dnsconf.Makefile(bin[1]), dnsconf.Plain)
	return f.Close()
}
