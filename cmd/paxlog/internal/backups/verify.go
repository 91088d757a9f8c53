package backups

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/paxlog/paxlog/backup"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
)

// list splits places at commas.
func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// verify is backup verify. Its errors ask for ExitFailed or ExitUsage.
func verify(ctx context.Context, env *command.Environment, in *command.Input) error {
	texts := in.Args[1:]
	if len(texts) == 0 {
		return command.Usagef("backup verify takes files, or objects of buckets: see `paxlog backup --help` (a backup into a file of that name is ./verify)")
	}
	places, err := readPlaces(texts...)
	if err != nil {
		return err
	}
	for _, name := range []string{"from", "since", "hold", "data", "learner", "stale", "log", "timeout"} {
		if in.Given[name] {
			return command.Usagef("backup verify takes no --%s", name)
		}
	}
	format, err := in.Output()
	if err != nil {
		return err
	}
	s, err := backup.NewSeries(openers(ctx, places))
	if err != nil {
		return err
	}
	for err == nil {
		_, err = s.Next()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}
	if !errors.Is(err, io.EOF) {
		return errors.Join(err, s.Close())
	}
	m := made(s.Header(), s.End(), s.Sum())
	m.LastInstance = s.To()
	if format == "json" {
		return shapes.NewEncoder(env.Stdout).Encode(m)
	}
	_, err = fmt.Fprintf(env.Stdout, "%s: ok: %s, %s\n", strings.Join(texts, ", "), logName(m), entries(m))
	return err
}
