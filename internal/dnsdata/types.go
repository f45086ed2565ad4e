// SPDX-License-Identifier: ISC

package dnsdata

import (
	"strconv"
	"strings"

	"quill/internal/dnswire"
)

// dataType is a type whose data we can read and write in words. Its fields are
// letters:
//
//	1 2 4   number of so many bytes
//	a A     IPv4 or IPv6 address
//	n       name
//	s       one string of at most 255 bytes
//	S       strings to the end, longer ones cut at 255
//	g       tag of letters and digits, with its length before it
//	t       text to the end of the data
//	h b     hexadecimal or base64 to the end of the data
//	k       parameters of a service (RFC 9460)
type dataType struct {
	name   string
	number uint16
	fields string
}

// dataTypes is every type with a name; one without fields has its data in the
// words of RFC 3597 only.
var dataTypes = []dataType{
	{"A", dnswire.TypeA, "a"}, {"NS", dnswire.TypeNS, "n"}, {"CNAME", dnswire.TypeCNAME, "n"}, {"SOA", dnswire.TypeSOA, "nn44444"},
	{"PTR", dnswire.TypePTR, "n"}, {"HINFO", 13, "ss"}, {"MX", dnswire.TypeMX, "2n"}, {"TXT", dnswire.TypeTXT, "S"},
	{"RP", 17, "nn"}, {"AFSDB", 18, "2n"}, {"AAAA", dnswire.TypeAAAA, "A"}, {"LOC", 29, ""}, {"SRV", dnswire.TypeSRV, "222n"},
	{"NAPTR", 35, "22sssn"}, {"KX", 36, "2n"}, {"CERT", 37, "221b"}, {"DNAME", dnswire.TypeDNAME, "n"}, {"DS", dnswire.TypeDS, "211h"},
	{"SSHFP", 44, "11h"}, {"IPSECKEY", 45, ""}, {"RRSIG", 46, ""}, {"NSEC", 47, ""}, {"DNSKEY", 48, "211b"}, {"DHCID", 49, "b"},
	{"NSEC3", 50, ""}, {"NSEC3PARAM", 51, ""}, {"TLSA", 52, "111h"}, {"SMIMEA", 53, "111h"}, {"CDS", 59, "211h"}, {"CDNSKEY", 60, "211b"},
	{"OPENPGPKEY", 61, "b"}, {"CSYNC", 62, ""}, {"ZONEMD", 63, "411h"}, {"SVCB", 64, "2nk"}, {"HTTPS", 65, "2nk"}, {"SPF", 99, "S"},
	{"URI", 256, "22t"}, {"CAA", 257, "1gt"},
}

// typeOf is what we know of a type by number.
func typeOf(number uint16) (dataType, bool) {
	for _, d := range dataTypes {
		if d.number == number {
			return d, true
		}
	}
	return dataType{}, false
}

// TypeNumber reads a type's name in either case, or TYPE and its number
// (RFC 3597 §5). Types that records cannot have are unknown to it: 0, OPT, and
// those that only questions have (RFC 6895 §3.1).
func TypeNumber(name string) (uint16, bool) {
	for _, d := range dataTypes {
		if strings.EqualFold(d.name, name) {
			return d.number, true
		}
	}
	if len(name) < 5 || !strings.EqualFold(name[:4], "TYPE") || digits([]byte(name[4:])) != len(name)-4 {
		return 0, false
	}
	n, err := strconv.ParseUint(name[4:], 10, 16)
	return uint16(n), err == nil && isData(uint16(n))
}

// isData says whether records may have this type.
func isData(typ uint16) bool {
	return typ != 0 && typ != dnswire.TypeOPT && (typ < 128 || typ > 255)
}

// TypeName is a type's name, or TYPE and its number.
func TypeName(number uint16) string {
	if d, ok := typeOf(number); ok {
		return d.name
	}
	return "TYPE" + strconv.Itoa(int(number))
}

// HasWords says whether FormatData and ParseData know the words of a type.
func HasWords(number uint16) bool {
	d, ok := typeOf(number)
	return ok && d.fields != ""
}
