package operate

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// retentionOptions say how much of the log is to be kept.
type retentionOptions struct {
	options
	Age            time.Duration
	Bytes, Entries uint64
	given          map[string]bool // flags; the others leave what is in force
}

var retentionFlags = []command.Option{yesOption, command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption}

// Retention is the command retention.
func Retention() *command.Command {
	return &command.Command{
		Name:    "retention",
		Group:   command.GroupOperating,
		Summary: "how much of the log is kept",
		Details: "The log itself holds the setting, and its leader sees to it: checkpoints are made as\n" +
			"they are needed, and the oldest entries deleted everywhere as `paxlog trim` does.",
		Example: "paxlog retention set --bytes 100GiB\npaxlog retention show",
		Subs: []*command.Command{
			{
				Name:    "show",
				Summary: "what is kept, and how much there is",
				Example: "paxlog retention show -o json",
				Flags:   retentionFlags[1:],
				Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
					opts, err := readRetention(in, env)
					if err != nil {
						return err
					}
					return opts.connected(ctx, func(ctx context.Context, c *client.Client) error {
						r, err := c.Retention(ctx)
						return opts.print(env, r, err)
					})
				},
			},
			{
				Name:    "set",
				Summary: "have the oldest entries deleted from now on",
				Details: "Entries go when they are older than --age, when more than --entries newer ones are\n" +
					"there, or when the log takes more than --bytes on each disk, whichever comes first.\n" +
					"What is not given stays as it was; 0 limits nothing any more. The age is that of the\n" +
					"entry's time; reading changes nothing. Trims come in steps of an eighth of what is\n" +
					"kept: --age and --entries delete nothing before that, --bytes is not exceeded by\n" +
					"more than what comes while a checkpoint is made.",
				Example: "paxlog retention set --age 7d --bytes 100GiB --yes",
				Flags: append([]command.Option{
					{Name: "age", Value: "DURATION", Usage: "how old entries become, such as 36h or 7d"},
					{Name: "bytes", Value: "SIZE", Usage: "how large the log becomes, such as 100GiB"},
					{Name: "entries", Value: "N", Usage: "how many of the newest entries are kept"},
				}, retentionFlags...),
				Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
					opts, err := readRetention(in, env)
					opts.Yes = in.On("yes")
					if err == nil {
						err = opts.readLimits(in)
					}
					if err != nil {
						return err
					}
					return opts.set(ctx, env)
				},
			},
			{
				Name:    "off",
				Summary: "keep everything from now on",
				Example: "paxlog retention off",
				Flags:   retentionFlags,
				Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
					opts, err := readRetention(in, env)
					if err != nil {
						return err
					}
					opts.Yes = in.On("yes")
					opts.given = map[string]bool{"age": true, "bytes": true, "entries": true}
					return opts.set(ctx, env)
				},
			},
		},
	}
}

func readRetention(in *command.Input, env *command.Environment) (opts retentionOptions, err error) {
	if err = in.NoArguments(); err == nil {
		opts.options, err = readOptions(in, env)
	}
	return opts, err
}

// readLimits reads what is to be kept.
func (o *retentionOptions) readLimits(in *command.Input) error {
	o.given = map[string]bool{}
	for _, name := range []string{"age", "bytes", "entries"} {
		text := in.Text(name)
		if text == "" {
			continue
		}
		o.given[name] = true
		ok, form := false, ""
		switch name {
		case "age":
			o.Age, ok = command.ParseAge(text)
			form = "must be a duration of a second or more, such as 36h or 7d, or 0"
		case "bytes":
			var n int
			n, ok = config.ParseSize(text)
			o.Bytes, form = uint64(n), "must be a number of bytes, such as 100GiB, or 0"
		case "entries":
			n, err := strconv.ParseUint(text, 10, 64)
			o.Entries, ok, form = n, err == nil && n < paxos.Bound, "must be a number of entries, or 0"
		}
		if !ok {
			return in.Bad(name, "%s", form)
		}
	}
	if len(o.given) == 0 {
		return command.Usagef("retention set needs at least one of --age, --bytes and --entries: `paxlog retention show` prints what is in force")
	}
	return nil
}

// set changes what is kept. Its errors ask for ExitFailed or ExitUnavailable.
func (o *retentionOptions) set(ctx context.Context, env *command.Environment) error {
	return o.connected(ctx, func(ctx context.Context, c *client.Client) error {
		was, err := c.Retention(ctx)
		if err != nil {
			return explain(err)
		}
		r := was.Retention
		if o.given["age"] {
			r.Age = o.Age
		}
		if o.given["bytes"] {
			r.Bytes = o.Bytes
		}
		if o.given["entries"] {
			r.Entries = o.Entries
		}
		plan := "Nothing is deleted by itself any more."
		if r != (client.Retention{}) {
			plan = fmt.Sprintf("%s. What is beyond is deleted everywhere, for good.", kept(r))
		}
		if err := o.agree(env, plan); err != nil {
			return err
		}
		done, err := c.SetRetention(ctx, r)
		return o.print(env, done, err)
	})
}

// kept says what r keeps.
func kept(r client.Retention) string {
	var limits []string
	if r.Age > 0 {
		limits = append(limits, "entries not older than "+formatAge(r.Age))
	}
	if r.Bytes > 0 {
		limits = append(limits, fmt.Sprintf("%s of values", formatSize(r.Bytes)))
	}
	if r.Entries > 0 {
		limits = append(limits, fmt.Sprintf("the newest %d entries", r.Entries))
	}
	if len(limits) == 0 {
		return "the log keeps everything"
	}
	return "the log keeps no more than " + strings.Join(limits, ", and no more than ")
}

// formatAge writes whole days as such.
func formatAge(d time.Duration) string {
	const day = 24 * time.Hour
	if d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}

// formatSize writes a size in the largest unit of which it is a whole number.
func formatSize(n uint64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB"}
	i := 0
	for ; i+1 < len(units) && n >= 1<<10 && n%(1<<10) == 0; i++ {
		n >>= 10
	}
	return fmt.Sprintf("%d %s", n, units[i])
}

// print prints what is kept.
func (o *retentionOptions) print(env *command.Environment, r client.Retained, err error) error {
	if err != nil {
		return explain(err)
	}
	if o.JSON {
		return shapes.NewEncoder(env.Stdout).Encode(shapes.RetentionOf(r))
	}
	now := "there is no checkpoint yet"
	if r.Checkpoint > 0 {
		now = fmt.Sprintf("the newest checkpoint, at index %d, is of %s, and %d bytes of values are kept up to there", r.Checkpoint, r.CheckpointAt.UTC().Format(time.RFC3339), r.Kept)
	}
	for _, h := range r.Holds {
		now += fmt.Sprintf("\nhold %s keeps what there is from index %d on (set at %s)", h.Name, h.At, h.Set.UTC().Format(time.RFC3339))
	}
	_, err = fmt.Fprintf(env.Stdout, "%s\nthe first index is %d; %s\n", kept(r.Retention), r.FirstIndex, now)
	return err
}
