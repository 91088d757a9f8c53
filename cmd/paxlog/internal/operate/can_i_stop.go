package operate

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// canStopOptions say which processes are to be stopped.
type canStopOptions struct {
	options
	IDs []string
}

// CanIStop is the command can-i-stop.
func CanIStop() *command.Command {
	return &command.Command{
		Name:    "can-i-stop",
		Group:   command.GroupOperating,
		Args:    "ID...",
		Summary: "whether the log goes on without these processes",
		Details: "Judges by what every process says of itself now: who is up, who votes, who is\n" +
			"drained, who misses instances. Prints which processes would be left, how many are\n" +
			"needed, and what one more failure would do. Exit code 0 says yes, 1 no. Several\n" +
			"processes are judged together. An acceptor or learner that is further behind than\n" +
			"the instances that a leader has in flight (limits.window) does not count.",
		Example: "paxlog can-i-stop a1 && ssh host1 reboot\npaxlog can-i-stop a1 p1 l1 -o json",
		Flags:   []command.Option{command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption},
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readCanStopOptions(in, env)
			if err != nil {
				return err
			}
			return runCanStop(ctx, env, opts)
		},
	}
}

// readCanStopOptions reads the flags and arguments of can-i-stop.
func readCanStopOptions(in *command.Input, env *command.Environment) (opts canStopOptions, err error) {
	if opts.IDs, err = in.SomeArguments(); err != nil {
		return opts, err
	}
	opts.options, err = readOptions(in, env)
	return opts, err
}

// lag is how far behind a process may be and still count: what is in flight anyway.
func (o *options) lag() uint64 { return uint64(o.Cluster.Limits.Window) }

// runCanStop prints the judgement. Its error asks for ExitFailed if that is no.
func runCanStop(ctx context.Context, env *command.Environment, opts canStopOptions) error {
	return opts.connected(ctx, func(ctx context.Context, c *client.Client) error {
		s, err := c.Status(ctx)
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		for _, id := range opts.IDs {
			if !slices.ContainsFunc(s.Processes, func(p client.ProcessStatus) bool { return p.ID == id }) {
				_, err = roleOf(opts.options, id)
				return err
			}
		}
		m := membership(&s, opts.Cluster.Membership())
		j := Judge(s, m, opts.lag(), opts.IDs...)
		if opts.JSON {
			err = shapes.NewEncoder(env.Stdout).Encode(j.shape(m))
		} else {
			err = j.write(env.Stdout, m)
		}
		if err = command.UnlessClosed(err); err == nil && !j.Yes() {
			err = &command.ExitError{Code: command.ExitFailed}
		}
		return err
	})
}

// write prints a judgement for people.
func (j *Judgement) write(w io.Writer, m paxos.Membership) error {
	lines := []string{fmt.Sprintf("yes: %s can be stopped", strings.Join(j.Stop, ", "))}
	if !j.Yes() {
		lines[0] = fmt.Sprintf("no: %s must not be stopped: %s", strings.Join(j.Stop, ", "), strings.Join(j.Reasons, "; "))
	}
	for _, l := range []struct {
		role string
		left *Left
		need string
	}{
		{"acceptors", &j.Acceptors, fmt.Sprintf("%d needed (phase1 %d, phase2 %d)", j.Acceptors.Need, m.Phase1, m.Phase2)},
		{"proposers", &j.Proposers, "1 needed"},
		{"learners", &j.Learners, "1 needed"},
	} {
		line := fmt.Sprintf("%s left: %d of %d%s, %s", l.role, len(l.left.IDs), l.left.Of, inBrackets(l.left.IDs), l.need)
		if len(l.left.Without) > 0 {
			line += "; not counted: " + strings.Join(l.left.Without, ", ")
		}
		lines = append(lines, line)
	}
	lines = append(lines, "one more failure: "+j.OneMore)
	_, err := fmt.Fprintln(w, strings.Join(append(lines, j.Advice...), "\n"))
	return err
}

func inBrackets(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return " (" + strings.Join(ids, ", ") + ")"
}

// shape is the judgement as JSON.
func (j *Judgement) shape(m paxos.Membership) shapes.CanStop {
	left := func(l Left) shapes.Left {
		return shapes.Left{IDs: list(l.IDs), Of: l.Of, Need: l.Need, Without: list(l.Without), Survives: l.Survives}
	}
	return shapes.CanStop{
		Stop: j.Stop, CanStop: j.Yes(), Reasons: list(j.Reasons), Acceptors: left(j.Acceptors), Proposers: left(j.Proposers), Learners: left(j.Learners),
		Phase1: m.Phase1, Phase2: m.Phase2, OneMore: j.OneMore, Advice: list(j.Advice),
	}
}

// list is never null in JSON.
func list(words []string) []string { return append([]string{}, words...) }
