// SPDX-License-Identifier: ISC

package imap

// spec is a line of the command table.
type spec struct {
	flags Flags
	parse func(*parser, *Command) // reads the arguments; nil where there are none
}

// commands is the one table of what there is. A name with UID stands for the
// UID form.
var commands = map[string]spec{
	// any state: RFC 9051 §6.1
	"CAPABILITY": {MayPipeline, nil},
	"NOOP":       {0, nil},
	"LOGOUT":     {0, nil},
	"ID":         {MayPipeline, (*parser).cmdID},
	// before login: §6.2. What follows STARTTLS in the same packet was not protected.
	"STARTTLS":     {BeforeLogin, nil},
	"AUTHENTICATE": {BeforeLogin, (*parser).cmdAuthenticate},
	"LOGIN":        {BeforeLogin, (*parser).cmdLogin},
	// after login: §6.3
	"ENABLE":      {NeedsLogin, (*parser).cmdEnable},
	"SELECT":      {NeedsLogin, (*parser).cmdSelect},
	"EXAMINE":     {NeedsLogin, (*parser).cmdSelect},
	"CREATE":      {NeedsLogin, (*parser).cmdCreate},
	"DELETE":      {NeedsLogin, (*parser).cmdMailbox},
	"RENAME":      {NeedsLogin, (*parser).cmdRename},
	"SUBSCRIBE":   {NeedsLogin, (*parser).cmdMailbox},
	"UNSUBSCRIBE": {NeedsLogin, (*parser).cmdMailbox},
	"LIST":        {NeedsLogin | MayPipeline, (*parser).cmdList},
	"LSUB":        {NeedsLogin | MayPipeline, (*parser).cmdLsub},
	"NAMESPACE":   {NeedsLogin | MayPipeline, nil},
	"STATUS":      {NeedsLogin | MayPipeline, (*parser).cmdStatus},
	"APPEND":      {NeedsLogin, (*parser).cmdAppend},
	"IDLE":        {NeedsLogin, nil},
	// with a mailbox: §6.4
	"CHECK":       {NeedsLogin | NeedsMailbox, nil},
	"CLOSE":       {NeedsLogin | NeedsMailbox, nil},
	"UNSELECT":    {NeedsLogin | NeedsMailbox, nil},
	"EXPUNGE":     {NeedsLogin | NeedsMailbox, nil},
	"UID EXPUNGE": {NeedsLogin | NeedsMailbox, (*parser).cmdSet},
	"SEARCH":      {NeedsLogin | NeedsMailbox | UsesSeqs | NoExpunge | MayPipeline, (*parser).cmdSearch},
	"UID SEARCH":  {NeedsLogin | NeedsMailbox | MayPipeline, (*parser).cmdSearch},
	"FETCH":       {NeedsLogin | NeedsMailbox | UsesSeqs | NoExpunge | MayPipeline, (*parser).cmdFetch},
	"UID FETCH":   {NeedsLogin | NeedsMailbox | MayPipeline, (*parser).cmdFetch},
	"STORE":       {NeedsLogin | NeedsMailbox | UsesSeqs | NoExpunge | MayPipeline, (*parser).cmdStore},
	"UID STORE":   {NeedsLogin | NeedsMailbox | MayPipeline, (*parser).cmdStore},
	"COPY":        {NeedsLogin | NeedsMailbox | UsesSeqs, (*parser).cmdCopy},
	"UID COPY":    {NeedsLogin | NeedsMailbox, (*parser).cmdCopy},
	"MOVE":        {NeedsLogin | NeedsMailbox | UsesSeqs, (*parser).cmdCopy},
	"UID MOVE":    {NeedsLogin | NeedsMailbox, (*parser).cmdCopy},
}

// command reads a whole command, or APPEND's to its first message.
func (p *parser) command() *Command {
	c := &Command{Tag: p.run(isTagChar, "a tag")}
	if len(c.Tag) > maxTag {
		p.fail("tag too long")
	}
	if p.atEnd() && p.err == nil {
		p.tag = c.Tag
	}
	p.space()
	if p.err != nil {
		return nil
	}
	p.tag = c.Tag
	c.Name = p.word()
	full := c.Name
	if c.Name == "UID" {
		p.space()
		c.Name, c.UID = p.word(), true
		full = "UID " + c.Name
	}
	s, ok := commands[full]
	c.Flags = s.flags
	switch {
	case p.err != nil:
	case !ok:
		p.fail("unknown command")
	case s.flags&NeedsLogin != 0 && !p.r.LoggedIn: // before its arguments cost anything
		p.fail("log in first")
	case s.flags&BeforeLogin != 0 && p.r.LoggedIn:
		p.fail("already logged in")
	case s.parse != nil:
		p.space()
		s.parse(p, c)
	}
	if p.r.app.state == appendNone {
		p.end()
	}
	return c
}
