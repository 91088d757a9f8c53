package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// protocolVersion is the version of the protocol between processes.
const protocolVersion = 1

// versionJSON is what `version -o json` prints.
type versionJSON struct {
	Version  string  `json:"version"`
	Revision *string `json:"revision"` // of the source; null if the build does not know it
	Go       string  `json:"go"`
	Protocol int     `json:"protocol"`
}

func versionCommand() *command {
	return &command{
		name:    "version",
		group:   groupOther,
		summary: "print the version of this program",
		example: "paxlog version -o json",
		flags:   []option{outputOption("plain", "json")},
		action:  printVersion,
	}
}

// buildVersion reads the version off the binary.
func buildVersion() versionJSON {
	v := versionJSON{Version: "unknown", Go: runtime.Version(), Protocol: protocolVersion}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Revision = known(s.Value, s.Value != "")
		}
	}
	return v
}

func printVersion(_ context.Context, env *environment, in *input) error {
	if err := in.noArguments(); err != nil {
		return err
	}
	format, err := in.output()
	if err != nil {
		return err
	}
	v := buildVersion()
	if format == "json" {
		return newJSON(env.stdout).Encode(v)
	}
	revision := ""
	if v.Revision != nil {
		revision = ", revision " + *v.Revision
	}
	_, err = fmt.Fprintf(env.stdout, "paxlog %s (%s, protocol %d%s)\n", v.Version, v.Go, v.Protocol, revision)
	return err
}
