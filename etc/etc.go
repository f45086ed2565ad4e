// SPDX-License-Identifier: ISC

// Package etc carries the sample run scripts inside programs that start them,
// so that a lab runs the very scripts that a host would.
package etc

import "embed"

// Service is the folder service: a folder with a script run for each service of a
// lab.
//
//go:embed service/dns/run service/queued/run service/send/run service/smtpd/run service/pop3d/run service/imapd/run
var Service embed.FS
