package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
)

func TestStatus(t *testing.T) {
	dev(t)
	must(t, "", "append", "x")
	table := must(t, "", "status")
	for _, want := range []string{"cluster dev: leader p", ", quorum yes\n", "a1  acceptor  127.0.0.1:", "voting", "leading", "standby", "l1  learner", "serving"} {
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
		"acceptors": "id addr up promised accepted chosen missing",
		"proposers": "id addr up state ballot",
		"learners":  "id addr up learned first_index last_index lag",
	} {
		for _, p := range got[list].([]any) {
			for _, field := range strings.Fields(fields) {
				if v, ok := p.(map[string]any)[field]; !ok || v == nil {
					t.Errorf("%s: %s is %v in %v", list, field, v, p)
				}
			}
		}
	}
	if got["cluster"] != "dev" || got["quorum"] != true || got["leader"] == nil || got["ballot"] == nil {
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

func TestNothingRuns(t *testing.T) {
	alone(t)
	port, err := freeBasePort()
	if err != nil {
		t.Fatal(err)
	}
	file := downFile(t, "orders", config.Dev(port))
	id := sampleID
	for command, want := range map[string]string{
		"append x":      "not available: ",
		"tail":          "not available: ",
		"tail --stale":  "not available: ",
		"read 1":        "not available: ",
		"resolve " + id: "not available: ",
		"status":        "no proposer leads: 0 of 3 acceptors are up, and 2 are needed: start a1, a2 or a3 (`paxlog acceptor --config " + file + " --id a1 --data DIR`)",
	} {
		got := paxlog(append(strings.Fields(command), "--timeout", "100ms", "--config", file)...)
		if got.code != ExitUnavailable || !strings.HasPrefix(got.errors, "paxlog: "+want) {
			t.Errorf("%s: %+v", command, got)
		}
	}
	got := paxlog("status", "-o", "json", "--config", file)
	if got.code != ExitUnavailable || !strings.HasPrefix(got.out, `{"cluster":"orders","leader":null,"ballot":null,"quorum":false,"acceptors":[{"id":"a1",`) ||
		!strings.Contains(got.out, `"up":false,"error":"dial tcp`) || !strings.Contains(got.out, `"learned":null`) {
		t.Errorf("got %+v", got)
	}
}

func TestNoClusterFileAndNothingListens(t *testing.T) {
	if port := config.Dev(devBasePort); !allFree(port) {
		t.Skip("somebody runs `paxlog dev`")
	}
	alone(t)
	for _, command := range []string{"append x", "append", "tail", "tail -f", "read 1", "status", "status -o json", "resolve " + sampleID} {
		want := result{ExitUnavailable, "", "paxlog: no paxlog.yaml here: start `paxlog dev`, or pass --config\n"}
		if got := paxlog(strings.Fields(command)...); got != want {
			t.Errorf("%s: %+v", command, got)
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
	for command, code := range map[string]int{
		"append x": ExitUsage, "tail": ExitUsage, "read 1": ExitUsage, "resolve " + sampleID: ExitUsage, "status": ExitUnavailable,
	} {
		got := paxlog(append(strings.Fields(command), "--config", file)...)
		if got.code != code || !strings.Contains(got.errors, `this is cluster "dev", not "orders"`) || !strings.Contains(got.errors, "check the cluster file") {
			t.Errorf("%s: %+v", command, got)
		}
	}
}

func TestVerdicts(t *testing.T) {
	c := clientCluster{Cluster: config.Dev(1), File: "f.yaml"}
	c.Name = "orders"
	down := errors.New("connection refused")
	process := func(role paxos.Role, id string, change func(*client.ProcessStatus)) client.ProcessStatus {
		p := client.ProcessStatus{Role: role, Peer: client.Peer{ID: id}, Reply: paxos.StatusReply{State: "standby", Reason: "just started", Voting: true}}
		if change != nil {
			change(&p)
		}
		return p
	}
	dead := func(p *client.ProcessStatus) { p.Err = down }
	refusing := func(p *client.ProcessStatus) { p.Err = &transport.RefusedError{Addr: "h:1", Text: "no"} }
	mute := func(p *client.ProcessStatus) { p.Reply.Voting = false }
	for _, test := range []struct {
		a, p, l func(*client.ProcessStatus)
		leader  string
		quorum  bool
		want    string
	}{
		{nil, nil, nil, "p1", true, ""},
		{nil, nil, dead, "p1", true, "no learner serves: start l1 (`paxlog learner --config f.yaml --id l1 --data DIR`)"},
		{nil, dead, nil, "", false, "no proposer leads: every proposer is down: start p1 (`paxlog proposer --config f.yaml --id p1`)"},
		{nil, nil, nil, "", false, "no proposer leads: p1 says: just started; an election takes less than a second: ask again, and if that goes on look at the proposers' logs"},
		{mute, nil, nil, "", false, "no proposer leads: 0 of 2 acceptors vote, and 2 are needed: not vouched for yet: a1, a2; if that goes on, look at their logs"},
		{dead, nil, nil, "p1", false, "p1 leads, but has no answers of a quorum: 0 of 2 acceptors are up, and 2 are needed: start a1 or a2 (`paxlog acceptor --config f.yaml --id a1 --data DIR`)"},
		{refusing, nil, nil, "", false, "no proposer leads: 0 of 2 acceptors are up, and 2 are needed: a1: refused by h:1: no: check the cluster file"},
		{dead, refusing, nil, "", false,
			"no proposer leads: 0 of 2 acceptors are up, and 2 are needed: start a1 or a2 (`paxlog acceptor --config f.yaml --id a1 --data DIR`)"},
		{dead, refusing, refusing, "", false, "every process that answers refuses this client: refused by h:1: no: check the cluster file"},
	} {
		s := client.Status{Leader: test.leader, Quorum: test.quorum, Processes: []client.ProcessStatus{
			process(paxos.RoleAcceptor, "a1", test.a), process(paxos.RoleAcceptor, "a2", test.a),
			process(paxos.RoleProposer, "p1", test.p), process(paxos.RoleLearner, "l1", test.l),
		}}
		err := newStatus("orders", s).verdict(c, s.Processes[3].Err == nil)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != test.want || (err != nil && codeOf(err) != ExitUnavailable) {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestCodes(t *testing.T) {
	unknown := &client.UnknownOutcomeError{First: 1, Last: 2, Cause: client.ErrUnavailable}
	for err, want := range map[error]int{
		nil:                                 ExitDone,
		errors.New("x"):                     ExitFailed,
		client.ErrTooLarge:                  ExitFailed,
		client.ErrFenced:                    ExitFailed,
		client.ErrFutureAppend:              ExitFailed,
		client.ErrRefused:                   ExitUsage,
		client.ErrUnavailable:               ExitUnavailable,
		unknown:                             ExitUnknown,
		client.ErrNotFound:                  ExitNoIndex,
		client.ErrTrimmed:                   ExitNoIndex,
		errNoCluster:                        ExitUnavailable,
		&config.Error{}:                     ExitUsage,
		&entrySizeError{1, 1}:               ExitFailed,
		usagef("x"):                         ExitUsage,
		fmt.Errorf("y: %w", error(unknown)): ExitUnknown,
	} {
		if got := codeOf(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
}
