package backups

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/backup"
	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wal"
)

// backupOptions say what is backed up, and where to.
type backupOptions struct {
	Cluster clusterfile.Found // if Data is ""
	Learner paxos.NodeID      // "" for the one that has come furthest
	Data    string            // a directory that no process uses
	Place   place
	From    paxos.Index // 0: where the log begins
	Since   []place     // or where these end
	Hold    string      // the hold that is moved when the backup is complete; "" for none
	JSON    bool
	Timeout time.Duration // for each answer; 0 waits for ever
}

// Backup is the command backup, with backup verify.
func Backup() *command.Command {
	return &command.Command{
		Name:    "backup",
		Group:   command.GroupOperating,
		Args:    "FILE|URL|-",
		Summary: "write the log into a file or a bucket, or verify that",
		Details: "Writes all that one learner has: every value as it was chosen, with the sessions and\n" +
			"times of entries. It asks no quorum, so that a lone learner will do, and says up to\n" +
			"where it came; with --data it reads the directory of a learner or acceptor that is\n" +
			"stopped. A file gets its name when it is whole and on disk; one that is there is not\n" +
			"replaced. - is standard output. An object of a bucket, s3://BUCKET/KEY, may stand\n" +
			"wherever FILE does, and is there when it is whole, too (docs/operations.md has the\n" +
			"settings). --since FILE writes what came after an earlier backup (repeat it, in\n" +
			"order, for one that went on from others), --from N what came after the\n" +
			"entry before N. --hold NAME moves that hold to the last entry of the backup when it is\n" +
			"complete, so that no trim comes between it and the next --since; that takes admin.\n\n" +
			"backup verify FILE... reads backups, in the order in which they were made, checks all\n" +
			"of them and that each goes on where the one before ends, and says the first thing\n" +
			"that does not fit, exit code 1. A backup is not encrypted, and not signed.",
		Example: "paxlog backup /backup/monday\npaxlog backup --since /backup/monday /backup/tuesday\n" +
			"paxlog backup verify /backup/monday /backup/tuesday\npaxlog backup --data /var/lib/paxlog/l1 - | age -r KEY > l1.age\n" +
			"paxlog backup s3://backups/monday",
		Flags: []command.Option{
			{Name: "from", Value: "N", Usage: "begin with this entry"},
			{Name: "since", Value: "FILE[,FILE]", Usage: "go on where this backup ends; after commas, those that go on from it", Files: true},
			{Name: "hold", Value: "NAME", Usage: "then move this hold to the last entry (`paxlog hold --help`)"},
			{Name: "data", Value: "DIR", Usage: "read a data directory that no process uses", Files: true},
			command.LearnerOption, command.StaleOption, command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption,
		},
		Files: true,
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			if len(in.Args) > 0 && in.Args[0] == "verify" {
				return verify(ctx, env, in)
			}
			opts, err := readBackupOptions(in, env)
			if err != nil {
				return err
			}
			return explain(runBackup(ctx, env, opts))
		},
	}
}

// readBackupOptions reads the flags of backup.
func readBackupOptions(in *command.Input, env *command.Environment) (backupOptions, error) {
	opts := backupOptions{Data: in.Text("data"), Hold: in.Text("hold")}
	to, err := in.OneArgument()
	if err != nil {
		return opts, err
	}
	places, err := readPlaces(append(list(in.Text("since")), to)...)
	if err != nil {
		return opts, err
	}
	opts.Since, opts.Place = places[:len(places)-1], places[len(places)-1]
	format, err := in.Output()
	if err != nil {
		return opts, err
	}
	opts.JSON = format == "json"
	if text := in.Text("from"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || n == 0 {
			return opts, in.Bad("from", "must be the index of the first entry, a number from 1")
		}
		if opts.From = paxos.Index(n); len(opts.Since) > 0 {
			return opts, command.Usagef("backup: --from and --since both say where to begin: give one of them")
		}
	}
	switch {
	case in.Given["hold"] && !paxos.IsName(opts.Hold):
		return opts, in.Bad("hold", "must be the name of a hold: 1 to 64 letters, digits, and characters out of `-_.`")
	case opts.Hold != "" && opts.Data != "":
		return opts, command.Usagef("backup: --hold asks the leader of a log that runs, and --data reads a directory that nobody uses: give one of them")
	}
	if opts.Timeout, err = in.Timeout(); err != nil {
		return opts, err
	}
	if opts.Data != "" {
		return opts, nil
	}
	if opts.Cluster, err = clusterfile.FindLog(env, in); err != nil {
		return opts, err
	}
	opts.Learner, err = opts.Cluster.Learner(in)
	return opts, err
}

// runBackup makes the backup. Its errors ask for ExitFailed, ExitUnavailable or ExitNoIndex.
func runBackup(ctx context.Context, env *command.Environment, opts backupOptions) (err error) {
	take := backup.Options{From: opts.From}
	if len(opts.Since) > 0 {
		if take.Since, err = backup.ReadEarlier(openers(ctx, opts.Since)); err != nil {
			return err
		}
	}
	src, err := openSource(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.close()) }()
	take.Cluster = src.cluster
	out, err := opts.Place.create(ctx, env)
	if err != nil {
		return err
	}
	r, err := backup.Take(ctx, src, out, take)
	if err != nil {
		return errors.Join(err, out.discard())
	}
	if err := out.keep(); err != nil {
		return err
	}
	if err := printReport(env, opts, r); err != nil || opts.Hold == "" {
		return err
	}
	return moveHold(ctx, src.client, opts.Hold, r)
}

// moveHold moves a hold to the last entry of a backup. Were it at the entry behind that, the log could
// be trimmed to a checkpoint between the two, beyond the instance where the backup ends.
func moveHold(ctx context.Context, c *client.Client, name string, r backup.Report) error {
	now, err := c.Retention(ctx)
	at := max(1, r.Last, now.FirstIndex)
	switch {
	case err != nil:
	case at > r.Last+1:
		err = command.Exitf(command.ExitFailed, "the log was trimmed to %d meanwhile", at)
	default:
		_, err = c.SetHold(ctx, name, at)
	}
	if err != nil {
		return fmt.Errorf("the backup is complete, and hold %s was not moved: %w: `paxlog hold set %s --at %d` moves it", name, err, name, at)
	}
	return nil
}

// source is what a backup is made from.
type source struct {
	backup.Source
	cluster string
	client  *client.Client // nil of a directory
	close   func() error
}

// openSource opens what the backup is made from.
func openSource(ctx context.Context, opts backupOptions) (source, error) {
	if opts.Data != "" {
		store, err := wal.Inspect(vfs.Default, opts.Data)
		if err != nil {
			return source{}, err
		}
		return source{Source: backup.OfDirectory(store), cluster: store.Identity().Cluster, close: store.Close}, nil
	}
	c, err := opts.Cluster.Connect(ctx, opts.Timeout)
	if err != nil {
		return source{}, err
	}
	learner, err := connectLearner(ctx, c, opts)
	if err != nil {
		return source{}, errors.Join(err, c.Close())
	}
	return source{Source: learner, cluster: opts.Cluster.Name, client: c, close: func() error {
		learner.copier.Close()
		return c.Close()
	}}, nil
}

func connectLearner(ctx context.Context, c *client.Client, opts backupOptions) (*learnerSource, error) {
	id := opts.Learner
	if id == "" {
		var err error
		if id, err = pickLearner(ctx, c); err != nil {
			return nil, err
		}
	}
	copier, err := c.NewCopier(string(id))
	if err != nil {
		return nil, err
	}
	return &learnerSource{copier: copier, id: id, sessions: opts.Cluster.Membership().Sessions}, nil
}

// Made is what `backup -o json` and `backup verify -o json` print.
type Made struct {
	Cluster       string         `json:"cluster"`
	Log           *string        `json:"log"` // null if it has no id
	Source        paxos.NodeID   `json:"source"`
	FirstIndex    paxos.Index    `json:"first_index"`
	LastIndex     paxos.Index    `json:"last_index"` // one below the first if there are no entries
	FirstInstance paxos.Instance `json:"first_instance"`
	LastInstance  paxos.Instance `json:"last_instance"`
	Entries       uint64         `json:"entries"`
	Time          *string        `json:"time"`  // of the log
	Bytes         *int64         `json:"bytes"` // of the backup; null if it was only read
	Sum           string         `json:"sum"`
}

// made translates what a backup holds.
func made(h backup.Header, e backup.End, sum backup.Sum) Made {
	return Made{
		Cluster: h.Cluster, Log: shapes.Known(h.Log.String(), !h.Log.IsZero()), Source: h.Source,
		FirstIndex: h.First, LastIndex: e.Last, FirstInstance: h.After + 1, LastInstance: h.To, Entries: e.Entries,
		Time: shapes.Known(shapes.FormatTime(e.Time), e.Time != 0), Sum: fmt.Sprintf("%x", sum),
	}
}

// printReport says what was backed up: on standard error if the backup itself went to standard
// output.
func printReport(env *command.Environment, opts backupOptions, r backup.Report) error {
	m := made(r.Header, r.End, r.Sum)
	m.Bytes = &r.Bytes
	out := env.Stdout
	if opts.Place.file == "-" {
		out = env.Stderr
	}
	if opts.JSON {
		return shapes.NewEncoder(out).Encode(m)
	}
	_, err := fmt.Fprintf(out, "%s, as %s has it: %s, %d bytes\n", logName(m), m.Source, entries(m), r.Bytes)
	return err
}

func logName(m Made) string {
	return fmt.Sprintf("log %s of cluster %s", shapes.OrDash(m.Log), m.Cluster)
}

func entries(m Made) string {
	if m.Entries == 0 {
		return fmt.Sprintf("no entries (the next one is %d)", m.FirstIndex)
	}
	return fmt.Sprintf("entries %d to %d (%s)", m.FirstIndex, m.LastIndex, shapes.OrDash(m.Time))
}
