package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// option is one flag of a command. Every flag has the environment variable
// PAXLOG_ and its name in capitals, which the command line overrides.
type option struct {
	name   string   // long name, without dashes
	short  string   // one letter, or ""
	value  string   // what stands for its value in help; "" for a switch
	usage  string   // one line for help
	preset string   // the value if neither flag nor environment gives one
	values []string // the only values allowed; nil for any
	files  bool     // completed with the names of files
}

// env is the option's environment variable.
func (o option) env() string {
	return "PAXLOG_" + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
}

// flag is the option as it is written on a command line.
func (o option) flag() string { return "--" + o.name }

// urfave translates an option. Texts are parsed by this package, so that errors
// are worded alike.
func (o option) urfave() cli.Flag {
	if o.value == "" {
		return &cli.BoolFlag{Name: o.name}
	}
	return &cli.StringFlag{Name: o.name, EnvVars: []string{o.env()}}
}

// commonOptions are taken by every command, before or after its name.
var commonOptions = []option{
	{name: "config", value: "FILE", usage: "the cluster file; else ./paxlog.yaml", files: true},
	{name: "log-level", value: "LEVEL", usage: "debug, info, warn or error; else info in daemons, warn in clients", values: []string{"debug", "info", "warn", "error"}},
	{name: "log-format", value: "FORMAT", usage: "json or console; else console on a terminal", values: []string{"json", "console"}},
}

// Options that several commands share.
var (
	timeoutOption = option{name: "timeout", value: "DURATION", usage: "how long to wait; 0 waits for ever", preset: "10s"}
	learnerOption = option{name: "learner", value: "ID", usage: "read from this learner"}
	staleOption   = option{name: "stale", usage: "what the learner has, without asking a quorum"}
	nullOption    = option{name: "null", usage: "end each entry with NUL instead of a newline"}
	idOption      = option{name: "id", value: "ID", usage: "which process of the cluster file this is"}
	dataOption    = option{name: "data", value: "DIR", usage: "the data directory", files: true}
	listenOption  = option{name: "listen", value: "HOST:PORT", usage: "bind this address instead of the one in the cluster file"}
)

// formats are the values of --output of all commands.
var formats = []string{"plain", "raw", "table", "json"}

// outputOption returns -o with the given formats, the first of which is the
// default.
func outputOption(values ...string) option {
	return option{
		name: "output", short: "o", value: "FORMAT",
		usage: strings.Join(values, " or "), preset: values[0], values: values,
	}
}

// input is what the command line and the environment say to one command.
type input struct {
	context *cli.Context
	command *command
	name    string          // the command's name, such as "config check"
	given   map[string]bool // options given on the command line itself
	args    []string
}

// option returns the command's option of that name.
func (in *input) option(name string) option {
	for _, o := range in.command.options() {
		if o.name == name {
			return o
		}
	}
	panic("command " + in.name + " declares no option " + name)
}

// text returns an option's value, or its preset. An empty environment variable
// counts as none.
func (in *input) text(name string) string {
	if text := in.context.String(name); text != "" {
		return text
	}
	return in.option(name).preset
}

// on reports whether a switch is set.
func (in *input) on(name string) bool {
	if in.given[name] {
		return in.context.Bool(name)
	}
	on, _ := strconv.ParseBool(os.Getenv(in.option(name).env()))
	return on
}

// checkSwitches refuses a switch in the environment that is neither true nor
// false. urfave reads no switch there, because its message is about its own code.
func (in *input) checkSwitches() error {
	for _, o := range in.command.options() {
		text := os.Getenv(o.env())
		if o.value != "" || text == "" || in.given[o.name] {
			continue
		}
		if _, err := strconv.ParseBool(text); err != nil {
			return usagef("%s: %s %q: must be true or false", in.name, o.env(), text)
		}
	}
	return nil
}

// bad returns a usage error about an option, naming where its value came from.
func (in *input) bad(name, format string, args ...any) error {
	o := in.option(name)
	where := o.flag()
	if !in.given[name] {
		where = o.env()
	}
	return usagef("%s: %s %q: %s", in.name, where, in.text(name), fmt.Sprintf(format, args...))
}

// checkValue refuses a value that the option does not list.
func (in *input) checkValue(name string) error {
	text, values := in.text(name), in.option(name).values
	if text == "" || slices.Contains(values, text) {
		return nil
	}
	return in.bad(name, "must be %s", orList(values))
}

// output returns the value of --output. PAXLOG_OUTPUT may hold the format of
// another command, which is passed over.
func (in *input) output() (string, error) {
	text := in.text("output")
	if !in.given["output"] && slices.Contains(formats, text) && !slices.Contains(in.option("output").values, text) {
		return in.option("output").preset, nil
	}
	return text, in.checkValue("output")
}

// timeout returns the value of --timeout; 0 stands for ever.
func (in *input) timeout() (time.Duration, error) {
	d, err := time.ParseDuration(in.text("timeout"))
	if err != nil || d < 0 {
		return 0, in.bad("timeout", "is no duration: write 500ms, 10s or 1m30s, or 0 to wait for ever")
	}
	return d, nil
}

// noArguments refuses any argument.
func (in *input) noArguments() error {
	if len(in.args) > 0 {
		return usagef("%s takes no argument, but was given %q: see `paxlog %s --help`", in.name, in.args[0], in.name)
	}
	return nil
}

// oneArgument returns the only argument.
func (in *input) oneArgument() (string, error) {
	if len(in.args) != 1 {
		return "", usagef("%s takes one argument, %s, not %d: see `paxlog %s --help`", in.name, in.command.args, len(in.args), in.name)
	}
	return in.args[0], nil
}

// require returns the value of an option that must be given.
func (in *input) require(name string) (string, error) {
	text := in.text(name)
	if text == "" {
		o := in.option(name)
		return "", usagef("%s needs %s %s: %s", in.name, o.flag(), o.value, o.usage)
	}
	return text, nil
}

// orList joins words with commas and "or".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
