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
	TypeSVCB  = 64
	TypeHTTPS = 65
	TypeTSIG  = 250
	TypeIXFR  = 251
	TypeAXFR  = 252
	TypeANY   = 255
)

// Classes.
const (
	ClassIN  = 1
	ClassANY = 255
)

// Response codes.
const (
	RcodeOK        = 0
	RcodeFormErr   = 1
	RcodeServFail  = 2
	RcodeNXDomain  = 3
	RcodeNotImp    = 4
	RcodeRefused   = 5
	RcodeYXDomain  = 6
	RcodeBadVers   = 16
	RcodeBadCookie = 23
)

// Header flags.
const (
	FlagQR = 0x8000
	FlagAA = 0x0400
	FlagTC = 0x0200
	FlagRD = 0x0100
)

// FlagDO is in the OPT record (RFC 3225).
const FlagDO = 0x8000

// EDNS options.
const (
	optionNSID   = 3  // RFC 5001
	optionCookie = 10 // RFC 7873
	optionEDE    = 15 // RFC 8914
)

// Extended DNS errors (RFC 8914).
const (
	EdeNone         = -1
	EdeNotReady     = 14
	EdeProhibited   = 18
	EdeNotAuth      = 20
	EdeNotSupported = 21
	EdeInvalidData  = 24
)
