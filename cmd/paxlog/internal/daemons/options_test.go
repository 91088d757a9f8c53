package daemons

import (
	"strings"
	"testing"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/commandtest"
	"github.com/paxlog/paxlog/paxos"
)

func TestDevOptions(t *testing.T) {
	commandtest.Alone(t)
	dev := func(in *command.Input, _ *command.Environment) (devOptions, error) { return readDevOptions(in) }
	for args, want := range map[string]devOptions{
		"":                        {Data: "./paxlog-dev", BasePort: 7100},
		"--base-port 8000":        {Data: "./paxlog-dev", BasePort: 8000, PortGiven: true},
		"--pipe":                  {Pipe: true},
		"--pipe --base-port 8000": {Pipe: true, BasePort: 8000, PortGiven: true},
		"--pipe --data d":         {Pipe: true, Data: "d", BasePort: 7100},
	} {
		if got := commandtest.Parsed(t, Dev(), dev, strings.Fields(args)...); got != want {
			t.Errorf("dev %s: got %+v, want %+v", args, got, want)
		}
	}
}

func TestDaemonOptions(t *testing.T) {
	commandtest.Alone(t)
	file := commandtest.ClusterFile(t)
	acceptor := func(in *command.Input, env *command.Environment) (daemonOptions, error) {
		return readDaemonOptions(in, env, paxos.RoleAcceptor)
	}
	got := commandtest.Parsed(t, Acceptor(), acceptor, "--id", "a2", "--data", "d", "--config", file)
	if got.File != file || got.Node.ID != "a2" || got.Listen != "127.0.0.1:7102" || got.Data != "d" {
		t.Errorf("got %+v", got)
	}
	if got := commandtest.Parsed(t, Acceptor(), acceptor, "--id", "a2", "--data", "d", "--config", file, "--listen", ":0"); got.Listen != ":0" {
		t.Errorf("got %+v", got)
	}
	got2 := commandtest.Parsed(t, Init(), readInitOptions, "--id", "l1", "--data", "d", "--config", file)
	if got2.Role != paxos.RoleLearner || got2.Node.ID != "l1" {
		t.Errorf("got %+v", got2)
	}
}
