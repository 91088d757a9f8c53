package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos/control"
)

// UpgradeCommand is the command upgrade.
func UpgradeCommand() *command.Command {
	return &command.Command{
		Name:    "upgrade",
		Group:   command.GroupOperating,
		Summary: "which releases run, and the step after which there is no way back",
		Example: "paxlog upgrade status",
		Subs: []*command.Command{{
			Name:    "status",
			Summary: "which release each process runs, the level of the log, and what finalize would change",
			Details: "A level says what may be proposed and stored in the log. Programs are replaced one at\n" +
				"a time, in any order, and an older one may be put back, until finalize raises the\n" +
				"level. Prints of each process its program, the versions of the protocol that it\n" +
				"speaks, the highest level that it knows, and the format of its data directory; what\n" +
				"finalize would change, and what is in its way.",
			Example: "paxlog upgrade status\npaxlog upgrade status -o json",
			Flags:   []command.Option{command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption},
			Action:  withOptions(runUpgradeStatus),
		}, {
			Name:    "finalize",
			Summary: "raise the level of the log to that of this program; there is no way back",
			Details: "Refused, with exit code 1 and the reasons, unless every process of the cluster file is\n" +
				"up and knows the level. Then the leader has the level chosen like an entry; a log\n" +
				"that an earlier release began gets its id so. Each process converts its data\n" +
				"directory by itself. Prints the level before and after. It may be run again at any\n" +
				"time; where there is nothing to do it says so. Exit code 3 says that nobody leads.\n" +
				"It takes admin (`paxlog grants`).",
			Example: "paxlog upgrade finalize --yes",
			Flags:   []command.Option{yesOption, command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption},
			Action:  withOptions(runFinalize),
		}},
	}
}

// judgeUpgrade asks every process.
func judgeUpgrade(ctx context.Context, c *client.Client) (Upgrade, error) {
	s, err := c.Status(ctx)
	if err == nil {
		err = context.Cause(ctx)
	}
	return JudgeUpgrade(s, control.Level), err
}

// runUpgradeStatus prints the judgement.
func runUpgradeStatus(ctx context.Context, env *command.Environment, opts options) error {
	return opts.connected(ctx, func(ctx context.Context, c *client.Client) error {
		u, err := judgeUpgrade(ctx, c)
		if err != nil {
			return err
		}
		if opts.JSON {
			return command.UnlessClosed(shapes.NewEncoder(env.Stdout).Encode(u.shape()))
		}
		return command.UnlessClosed(u.write(env.Stdout))
	})
}

// write prints a judgement for people.
func (u *Upgrade) write(w io.Writer) error {
	shape := u.shape()
	fmt.Fprintf(w, "log %s, level %d\n\n", shapes.OrDash(shape.Log), u.Level)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tROLE\tADDRESS\tUP\tPROGRAM\tPROTOCOL\tKNOWS LEVEL\tFORMAT")
	for _, p := range shape.Processes {
		up, protocol := "yes", "-"
		if !p.Up {
			up = "no"
		}
		if p.Newest != nil {
			protocol = fmt.Sprintf("%d to %d", *p.Oldest, *p.Newest)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, p.Role, p.Addr, up, shapes.OrDash(p.Program), protocol, shapes.OrDash(p.Knows), shapes.OrDash(p.Format))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	text := "\nnothing to finalize: the log has the level that this program knows\n"
	if u.Done() && len(u.Obstacles) > 0 {
		text += "but:\n" + bullets(u.Obstacles)
	}
	if !u.Done() {
		text = fmt.Sprintf("\nfinalize would raise the level from %d to %d:\n%s", u.Level, u.To, bullets(u.Changes()))
		if len(u.Obstacles) > 0 {
			text += "in its way:\n" + bullets(u.Obstacles)
		} else {
			text += "nothing is in its way: `paxlog upgrade finalize`\n"
		}
	}
	_, err := io.WriteString(w, text)
	return err
}

func bullets(lines []string) string { return "  " + strings.Join(lines, "\n  ") + "\n" }

// settleEvery is how often it is looked whether all processes know the level.
const settleEvery = 200 * time.Millisecond

// runFinalize has the level raised. Its errors ask for ExitFailed or ExitUnavailable.
func runFinalize(ctx context.Context, env *command.Environment, opts options) error {
	return opts.connected(ctx, func(ctx context.Context, c *client.Client) error {
		u, err := judgeUpgrade(ctx, c)
		if err != nil {
			return err
		}
		out := shapes.Finalized{Before: u.Level, Converted: list(u.Converts)}
		if !u.Done() {
			if len(u.Obstacles) > 0 {
				return command.Exitf(command.ExitFailed, "the level stays %d, nothing was done: %s", u.Level, strings.Join(u.Obstacles, "; "))
			}
			if err := opts.agree(env, "This is what changes:\n"+bullets(u.Changes())); err != nil {
				return err
			}
			raised, err := raise(ctx, c, u.To)
			if err != nil {
				return explain(err)
			}
			at := uint64(raised.At)
			out.Instance = &at
		}
		if u, err = settled(ctx, c); err != nil {
			return err
		}
		out.Log, out.After, out.Behind, out.Down = u.Log.String(), u.Level, list(u.behind()), list(u.down())
		if opts.JSON {
			return shapes.NewEncoder(env.Stdout).Encode(out)
		}
		_, err = io.WriteString(env.Stdout, finalizedText(out))
		return err
	})
}

// finalizedText is what was done, for people.
func finalizedText(f shapes.Finalized) string {
	text := fmt.Sprintf("the level of log %s was %d and is %d", f.Log, f.Before, f.After)
	if f.Instance == nil {
		text = fmt.Sprintf("nothing to do: log %s has level %d", f.Log, f.After)
	} else {
		text += fmt.Sprintf(", from the instance after %d on", *f.Instance)
	}
	if len(f.Converted) > 0 {
		text += "; data directories converted: " + strings.Join(f.Converted, " ")
	}
	if len(f.Behind) > 0 {
		text += "; not there yet, they follow by themselves: " + strings.Join(f.Behind, " ")
	}
	if len(f.Down) > 0 {
		text += "; not reached, and not waited for: " + strings.Join(f.Down, " ") + ": each takes the level when it is started, if its program knows it (`paxlog upgrade status`)"
	}
	return text + "\n"
}

// raise asks the leader until it says that the level was raised, or why not. A leader that was
// lost may have done it: asking the next one shows that.
func raise(ctx context.Context, c *client.Client, to uint64) (client.Raised, error) {
	for {
		raised, err := c.RaiseLevel(ctx, to)
		if err == nil || !errors.Is(err, client.ErrUnavailable) {
			return raised, err
		}
		select {
		case <-ctx.Done():
			return raised, err
		case <-time.After(settleEvery):
		}
	}
}

// settled waits until all processes that are up know the level and have converted their
// directories, for as long as there is time. Nobody waits for one that is down: it may be for days.
func settled(ctx context.Context, c *client.Client) (u Upgrade, err error) {
	for first := true; ; first = false {
		now, err := judgeUpgrade(ctx, c)
		if err != nil && !first {
			return u, nil // the time is up; u says how far it came
		}
		if u = now; err != nil || len(u.behind()) == 0 {
			return u, err
		}
		select {
		case <-ctx.Done():
			return u, nil
		case <-time.After(settleEvery):
		}
	}
}
