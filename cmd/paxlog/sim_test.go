package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/tools"
	"github.com/paxlog/paxlog/sim"
	"github.com/paxlog/paxlog/sim/explore"
)

func runSimCommand(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(append([]string{"paxlog", "sim"}, args...), strings.NewReader(""), &out, &errs)
	return out.String(), errs.String(), code
}

func TestSimCommand(t *testing.T) {
	list, _, code := runSimCommand(t, "--list")
	if code != 0 || strings.Count(list, "\n") != len(sim.Scenarios)+2+len(explore.Configs) {
		t.Errorf("--list: exit %d\n%s", code, list)
	}
	one, _, code := runSimCommand(t, "--seed", "7", "--runs", "3", "-o", "json")
	var total tools.SimTotal
	if err := json.Unmarshal([]byte(one), &total); err != nil || code != 0 || total.Runs != 3 || total.Chosen == 0 || len(total.SeedsWith) == 0 {
		t.Errorf("exit %d, %v: %s", code, err, one)
	}
	twice, _, _ := runSimCommand(t, "--seed", "7", "--runs", "3", "-o", "json")
	var second tools.SimTotal
	if err := json.Unmarshal([]byte(twice), &second); err != nil || second.Hash != total.Hash || len(total.Hash) != 16 {
		t.Errorf("the same seeds have hashes %q and %q (%v)", total.Hash, second.Hash, err)
	}
	ladder, _, code := runSimCommand(t, "--scenario", "ladder", "--ladder", "--seed", "1")
	if code != 0 || strings.Count(ladder, "Prepare(") != 1 || strings.Count(ladder, "Accept!(") != 4 {
		t.Errorf("one Phase 1, one Phase 2 for the log, and three for entries: exit %d\n%s", code, ladder)
	}
	again, _, _ := runSimCommand(t, "--scenario", "ladder", "--ladder", "--seed", "1")
	if again != ladder {
		t.Error("the same seed gave another run")
	}
	explored, _, code := runSimCommand(t, "--explore", "small", "--states", "5000", "-o", "json")
	var x tools.Explored
	if err := json.Unmarshal([]byte(explored), &x); err != nil || code != 0 || x.States < 5000 || x.Complete || x.Renamings != 6 {
		t.Errorf("exit %d, %v: %s", code, err, explored)
	}
	for _, args := range [][]string{{"--scenario", "nope"}, {"--runs", "0"}, {"--runs", "x"}, {"--seed", "-1"}, {"--ladder", "--runs", "2"}, {"extra"},
		{"--beside", "zab"}, {"--beside", "raft", "--seed", "x"}, {"--beside", "raft", "--scenario", "a;b"}, {"--explore", "nope"}, {"--states", "5"}, {"--explore", "small", "--states", "0"}, {"--explore", "small", "--seed", "1"}} {
		if _, errs, code := runSimCommand(t, args...); code != command.ExitUsage || !strings.HasPrefix(errs, "paxlog: ") {
			t.Errorf("sim %v: exit %d, %s", args, code, errs)
		}
	}
}

// TestSimBesideRaft names the command that plays both; nothing of Raft is in this one.
func TestSimBesideRaft(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"--beside raft", "cd sim/raft && go run . -list\n"},
		{"--scenario partition --beside raft --ladder", "cd sim/raft && go run . -scenario partition -beside -ladder\n"},
		{"--scenario split --beside raft --seed 7 -o json", "cd sim/raft && go run . -scenario split -beside -o json -seed 7\n"},
	} {
		out, _, code := runSimCommand(t, strings.Fields(test.args)...)
		if code != 0 || out != test.want {
			t.Errorf("sim %s: exit %d, %q, want %q", test.args, code, out, test.want)
		}
	}
}

// TestSameSeedSameRun: everything that happens is decided by the seed.
func TestSameSeedSameRun(t *testing.T) {
	for _, seed := range []string{"3", "11"} {
		a, _, _ := runSimCommand(t, "--seed", seed, "--trace")
		b, _, _ := runSimCommand(t, "--seed", seed, "--trace")
		if a != b || len(a) < 10_000 {
			t.Errorf("seed %s: two runs differ, or are empty (%d and %d bytes)", seed, len(a), len(b))
		}
	}
}
