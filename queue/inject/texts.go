// SPDX-License-Identifier: ISC

package inject

// texts is what the qmail family says of qmail-queue's exit codes: Z to try
// again, D for never.
var texts = map[int]string{
	11:  "Denvelope address too long for qq (#5.1.3)",
	31:  "Dmail server permanently rejected message (#5.3.0)",
	51:  "Zqq out of memory (#4.3.0)",
	52:  "Zqq timeout (#4.3.0)",
	53:  "Zqq write error or disk full (#4.3.0)",
	54:  "Zqq read error (#4.3.0)",
	55:  "Zqq unable to read configuration (#4.3.0)",
	56:  "Zqq trouble making network connection (#4.3.0)",
	61:  "Zqq trouble in home directory (#4.3.0)",
	62:  "Zqq trouble creating files in queue (#4.3.0)",
	63:  "Zqq trouble creating files in queue (#4.3.0)",
	64:  "Zqq trouble creating files in queue (#4.3.0)",
	65:  "Zqq trouble creating files in queue (#4.3.0)",
	66:  "Zqq trouble creating files in queue (#4.3.0)",
	71:  "Zmail server temporarily rejected message (#4.3.0)",
	72:  "Zconnection to mail server timed out (#4.4.1)",
	73:  "Zconnection to mail server rejected (#4.4.1)",
	74:  "Zcommunication with mail server failed (#4.4.2)",
	81:  "Zqq internal bug (#4.3.0)",
	91:  "Zqq internal bug (#4.3.0)",
	115: "Denvelope address too long for qq (#5.1.3)",
	120: "Zunable to exec qq (#4.3.0)",
	-1:  "Zqq crashed (#4.3.0)",
}

// textOf is the text of an exit code; 82 and 88 are said by the program itself.
func textOf(code int, said string) string {
	if code == 82 || code == 88 {
		if len(said) > maxErrorText {
			said = said[:maxErrorText]
		}
		if len(said) < 3 {
			return "Zqq temporary problem (#4.3.0)"
		}
		if said[0] != 'D' {
			return "Z" + said[1:]
		}
		return said
	}
	if t, ok := texts[code]; ok {
		return t
	}
	if code >= 11 && code <= 40 {
		return "Dqq permanent problem (#5.3.0)"
	}
	return "Zqq temporary problem (#4.3.0)"
}
