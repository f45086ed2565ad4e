// SPDX-License-Identifier: ISC

package mime

import "strconv"

// AppendStructure appends the structure of what p is or holds: BODY, or
// extended BODYSTRUCTURE (RFC 3501 §7.4.2).
func (p *Part) AppendStructure(dst []byte, extended bool) []byte {
	dst = append(dst, '(')
	if p.Is("multipart", "") {
		dst = p.appendParts(dst, extended)
	} else {
		dst = p.appendLeaf(dst, extended)
	}
	if extended {
		dst = append(p.appendDisposition(append(dst, ' ')), ' ')
		dst = append(appendList(dst, p.Language), ' ')
		dst = appendNString(dst, p.Location)
	}
	return append(dst, ')')
}

// appendParts appends a multipart up to its parameters. One without parts, for
// which IMAP has no form, gets an empty text.
func (p *Part) appendParts(dst []byte, extended bool) []byte {
	if len(p.Parts) == 0 {
		empty := Part{Type: "text", Subtype: "plain"}
		dst = empty.AppendStructure(dst, extended)
	}
	for _, q := range p.Parts {
		dst = q.AppendStructure(dst, extended)
	}
	dst = appendString(append(dst, ' '), p.Subtype)
	if extended {
		dst = appendParams(append(dst, ' '), p.Params)
	}
	return dst
}

// appendLeaf appends another part up to its MD5.
func (p *Part) appendLeaf(dst []byte, extended bool) []byte {
	dst = append(appendString(dst, p.Type), ' ')
	dst = append(appendString(dst, p.Subtype), ' ')
	dst = append(appendParams(dst, p.textParams()), ' ')
	dst = append(appendNString(dst, p.ID), ' ')
	dst = append(appendNString(dst, p.Description), ' ')
	encoding := p.Encoding
	if encoding == "" {
		encoding = "7bit"
	}
	dst = append(appendString(dst, encoding), ' ')
	dst = strconv.AppendInt(dst, p.Size, 10)
	if m := p.Message; m != nil {
		dst = append(m.Envelope.Append(append(dst, ' ')), ' ')
		dst = m.AppendStructure(dst, extended)
	}
	if p.Message != nil || p.Is("text", "") {
		dst = strconv.AppendInt(append(dst, ' '), p.Lines, 10)
	}
	if extended {
		dst = appendNString(append(dst, ' '), p.MD5)
	}
	return dst
}

// textParams is the parameters, with the charset that a text without one has
// (RFC 2045 §5.2).
func (p *Part) textParams() []Param {
	if !p.Is("text", "") || p.Param("charset") != "" || p.Param("charset*") != "" {
		return p.Params
	}
	return append(p.Params[:len(p.Params):len(p.Params)], Param{"charset", "us-ascii"})
}

func (p *Part) appendDisposition(dst []byte) []byte {
	if p.Disposition == "" {
		return append(dst, "NIL"...)
	}
	dst = append(appendString(append(dst, '('), p.Disposition), ' ')
	return append(appendParams(dst, p.DispositionParams), ')')
}

func appendParams(dst []byte, list []Param) []byte {
	if len(list) == 0 {
		return append(dst, "NIL"...)
	}
	for i, m := range list {
		dst = append(dst, "( "[min(i, 1)])
		dst = append(appendString(dst, m.Name), ' ')
		dst = appendString(dst, m.Value)
	}
	return append(dst, ')')
}

// appendList appends words as one string, or a list of several.
func appendList(dst []byte, words []string) []byte {
	switch len(words) {
	case 0:
		return append(dst, "NIL"...)
	case 1:
		return appendString(dst, words[0])
	}
	for i, w := range words {
		dst = append(dst, "( "[min(i, 1)])
		dst = appendString(dst, w)
	}
	return append(dst, ')')
}
