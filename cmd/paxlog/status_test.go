package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/commandtest"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/daemons"
	"github.com/paxlog/paxlog/config"
)

func TestStatus(t *testing.T) {
	dev(t)
	must(t, "", "append", "x")
	table := must(t, "", "status")
	for _, want := range []string{"cluster dev: leader p", ", quorum yes, log ", ", epoch 1, first index 1\n", "a1  acceptor  127.0.0.1:", "voting", "leading", "standby", "l1  learner", "serving"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	// A standby hears of the leader's ballot from acceptors, a moment after it is up.
	text := must(t, "", "status", "-o", "json")
	for began := time.Now(); strings.Contains(text, `"ballot":null`) && time.Since(began) < 10*time.Second; {
		text = must(t, "", "status", "-o", "json")
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	for list, fields := range map[string]string{
		"acceptors": "id addr up promised accepted chosen missing disk_hangs_ms disk_bytes disk_free",
		"proposers": "id addr up state ballot",
		"learners":  "id addr up learned first_index last_index lag disk_hangs_ms disk_bytes disk_free",
	} {
		for _, p := range got[list].([]any) {
			for _, field := range strings.Fields(fields) {
				if v, ok := p.(map[string]any)[field]; !ok || v == nil {
					t.Errorf("%s: %s is %v in %v", list, field, v, p)
				}
			}
		}
	}
	if got["cluster"] != "dev" || got["quorum"] != true || got["leader"] == nil || got["ballot"] == nil || got["epoch"] != 1. || got["first_index"] != 1. {
		t.Errorf("got %v", got)
	}
}

// downFile is a cluster file of addresses that nobody listens on, or that another
// cluster uses.
func downFile(t *testing.T, name string, c *config.Cluster) string {
	t.Helper()
	c.Name = name
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// someID is an append id.
const someID = "0000000000000001000000000000000000000000/4"

func TestNothingRuns(t *testing.T) {
	commandtest.Alone(t)
	port, err := daemons.FreeBasePort()
	if err != nil {
		t.Fatal(err)
	}
	file := downFile(t, "orders", config.Dev(port))
	id := someID
	for line, want := range map[string]string{
		"append x":      "not available: ",
		"tail":          "not available: ",
		"tail --stale":  "not available: ",
		"read 1":        "not available: ",
		"resolve " + id: "not available: ",
		"status":        "no proposer leads: 0 of 3 acceptors are up, and 2 are needed: start a1, a2 or a3 (`paxlog acceptor --config " + file + " --id a1 --data DIR`)",
	} {
		got := paxlog(append(strings.Fields(line), "--timeout", "100ms", "--config", file)...)
		if got.code != command.ExitUnavailable || !strings.HasPrefix(got.errors, "paxlog: "+want) {
			t.Errorf("%s: %+v", line, got)
		}
	}
	got := paxlog("status", "-o", "json", "--config", file)
	if got.code != command.ExitUnavailable || !strings.HasPrefix(got.out, `{"cluster":"orders","log":null,"leader":null,"ballot":null,"quorum":false,"epoch":null,"first_index":null,"acceptors":[{"id":"a1",`) ||
		!strings.Contains(got.out, `"up":false,"error":"dial tcp`) || !strings.Contains(got.out, `"learned":null`) {
		t.Errorf("got %+v", got)
	}
}

func TestNoClusterFileAndNothingListens(t *testing.T) {
	if port := config.Dev(clusterfile.DevBasePort); !daemons.AllFree(port) {
		t.Skip("somebody runs `paxlog dev`")
	}
	commandtest.Alone(t)
	for _, line := range []string{"append x", "append", "tail", "tail -f", "read 1", "status", "status -o json", "resolve " + someID} {
		want := result{command.ExitUnavailable, "", "paxlog: no paxlog.yaml here: start `paxlog dev`, or pass --config\n"}
		if got := paxlog(strings.Fields(line)...); got != want {
			t.Errorf("%s: %+v", line, got)
		}
	}
}

func TestWrongCluster(t *testing.T) {
	r := dev(t)
	c, err := config.Load(r.config)
	if err != nil {
		t.Fatal(err)
	}
	file := downFile(t, "orders", c)
	for line, code := range map[string]int{
		"append x": command.ExitUsage, "tail": command.ExitUsage, "read 1": command.ExitUsage, "resolve " + someID: command.ExitUsage, "status": command.ExitUnavailable,
	} {
		got := paxlog(append(strings.Fields(line), "--config", file)...)
		if got.code != code || !strings.Contains(got.errors, `is of another cluster than "orders"`) || !strings.Contains(got.errors, "check the cluster file") {
			t.Errorf("%s: %+v", line, got)
		}
	}
}

func TestCodes(t *testing.T) {
	unknown := &client.UnknownOutcomeError{First: 1, Last: 2, Cause: client.ErrUnavailable}
	for err, want := range map[error]int{
		nil:                                 command.ExitDone,
		errors.New("x"):                     command.ExitFailed,
		client.ErrTooLarge:                  command.ExitFailed,
		client.ErrFenced:                    command.ExitFailed,
		client.ErrFutureAppend:              command.ExitFailed,
		client.ErrRefused:                   command.ExitUsage,
		client.ErrUnavailable:               command.ExitUnavailable,
		unknown:                             command.ExitUnknown,
		client.ErrNotFound:                  command.ExitNoIndex,
		client.ErrTrimmed:                   command.ExitNoIndex,
		clusterfile.ErrNone:                 command.ExitUnavailable,
		&config.Error{}:                     command.ExitUsage,
		command.Usagef("x"):                 command.ExitUsage,
		fmt.Errorf("y: %w", error(unknown)): command.ExitUnknown,
	} {
		if got := command.CodeOf(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
}

// TestStatusOfHungProcesses: who takes connections and does not answer runs, and is never
// to be started again.
func TestStatusOfHungProcesses(t *testing.T) {
	k := cluster.New(t, 3, 2, 1)
	k.Must("append", "x")
	for _, id := range []paxos.NodeID{"a1", "a2", "l1"} {
		k.Signal(id, syscall.SIGSTOP)
	}
	var out, errs string
	var code int
	k.Await("the leader misses its quorum", func() bool {
		out, errs, code = k.Run("status")
		return strings.Contains(errs, "acceptors answer")
	})
	if code != command.ExitUnavailable || !strings.Contains(errs, "a1, a2 run and do not answer: ") || strings.Contains(errs, "start") || strings.Count(out, "  hangs  ") != 3 {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		k.Signal(id, syscall.SIGCONT)
	}
	k.Kill("a3")
	k.Kill("p1")
	k.Await("another one leads", func() bool {
		_, errs, _ = k.Run("status")
		return strings.Contains(errs, "no learner serves: ")
	})
	if !strings.Contains(errs, "l1 runs and does not answer: ") || strings.Contains(errs, "start") {
		t.Error(errs)
	}
	k.Signal("l1", syscall.SIGCONT)
}

// TestStatusWithoutTime: who could not be asked in the time given may run all the same.
func TestStatusWithoutTime(t *testing.T) {
	r := dev(t)
	for _, timeout := range []string{"1ns", "1us"} {
		got := paxlog("status", "--timeout", timeout, "--config", r.config)
		if got.code != command.ExitUnavailable || !strings.Contains(got.errors, "could not be asked") || !strings.Contains(got.errors, "wait longer with --timeout") || strings.Contains(got.errors, "start") {
			t.Errorf("%+v", got)
		}
	}
}
