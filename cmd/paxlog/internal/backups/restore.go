package backups

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/backup"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// restoreOptions say which backups are restored, and for which cluster.
type restoreOptions struct {
	Cluster *config.Cluster
	File    string // of Cluster
	Data    string
	Places  []place
	Until   backup.Until
	JSON    bool
}

// Restore is the command restore.
func Restore() *command.Command {
	return &command.Command{
		Name:    "restore",
		Group:   command.GroupOperating,
		Args:    "FILE|URL...",
		Summary: "make the directories of a new cluster out of backups",
		Details: "Makes DIR with a data directory for every acceptor and learner of the cluster file,\n" +
			"DIR/a1 and so on, to be moved to their hosts. It may be another file than that of the\n" +
			"cluster that was backed up, with more acceptors. DIR is there as a whole or not at\n" +
			"all, and must not have been there before. FILE... is a backup and those that go on\n" +
			"from it, in order, in files or buckets (s3://BUCKET/KEY); all of it is checked first.\n\n" +
			"The log that is made is a new one, with an id of its own. Entries keep their indexes,\n" +
			"times and append ids. Sessions do not go on in it: `resolve` of an append of the old\n" +
			"log says `chosen N`, or, exit code 5, that it is not in the restored part.",
		Example: "paxlog restore --config new.yaml --data ./restored /backup/monday /backup/tuesday\n" +
			"paxlog restore --config new.yaml --data ./restored --to @2026-03-01T12:00:00Z /backup/monday",
		Flags: []command.Option{
			command.DataOption,
			{Name: "to", Value: "N|@TIME", Usage: "nothing after this entry, or after this time"},
			command.OutputOption("plain", "json"),
		},
		Files: true,
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readRestoreOptions(in, env)
			if err != nil {
				return err
			}
			return explain(runRestore(ctx, env, opts))
		},
	}
}

// readRestoreOptions reads the flags of restore.
func readRestoreOptions(in *command.Input, env *command.Environment) (restoreOptions, error) {
	var opts restoreOptions
	texts, err := in.SomeArguments()
	if err != nil {
		return opts, err
	}
	if opts.Places, err = readPlaces(texts...); err != nil {
		return opts, err
	}
	if opts.Data, err = in.Require("data"); err != nil {
		return opts, err
	}
	format, err := in.Output()
	if err != nil {
		return opts, err
	}
	opts.JSON = format == "json"
	if text := in.Text("to"); text != "" {
		if at, isTime := strings.CutPrefix(text, "@"); isTime {
			t, problem := command.ParseTime(at, env.Now())
			if problem != "" {
				return opts, in.Bad("to", "%s", problem)
			}
			opts.Until.Time = max(1, paxos.UnixNanos(t.UnixNano()))
		} else if n, err := strconv.ParseUint(text, 10, 64); err != nil || n == 0 {
			return opts, in.Bad("to", "must be the index of the last entry, a number from 1, or @TIME")
		} else {
			opts.Until.Index = paxos.Index(n)
		}
	}
	opts.Cluster, opts.File, err = clusterfile.Load(env)
	return opts, err
}

// restoredJSON is what `restore -o json` prints.
type restoredJSON struct {
	Cluster      string         `json:"cluster"`
	Log          string         `json:"log"`
	Ancestor     *string        `json:"ancestor"` // the log restored from; null if it had no id
	LastInstance paxos.Instance `json:"ancestor_last_instance"`
	FirstIndex   paxos.Index    `json:"first_index"`
	LastIndex    paxos.Index    `json:"last_index"` // one below the first if there are no entries
	Time         *string        `json:"time"`       // of the last entry
	Directories  []string       `json:"directories"`
}

// runRestore makes the directories. Its errors ask for ExitFailed or ExitNoIndex.
func runRestore(ctx context.Context, env *command.Environment, opts restoreOptions) error {
	t := backup.Target{
		FS: vfs.Default, Dir: opts.Data, Members: opts.Cluster.Membership(), Now: paxos.UnixNanos(time.Now().UnixNano()),
		BatchBytes: opts.Cluster.Limits.BatchBytes, EntryBytes: opts.Cluster.Limits.EntryBytes, Until: opts.Until, Fatal: fatal(env),
	}
	for _, l := range opts.Cluster.Learners {
		t.Learners = append(t.Learners, l.ID)
	}
	if _, err := rand.Read(t.Log[:]); err != nil {
		return err
	}
	r, err := backup.Restore(openers(ctx, opts.Places), t)
	if err != nil {
		return err
	}
	if opts.JSON {
		return shapes.NewEncoder(env.Stdout).Encode(restoredJSON{
			Cluster: opts.Cluster.Name, Log: r.Log.String(), Ancestor: shapes.Known(r.From.Log.String(), !r.From.Log.IsZero()), LastInstance: r.From.Last,
			FirstIndex: r.First, LastIndex: r.Last, Time: shapes.Known(shapes.FormatTime(r.Time), r.Time != 0), Directories: r.Directories,
		})
	}
	what := fmt.Sprintf("entries %d to %d", r.First, r.Last)
	if r.Last < r.First {
		what = "no entries"
	}
	_, err = fmt.Fprintf(env.Stdout, "log %s of cluster %s, restored from log %s: %s, in %s\n",
		r.Log, opts.Cluster.Name, shapes.OrDash(shapes.Known(r.From.Log.String(), !r.From.Log.IsZero())), what, strings.Join(r.Directories, ", "))
	return err
}

// fatal returns what ends the process after a failed write. What was made is not usable.
func fatal(env *command.Environment) func(error) {
	var once sync.Once
	return func(err error) {
		once.Do(func() {
			env.EndLog()
			fmt.Fprintf(env.Stderr, "paxlog: %s\n", shapes.OneLine(err))
			env.Kill(command.ExitFailed)
		})
		select {} // Kill does not return
	}
}
