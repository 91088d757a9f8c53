package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
)

// shells are the shells that completion writes scripts for.
var shells = []string{"bash", "zsh", "fish"}

// completionCommand completes the commands of table, of which it becomes the
// last.
func completionCommand(table *[]*command) *command {
	self := &command{
		name:    "completion",
		group:   groupOther,
		args:    "bash|zsh|fish",
		summary: "print a shell's completion script",
		example: "source <(paxlog completion bash)\n" +
			"paxlog completion zsh > \"${fpath[1]}/_paxlog\"\n" +
			"paxlog completion fish > ~/.config/fish/completions/paxlog.fish",
		words: shells,
	}
	self.action = func(_ context.Context, env *environment, in *input) error {
		shell, err := in.oneArgument()
		if err != nil {
			return err
		}
		if !slices.Contains(shells, shell) {
			return usagef("completion: no script for %q: say %s", shell, orList(shells))
		}
		_, err = env.stdout.Write(completionScript(shell, append(slices.Clone(*table), self)))
		return err
	}
	return self
}

// completionScript writes a script from the table of commands.
func completionScript(shell string, commands []*command) []byte {
	var out bytes.Buffer
	switch shell {
	case "bash":
		bash.write(&out, commands)
	case "zsh":
		zsh.write(&out, commands)
	case "fish":
		fishCompletion(&out, commands)
	}
	return out.Bytes()
}

// leaf is a command that can be run, with its full name.
type leaf struct {
	name string
	*command
}

// leaves lists the commands that can be run.
func leaves(commands []*command) []leaf {
	var all []leaf
	for _, c := range commands {
		if len(c.subs) == 0 {
			all = append(all, leaf{c.name, c})
		}
		for _, sub := range c.subs {
			all = append(all, leaf{c.name + " " + sub.name, sub})
		}
	}
	return all
}

// flagWords lists the flags of a command as they are typed.
func flagWords(options []option) []string {
	var words []string
	for _, o := range options {
		words = append(words, o.flag())
		if o.short != "" {
			words = append(words, "-"+o.short)
		}
	}
	return append(words, "--help")
}

// withValue lists every flag that takes a value in each command that has it.
func withValue(commands []*command) []string {
	var words, switches []string
	for _, c := range leaves(commands) {
		for _, o := range c.options() {
			flags := []string{o.flag()}
			if o.short != "" {
				flags = append(flags, "-"+o.short)
			}
			if o.value == "" {
				switches = append(switches, flags...)
			} else {
				words = append(words, flags...)
			}
		}
	}
	slices.Sort(words)
	words = slices.Compact(words)
	return slices.DeleteFunc(words, func(w string) bool { return slices.Contains(switches, w) })
}

// dialect is what bash and zsh write differently in the same script.
type dialect struct {
	head, tail string // around the body of the function
	word       string // the i-th word of the command line, the program being the 0th
	offer      string // offer the words %s
	files      string // offer names of files
}

var bash = dialect{
	head: `_paxlog() {
    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}"
    local cmd="" word i last=$COMP_CWORD
    COMPREPLY=()
`,
	word:  "${COMP_WORDS[i]}",
	offer: `COMPREPLY=($(compgen -W "%s" -- "$cur"))`,
	files: "compopt -o default",
	tail:  "}\ncomplete -F _paxlog paxlog\n",
}

var zsh = dialect{
	head: `#compdef paxlog
_paxlog() {
    local cur="${words[CURRENT]}" prev="${words[CURRENT-1]}"
    local cmd="" word i last=$((CURRENT - 1))
`,
	word:  "${words[i+1]}",
	offer: "compadd -- %s",
	files: "_files",
	tail: `}
if [ "${funcstack[1]}" = "_paxlog" ]; then
    _paxlog "$@"
else
    compdef _paxlog paxlog
fi
`,
}

// write writes a function that finds the command among the words typed, then
// offers its flags, the values of a flag, or its arguments.
func (d dialect) write(out *bytes.Buffer, commands []*command) {
	groups := []string{`""`}
	for _, c := range commands {
		if len(c.subs) > 0 {
			groups = append(groups, c.name)
		}
	}
	out.WriteString(d.head)
	fmt.Fprintf(out, `    for ((i = 1; i < last; i++)); do
        word="%s"
        case "$word" in
        %s) ((i++)) ;;
        -*) ;;
        *)
            case "$cmd" in
            %s) cmd="${cmd:+$cmd }$word" ;;
            esac
            ;;
        esac
    done
    case "$cmd" in
`, d.word, strings.Join(withValue(commands), "|"), strings.Join(groups, "|"))
	d.top(out, "", commands)
	for _, c := range commands {
		if len(c.subs) > 0 {
			d.top(out, c.name, c.subs)
		}
	}
	for _, c := range leaves(commands) {
		d.command(out, c)
	}
	out.WriteString("    esac\n" + d.tail)
}

// offers is the line that offers words.
func (d dialect) offers(words []string) string {
	return fmt.Sprintf(d.offer, strings.Join(words, " "))
}

// top writes the case of a place where a command's name is expected.
func (d dialect) top(out *bytes.Buffer, name string, commands []*command) {
	fmt.Fprintf(out, "    %q)\n", name)
	d.values(out, commonOptions)
	fmt.Fprintf(out, "        %s\n        ;;\n", d.offers(append(names(commands), flagWords(commonOptions)...)))
}

// command writes the case of one command.
func (d dialect) command(out *bytes.Buffer, c leaf) {
	fmt.Fprintf(out, "    %q)\n", c.name)
	d.values(out, c.options())
	if c.command.files {
		fmt.Fprintf(out, "        [[ \"$cur\" != -* ]] && { %s; return; }\n", d.files)
	}
	fmt.Fprintf(out, "        %s\n        ;;\n", d.offers(append(slices.Clone(c.words), flagWords(c.options())...)))
}

// values writes what follows a flag that takes a value.
func (d dialect) values(out *bytes.Buffer, options []option) {
	out.WriteString("        case \"$prev\" in\n")
	for _, o := range options {
		pattern, reply := o.flag(), "return"
		if o.short != "" {
			pattern += "|-" + o.short
		}
		switch {
		case o.value == "":
			continue
		case len(o.values) > 0:
			reply = d.offers(o.values) + "; return"
		case o.files:
			reply = d.files + "; return"
		}
		fmt.Fprintf(out, "        %s) %s ;;\n", pattern, reply)
	}
	out.WriteString("        esac\n")
}

// fishCompletion writes one line for each command, flag and argument.
func fishCompletion(out *bytes.Buffer, commands []*command) {
	out.WriteString("complete -c paxlog -f\n")
	for _, c := range commands {
		fmt.Fprintf(out, "complete -c paxlog -n __fish_use_subcommand -a %s -d %s\n", c.name, fishQuote(c.summary))
		for _, sub := range c.subs {
			fmt.Fprintf(out, "complete -c paxlog -n '__fish_seen_subcommand_from %s; and not __fish_seen_subcommand_from %s' -a %s -d %s\n",
				c.name, strings.Join(names(c.subs), " "), sub.name, fishQuote(sub.summary))
		}
		for _, word := range c.words {
			fmt.Fprintf(out, "complete -c paxlog -n '__fish_seen_subcommand_from %s' -a %s\n", c.name, word)
		}
		if c.files {
			fmt.Fprintf(out, "complete -c paxlog -n '__fish_seen_subcommand_from %s' -F\n", c.name)
		}
		for _, o := range c.flags {
			fishOption(out, o, "-n '__fish_seen_subcommand_from "+c.name+"' ")
		}
	}
	for _, o := range commonOptions {
		fishOption(out, o, "")
	}
	out.WriteString("complete -c paxlog -l help -s h -d 'show help'\n")
}

// fishOption writes the line of one flag.
func fishOption(out *bytes.Buffer, o option, condition string) {
	fmt.Fprintf(out, "complete -c paxlog %s-l %s", condition, o.name)
	if o.short != "" {
		fmt.Fprintf(out, " -s %s", o.short)
	}
	switch {
	case len(o.values) > 0:
		fmt.Fprintf(out, " -x -a %s", fishQuote(strings.Join(o.values, " ")))
	case o.files:
		out.WriteString(" -r -F")
	case o.value != "":
		out.WriteString(" -x")
	}
	fmt.Fprintf(out, " -d %s\n", fishQuote(o.usage))
}

// fishQuote quotes text for fish.
func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
