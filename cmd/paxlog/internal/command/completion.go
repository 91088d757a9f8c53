package command

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
)

// Shells are the shells that completion writes scripts for.
var Shells = []string{"bash", "zsh", "fish"}

// Completion completes the commands of table, of which it becomes the
// last.
func Completion(table *[]*Command) *Command {
	self := &Command{
		Name:    "completion",
		Group:   GroupOther,
		Args:    "bash|zsh|fish",
		Summary: "print a shell's completion script",
		Example: "source <(paxlog completion bash)\n" +
			"paxlog completion zsh > \"${fpath[1]}/_paxlog\"\n" +
			"paxlog completion fish > ~/.config/fish/completions/paxlog.fish",
		words: Shells,
	}
	self.Action = func(_ context.Context, env *Environment, in *Input) error {
		shell, err := in.OneArgument()
		if err != nil {
			return err
		}
		if !slices.Contains(Shells, shell) {
			return Usagef("completion: no script for %q: say %s", shell, OrList(Shells))
		}
		_, err = env.Stdout.Write(completionScript(shell, append(slices.Clone(*table), self)))
		return err
	}
	return self
}

// completionScript writes a script from the table of commands.
func completionScript(shell string, commands []*Command) []byte {
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
	Name string
	*Command
}

// leaves lists the commands that can be run.
func leaves(commands []*Command) []leaf {
	var all []leaf
	for _, c := range commands {
		if len(c.Subs) == 0 {
			all = append(all, leaf{c.Name, c})
		}
		for _, sub := range c.Subs {
			all = append(all, leaf{c.Name + " " + sub.Name, sub})
		}
	}
	return all
}

// flagWords lists the flags of a command as they are typed.
func flagWords(options []Option) []string {
	var words []string
	for _, o := range options {
		words = append(words, o.Flag())
		if o.Short != "" {
			words = append(words, "-"+o.Short)
		}
	}
	return append(words, "--help")
}

// withValue lists every flag that takes a value in each command that has it.
func withValue(commands []*Command) []string {
	var words, switches []string
	for _, c := range leaves(commands) {
		for _, o := range c.Options() {
			flags := []string{o.Flag()}
			if o.Short != "" {
				flags = append(flags, "-"+o.Short)
			}
			if o.Value == "" {
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
func (d dialect) write(out *bytes.Buffer, commands []*Command) {
	groups := []string{`""`}
	for _, c := range commands {
		if len(c.Subs) > 0 {
			groups = append(groups, c.Name)
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
		if len(c.Subs) > 0 {
			d.top(out, c.Name, c.Subs)
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
func (d dialect) top(out *bytes.Buffer, name string, commands []*Command) {
	fmt.Fprintf(out, "    %q)\n", name)
	d.values(out, commonOptions)
	fmt.Fprintf(out, "        %s\n        ;;\n", d.offers(append(names(commands), flagWords(commonOptions)...)))
}

// command writes the case of one command.
func (d dialect) command(out *bytes.Buffer, c leaf) {
	fmt.Fprintf(out, "    %q)\n", c.Name)
	d.values(out, c.Options())
	if c.Command.Files {
		fmt.Fprintf(out, "        [[ \"$cur\" != -* ]] && { %s; return; }\n", d.files)
	}
	fmt.Fprintf(out, "        %s\n        ;;\n", d.offers(append(slices.Clone(c.words), flagWords(c.Options())...)))
}

// values writes what follows a flag that takes a value.
func (d dialect) values(out *bytes.Buffer, options []Option) {
	out.WriteString("        case \"$prev\" in\n")
	for _, o := range options {
		pattern, reply := o.Flag(), "return"
		if o.Short != "" {
			pattern += "|-" + o.Short
		}
		switch {
		case o.Value == "":
			continue
		case len(o.Values) > 0:
			reply = d.offers(o.Values) + "; return"
		case o.Files:
			reply = d.files + "; return"
		}
		fmt.Fprintf(out, "        %s) %s ;;\n", pattern, reply)
	}
	out.WriteString("        esac\n")
}

// fishCompletion writes one line for each command, flag and argument.
func fishCompletion(out *bytes.Buffer, commands []*Command) {
	out.WriteString("complete -c paxlog -f\n")
	for _, c := range commands {
		fmt.Fprintf(out, "complete -c paxlog -n __fish_use_subcommand -a %s -d %s\n", c.Name, fishQuote(c.Summary))
		for _, sub := range c.Subs {
			fmt.Fprintf(out, "complete -c paxlog -n '__fish_seen_subcommand_from %s; and not __fish_seen_subcommand_from %s' -a %s -d %s\n",
				c.Name, strings.Join(names(c.Subs), " "), sub.Name, fishQuote(sub.Summary))
		}
		for _, word := range c.words {
			fmt.Fprintf(out, "complete -c paxlog -n '__fish_seen_subcommand_from %s' -a %s\n", c.Name, word)
		}
		if c.Files {
			fmt.Fprintf(out, "complete -c paxlog -n '__fish_seen_subcommand_from %s' -F\n", c.Name)
		}
		for _, o := range c.Flags {
			fishOption(out, o, "-n '__fish_seen_subcommand_from "+c.Name+"' ")
		}
	}
	for _, o := range commonOptions {
		fishOption(out, o, "")
	}
	out.WriteString("complete -c paxlog -l help -s h -d 'show help'\n")
}

// fishOption writes the line of one flag.
func fishOption(out *bytes.Buffer, o Option, condition string) {
	fmt.Fprintf(out, "complete -c paxlog %s-l %s", condition, o.Name)
	if o.Short != "" {
		fmt.Fprintf(out, " -s %s", o.Short)
	}
	switch {
	case len(o.Values) > 0:
		fmt.Fprintf(out, " -x -a %s", fishQuote(strings.Join(o.Values, " ")))
	case o.Files:
		out.WriteString(" -r -F")
	case o.Value != "":
		out.WriteString(" -x")
	}
	fmt.Fprintf(out, " -d %s\n", fishQuote(o.Usage))
}

// fishQuote quotes text for fish.
func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
