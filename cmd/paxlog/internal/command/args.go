package command

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// invocation is a command line, taken apart.
type invocation struct {
	path  []*Command      // the command, and its subcommand; nil if none is named
	flags []string        // each --NAME=VALUE, long names only
	given map[string]bool // the long names in flags
	args  []string
	help  bool
}

// name is the command's name as it is typed after "paxlog".
func (inv *invocation) name() string { return nameOf(inv.path) }

// argv is the command line in the one order that the flag package understands.
func (inv *invocation) argv() []string {
	argv := []string{"paxlog"}
	for _, c := range inv.path {
		argv = append(argv, c.Name)
	}
	argv = append(append(argv, inv.flags...), "--")
	return append(argv, inv.args...)
}

// nameOf joins the names of a path.
func nameOf(path []*Command) string {
	var names []string
	for _, c := range path {
		names = append(names, c.Name)
	}
	return strings.Join(names, " ")
}

// argumentParser goes through a command line from left to right.
type argumentParser struct {
	commands []*Command
	rest     []string
	inv      *invocation
}

// parseArguments takes a command line apart, without the program's name. Flags
// may stand before or after arguments, common flags also before the command; "--"
// ends flags. Its errors ask for ExitUsage.
func parseArguments(commands []*Command, args []string) (*invocation, error) {
	p := &argumentParser{commands: commands, rest: args, inv: &invocation{given: map[string]bool{}}}
	onlyArguments := false
	for len(p.rest) > 0 && !p.inv.help {
		arg := p.rest[0]
		p.rest = p.rest[1:]
		var err error
		switch {
		case onlyArguments || arg == "-" || !strings.HasPrefix(arg, "-"):
			err = p.word(arg)
		case arg == "--":
			onlyArguments = true
		case strings.HasPrefix(arg, "--"):
			err = p.long(arg)
		default:
			err = p.shorts(arg)
		}
		if err != nil {
			return nil, err
		}
	}
	return p.inv, p.check()
}

// check refuses an incomplete command, and common flags before a command that
// does not have them.
func (p *argumentParser) check() error {
	c := p.current()
	if p.inv.help || c == nil {
		if c == nil && len(p.inv.flags) > 0 && !p.inv.help {
			return Usagef("no command is given: see `paxlog --help`")
		}
		return nil
	}
	if len(c.Subs) > 0 {
		return Usagef("%s needs %s: see `paxlog %s --help`", c.Name, OrList(names(c.Subs)), c.Name)
	}
	for _, flag := range p.inv.flags {
		name, _, _ := strings.Cut(flag[2:], "=")
		if !slices.ContainsFunc(c.Options(), func(o Option) bool { return o.Name == name }) {
			return p.unknown("--" + name)
		}
	}
	return nil
}

// current is the command named so far, or nil.
func (p *argumentParser) current() *Command {
	if n := len(p.inv.path); n > 0 {
		return p.inv.path[n-1]
	}
	return nil
}

// word takes a command's name or an argument.
func (p *argumentParser) word(arg string) error {
	c := p.current()
	choices := p.commands
	if c != nil {
		choices = c.Subs
	}
	if c != nil && len(choices) == 0 {
		p.inv.args = append(p.inv.args, arg)
		return nil
	}
	for _, choice := range choices {
		if choice.Name == arg {
			p.inv.path = append(p.inv.path, choice)
			return nil
		}
	}
	if c == nil && arg == "help" {
		return p.helpFor()
	}
	where := "command"
	if c != nil {
		where = c.Name + " command"
	}
	return Usagef("unknown %s %q%s (see `%s`)", where, arg, didYouMean(arg, names(choices)), helpCommand(p.inv.path))
}

// helpFor takes what follows `paxlog help`.
func (p *argumentParser) helpFor() error {
	for _, arg := range p.rest {
		if c := p.current(); c != nil && len(c.Subs) == 0 {
			break
		}
		if err := p.word(arg); err != nil {
			return err
		}
	}
	p.inv.help = true
	return nil
}

// options are the flags that may stand at this point of the command line.
func (p *argumentParser) options() []Option {
	if c := p.current(); c != nil {
		return c.Options()
	}
	return slices.Concat(commonOptions, []Option{TimeoutOption, OutputOption("json")})
}

// long takes --NAME, --NAME VALUE or --NAME=VALUE.
func (p *argumentParser) long(arg string) error {
	name, value, attached := strings.Cut(arg[2:], "=")
	switch {
	case name == "help":
		p.inv.help = true
		return nil
	case name == "version" && p.current() == nil:
		return p.word("version")
	}
	for _, o := range p.options() {
		if o.Name == name {
			return p.take(o, o.Flag(), value, attached)
		}
	}
	return p.unknown("--" + name)
}

// shorts takes -x, -xVALUE, -x=VALUE, -x VALUE, or several switches as in -fq.
func (p *argumentParser) shorts(arg string) error {
	for rest := arg[1:]; rest != ""; {
		_, size := utf8.DecodeRuneInString(rest)
		letter := rest[:size]
		rest = rest[size:]
		if letter == "h" {
			p.inv.help = true
			return nil
		}
		i := slices.IndexFunc(p.options(), func(o Option) bool { return o.Short == letter })
		if i < 0 {
			return p.unknown(arg)
		}
		o := p.options()[i]
		if o.Value != "" {
			attached := rest != ""
			return p.take(o, "-"+letter, strings.TrimPrefix(rest, "="), attached)
		}
		if err := p.take(o, "-"+letter, "", false); err != nil {
			return err
		}
	}
	return nil
}

// take records one flag. A value that is not attached is the next argument: it
// may begin with one dash, as in --from -10, but not with two.
func (p *argumentParser) take(o Option, written, value string, attached bool) error {
	switch {
	case o.Value == "" && !attached:
		value = "true"
	case o.Value == "":
		if _, err := strconv.ParseBool(value); err != nil {
			return Usagef("%s takes no value, but was given %q (see `%s`)", written, value, helpCommand(p.inv.path))
		}
	case !attached && len(p.rest) > 0 && !strings.HasPrefix(p.rest[0], "--"):
		value, p.rest = p.rest[0], p.rest[1:]
	}
	if value == "" {
		return Usagef("%s needs a value, %s (see `%s`)", written, o.Value, helpCommand(p.inv.path))
	}
	p.inv.flags = append(p.inv.flags, "--"+o.Name+"="+value)
	p.inv.given[o.Name] = true
	return nil
}

// unknown words an unknown flag, and what the person may have meant.
func (p *argumentParser) unknown(arg string) error {
	c := p.current()
	if c == nil {
		if cmd := p.anyWith(strings.TrimLeft(arg, "-")); cmd != "" {
			return Usagef("%s stands before the command, but belongs after it, as in `paxlog %s %s`", arg, cmd, arg)
		}
	}
	var known []string
	for _, o := range p.options() {
		known = append(known, o.Flag())
	}
	hint := didYouMean(arg, known)
	if c != nil && c.Without[strings.TrimLeft(arg, "-")] != "" {
		hint = ": " + c.Without[strings.TrimLeft(arg, "-")]
	}
	if hint == "" && c != nil && c.AnyText {
		hint = ": a value that begins with '-' comes after --"
	}
	prefix := ""
	if c != nil {
		prefix = p.inv.name() + ": "
	}
	return Usagef("%sunknown flag %s%s (see `%s`)", prefix, arg, hint, helpCommand(p.inv.path))
}

// anyWith names a command that has an option of that name, one that follows before others, or "".
func (p *argumentParser) anyWith(name string) (found string) {
	for _, c := range p.commands {
		has := slices.ContainsFunc(c.Options(), func(o Option) bool { return o.Name == name || (o.Short == name && name != "") })
		switch {
		case has && slices.Contains(p.rest, c.Name):
			return c.Name
		case has && found == "":
			found = c.Name
		}
	}
	return found
}

// names are the names of commands.
func names(commands []*Command) []string {
	var all []string
	for _, c := range commands {
		all = append(all, c.Name)
	}
	return all
}

// helpCommand is the command line that prints help about path.
func helpCommand(path []*Command) string {
	return strings.Join(append(append([]string{"paxlog"}, names(path)...), "--help"), " ")
}
