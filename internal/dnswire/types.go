// SPDX-License-Identifier: ISC

package dnswire

// Types of records.
const (
	TypeA     = 1
	TypeNS    = 2
	TypeCNAME = 5
	TypeSOA   = 6
	TypePTR   = 12
	TypeMX    = 15
	TypeTXT   = 16
	TypeAAAA  = 28
	TypeSRV   = 33
	TypeDNAME = 39
	TypeOPT   = 41
	TypeDS    = 43
	TypeIXFR  = 251
	TypeAXFR  = 252
	TypeANY   = 255
)
