// SPDX-License-Identifier: ISC

package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

// scripts ask quill itself what may follow, by its hidden completion flag.
var scripts = map[string]string{
	"bash": `_quill() { COMPREPLY=($(compgen -W "$("${COMP_WORDS[@]:0:COMP_CWORD}" --generate-bash-completion 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}")); }
complete -o default -F _quill quill
`,
	"zsh": `#compdef quill
_quill() { compadd -- $("${words[@]:0:$((CURRENT-1))}" --generate-bash-completion 2>/dev/null) || _files; }
compdef _quill quill
`,
	"fish": `complete -c quill -f -a '(set -l words (commandline -opc); $words --generate-bash-completion 2>/dev/null)'
`,
}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Usage: "print a completion script for bash, zsh or fish", ArgsUsage: "SHELL",
		Description: "example: eval \"$(quill completion bash)\"" + codes,
		Action: func(c *cli.Context) error {
			s, ok := scripts[c.Args().First()]
			if !ok || c.NArg() != 1 {
				return usage("completion takes one of bash, zsh, fish")
			}
			fmt.Print(s)
			return nil
		},
	}
}
