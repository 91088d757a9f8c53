package tools

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/program"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/wire"
)

// versionJSON is what `version -o json` prints.
type versionJSON struct {
	Version  string  `json:"version"`
	Revision *string `json:"revision"` // of the source; null if the build does not know it
	Go       string  `json:"go"`
	Protocol uint64  `json:"protocol"`
}

// Version is the command version.
func Version() *command.Command {
	return &command.Command{
		Name:    "version",
		Group:   command.GroupOther,
		Summary: "print the version of this program",
		Example: "paxlog version -o json",
		Flags:   []command.Option{command.OutputOption("plain", "json")},
		Action:  printVersion,
	}
}

// buildVersion reads the version off the binary.
func buildVersion() versionJSON {
	v := versionJSON{Version: program.Version(), Go: runtime.Version(), Protocol: wire.Version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Revision = shapes.Known(s.Value, s.Value != "")
		}
	}
	return v
}

func printVersion(_ context.Context, env *command.Environment, in *command.Input) error {
	if err := in.NoArguments(); err != nil {
		return err
	}
	format, err := in.Output()
	if err != nil {
		return err
	}
	v := buildVersion()
	if format == "json" {
		return shapes.NewEncoder(env.Stdout).Encode(v)
	}
	revision := ""
	if v.Revision != nil {
		revision = ", revision " + *v.Revision
	}
	_, err = fmt.Fprintf(env.Stdout, "paxlog %s (%s, protocol %d%s)\n", v.Version, v.Go, v.Protocol, revision)
	return err
}
