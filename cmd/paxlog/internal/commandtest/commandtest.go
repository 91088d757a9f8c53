// Package commandtest is for tests of commands: it shows what a command makes of a
// command line, without running it.
package commandtest

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
)

// Now is the time at which Parsed runs a command.
var Now = time.Unix(1000, 5)

// Alone makes the test run in an empty directory.
func Alone(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, name := range []string{"PAXLOG_CONFIG", "PAXLOG_LOG_LEVEL", "PAXLOG_LOG_FORMAT"} {
		t.Setenv(name, "")
	}
}

// Parsed runs the command line up to its action, which is replaced by parse.
func Parsed[T any](t *testing.T, c *command.Command, parse func(in *command.Input, env *command.Environment) (T, error), args ...string) T {
	t.Helper()
	var opts T
	c.Action = func(_ context.Context, env *command.Environment, in *command.Input) (err error) {
		env.Now = func() time.Time { return Now }
		opts, err = parse(in, env)
		return err
	}
	p := &command.Program{Stdout: t.Output(), Stderr: t.Output(), Commands: []*command.Command{c}}
	if code := p.Run(append([]string{"paxlog", c.Name}, args...)); code != command.ExitDone {
		t.Fatalf("%s %v: exit code %d", c.Name, args, code)
	}
	return opts
}

// ClusterFile writes a valid cluster file and returns its path.
func ClusterFile(t *testing.T) string {
	t.Helper()
	text, err := config.Dev(7100).YAML()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
