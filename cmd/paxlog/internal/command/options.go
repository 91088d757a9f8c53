package command

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/paxlog/paxlog/paxos"
)

// Option is one flag of a command. Every flag has the environment variable
// PAXLOG_ and its name in capitals, which the command line overrides.
type Option struct {
	Name   string   // long name, without dashes
	Short  string   // one letter, or ""
	Value  string   // what stands for its value in help; "" for a switch
	Usage  string   // one line for help
	Preset string   // the value if neither flag nor environment gives one
	Values []string // the only values allowed; nil for any
	Files  bool     // completed with the names of files
}

// Env is the option's environment variable.
func (o Option) Env() string {
	return "PAXLOG_" + strings.ToUpper(strings.ReplaceAll(o.Name, "-", "_"))
}

// Flag is the option as it is written on a command line.
func (o Option) Flag() string { return "--" + o.Name }

// urfave translates an option. Texts are parsed by this package, so that errors
// are worded alike.
func (o Option) urfave() cli.Flag {
	if o.Value == "" {
		return &cli.BoolFlag{Name: o.Name}
	}
	return &cli.StringFlag{Name: o.Name, EnvVars: []string{o.Env()}}
}

// commonOptions are taken by every command, before or after its name.
var commonOptions = []Option{
	{Name: "config", Value: "FILE", Usage: "the cluster file; else ./paxlog.yaml", Files: true},
	{Name: "tls-cert", Value: "FILE", Usage: "with TLS: the certificate; else tls.cert of the cluster file", Files: true},
	{Name: "tls-key", Value: "FILE", Usage: "with TLS: its key; else tls.key", Files: true},
	{Name: "tls-ca", Value: "FILE", Usage: "with TLS: the authorities of processes; else tls.peer_ca", Files: true},
	{Name: "log-level", Value: "LEVEL", Usage: "debug, info, warn or error; else info in daemons, warn in clients", Values: []string{"debug", "info", "warn", "error"}},
	{Name: "log-format", Value: "FORMAT", Usage: "json or console; else console on a terminal", Values: []string{"json", "console"}},
}

// Options that several commands share.
var (
	TimeoutOption = Option{Name: "timeout", Value: "DURATION", Usage: "how long to wait; 0 waits for ever", Preset: "10s"}
	LearnerOption = Option{Name: "learner", Value: "ID", Usage: "read from this learner"}
	StaleOption   = Option{Name: "stale", Usage: "what the learner has, without asking a quorum"}
	LogIDOption   = Option{Name: "log", Value: "ID", Usage: "which log is meant, as status prints its id: another one is refused"}
	NullOption    = Option{Name: "null", Usage: "end each entry with NUL instead of a newline"}
	IDOption      = Option{Name: "id", Value: "ID", Usage: "which process of the cluster file this is"}
	DataOption    = Option{Name: "data", Value: "DIR", Usage: "the data directory", Files: true}
	ListenOption  = Option{Name: "listen", Value: "HOST:PORT", Usage: "bind this address instead of the one in the cluster file"}
)

// formats are the values of --output of all commands.
var formats = []string{"plain", "raw", "bytes", "table", "json"}

// OutputOption returns -o with the given formats, the first of which is the
// default.
func OutputOption(values ...string) Option {
	return Option{
		Name: "output", Short: "o", Value: "FORMAT",
		Usage: OrList(values), Preset: values[0], Values: values,
	}
}

// Input is what the command line and the environment say to one command.
type Input struct {
	context *cli.Context
	command *Command
	Name    string          // the command's name, such as "config check"
	Given   map[string]bool // options given on the command line itself
	Args    []string
}

// option returns the command's option of that name.
func (in *Input) option(name string) Option {
	for _, o := range in.command.Options() {
		if o.Name == name {
			return o
		}
	}
	panic("command " + in.Name + " declares no option " + name)
}

// Text returns an option's value, or its preset. An empty environment variable
// counts as none.
func (in *Input) Text(name string) string {
	if text := in.context.String(name); text != "" {
		return text
	}
	return in.option(name).Preset
}

// On reports whether a switch is set.
func (in *Input) On(name string) bool {
	if in.Given[name] {
		return in.context.Bool(name)
	}
	on, _ := strconv.ParseBool(os.Getenv(in.option(name).Env()))
	return on
}

// checkSwitches refuses a switch in the environment that is neither true nor
// false. urfave reads no switch there, because its message is about its own code.
func (in *Input) checkSwitches() error {
	for _, o := range in.command.Options() {
		text := os.Getenv(o.Env())
		if o.Value != "" || text == "" || in.Given[o.Name] {
			continue
		}
		if _, err := strconv.ParseBool(text); err != nil {
			return Usagef("%s: %s %q: must be true or false", in.Name, o.Env(), text)
		}
	}
	return nil
}

// Bad returns a usage error about an option, naming where its value came from.
func (in *Input) Bad(name, format string, args ...any) error {
	o := in.option(name)
	where := o.Flag()
	if !in.Given[name] {
		where = o.Env()
	}
	return Usagef("%s: %s %q: %s", in.Name, where, in.Text(name), fmt.Sprintf(format, args...))
}

// CheckValue refuses a value that the option does not list.
func (in *Input) CheckValue(name string) error {
	text, values := in.Text(name), in.option(name).Values
	if text == "" || slices.Contains(values, text) {
		return nil
	}
	return in.Bad(name, "must be %s", OrList(values))
}

// Output returns the value of --output. PAXLOG_OUTPUT may hold the format of
// another command, which is passed over.
func (in *Input) Output() (string, error) {
	text := in.Text("output")
	if !in.Given["output"] && slices.Contains(formats, text) && !slices.Contains(in.option("output").Values, text) {
		return in.option("output").Preset, nil
	}
	return text, in.CheckValue("output")
}

// Timeout returns the value of --timeout; 0 stands for ever.
func (in *Input) Timeout() (time.Duration, error) {
	d, err := time.ParseDuration(in.Text("timeout"))
	if err != nil || d < 0 {
		return 0, in.Bad("timeout", "is no duration: write 500ms, 10s or 1m30s, or 0 to wait for ever")
	}
	return d, nil
}

// LogID reads --log; zero stands for any log.
func (in *Input) LogID() (id paxos.LogID, err error) {
	text := in.Text(LogIDOption.Name)
	if text == "" {
		return id, nil
	}
	if id, err = paxos.ParseLogID(text); err != nil {
		return id, in.Bad(LogIDOption.Name, "is no log id: `paxlog status -o json` prints it, 32 hex digits")
	}
	return id, nil
}

// NoArguments refuses any argument.
func (in *Input) NoArguments() error {
	if len(in.Args) > 0 {
		return Usagef("%s takes no argument, but was given %q: see `paxlog %s --help`", in.Name, in.Args[0], in.Name)
	}
	return nil
}

// OneArgument returns the only argument.
func (in *Input) OneArgument() (string, error) {
	if len(in.Args) != 1 {
		return "", Usagef("%s takes one argument, %s, not %d: see `paxlog %s --help`", in.Name, in.command.Args, len(in.Args), in.Name)
	}
	return in.Args[0], nil
}

// SomeArguments returns the arguments, of which there is at least one.
func (in *Input) SomeArguments() ([]string, error) {
	if len(in.Args) == 0 {
		return nil, Usagef("%s takes arguments, %s, and was given none: see `paxlog %s --help`", in.Name, in.command.Args, in.Name)
	}
	return in.Args, nil
}

// Require returns the value of an option that must be given.
func (in *Input) Require(name string) (string, error) {
	text := in.Text(name)
	if text == "" {
		o := in.option(name)
		return "", Usagef("%s needs %s %s: %s", in.Name, o.Flag(), o.Value, o.Usage)
	}
	return text, nil
}

// OrList joins words with commas and "or".
func OrList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
