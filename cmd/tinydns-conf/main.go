// SPDX-License-Identifier: ISC

// Program tinydns-conf makes the folder of a tinydns service; see
// tinydns-conf(8).
package main

import "quill/internal/dnsconf"

const prog = "tinydns-conf"

// adders are the scripts add-NAME of root/, each a way of tinydns-edit.
var adders = []string{"ns", "childns", "host", "alias", "mx"}

func main() { dnsconf.Main(prog, "acct logacct /tinydns myip", 4, []int{2}, conf) }

// conf makes the folder of arguments acct, logacct, dir, ip.
func conf(args []string) error {
	acct, logacct, dir, ip := args[0], args[1], args[2], args[3]
	f, bin, err := dnsconf.Begin(dir, logacct, dir+"/root", ip, "tinydns", "tinydns-edit", "tinydns-data")
	if err != nil {
		return err
	}
	f.File("run", dnsconf.RunScript(acct, dnsconf.Quote(bin[0])), dnsconf.Script)
	f.Mkdir("root")
	f.File("root/data", "", dnsconf.Plain)
	for _, what := range adders {
		f.File("root/add-"+what, "#!/bin/sh\nexec "+dnsconf.Quote(bin[1])+" data data.new add "+what+" ${1+\"$@\"}\n", dnsconf.Script)
	}
	f.File("root/Makefile", dnsconf.Makefile(bin[2]), dnsconf.Plain)
	return f.Close()
}
