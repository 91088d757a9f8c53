package main

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
)

// out is what the command prints.
func out(t *testing.T, args ...string) string {
	t.Helper()
	var b strings.Builder
	if err := run(args, &b, io.Discard); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return b.String()
}

// TestStories plays every scenario with a few seeds, of which each prints something
// of both protocols.
func TestStories(t *testing.T) {
	for _, sc := range stories {
		for _, seed := range []string{"1", "2", "3"} {
			text := out(t, "-scenario", sc.name, "-ladder", "-seed", seed)
			if !strings.Contains(text, "Paxlog\n  ") || !strings.Contains(text, "\nRaft") {
				t.Errorf("%s, seed %s, says nothing of both protocols:\n%s", sc.name, seed, text)
			}
		}
	}
}

// TestJSON: the same in JSON.
func TestJSON(t *testing.T) {
	var r report
	if err := json.Unmarshal([]byte(out(t, "-scenario", "partition", "-o", "json")), &r); err != nil {
		t.Fatal(err)
	}
	if r.Scenario != "partition" || len(r.Facts) == 0 || len(r.Steps) != 5 || len(r.Steps[1].Sides) != 2 {
		t.Errorf("%+v", r)
	}
	if line := r.Steps[1].Sides[1].Lines[0]; line.From != "@c1" || line.To[0] != "A" || line.Text != "Request(5)" {
		t.Errorf("%+v", line)
	}
}

// TestArguments: what is wrong with them is said.
func TestArguments(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"-scenario nothing", `there is no scenario "nothing"`},
		{"", "-list lists them"},
		{"-scenario basic -o xml", "it must be plain or json"},
		{"-scenario basic -only zab", "it must be paxlog or raft"},
		{"-scenario basic -only raft -beside", "contradict each other"},
		{"-figures -runs 0", "a number from 1"},
		{"basic", "a scenario is named by -scenario"},
	} {
		err := run(strings.Fields(test.args), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.args, err, test.want)
		}
	}
}

// TestFigures makes the table of few seeds. What it says of Paxlog in the docs holds in
// each: whatever is cut, an append is answered.
func TestFigures(t *testing.T) {
	columns, err := compare(1, 3, func(string, string) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range columns {
		for _, r := range c.Rows {
			if c.Name == "Paxlog" && r.Never > 0 {
				t.Errorf("%s: %s: nothing in %d of 3 seeds", c.Name, r.What, r.Never)
			}
		}
		if c.Faults.Appends == 0 || c.Faults.Unknown != c.Faults.Chosen+c.Faults.Never+c.Faults.Nothing {
			t.Errorf("%s: %+v", c.Name, c.Faults)
		}
		if c.Name == "Paxlog" && c.Faults.Nothing > 0 {
			t.Errorf("%d unknown outcomes stayed unknown", c.Faults.Nothing)
		}
	}
}

// quoted are the pages that quote what the command prints.
var quoted = []string{"../../docs/protocol.md", "../../docs/raft.md"}

// TestDocs: every block of the pages that begins with a command of this directory is
// what that command prints. PAXLOG_UPDATE=1 writes it there.
func TestDocs(t *testing.T) {
	const fence, prompt = "```\n", "$ go run . "
	for _, page := range quoted {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		parts := strings.Split(string(text), fence)
		found := 0
		for k, part := range parts {
			if command, _, ok := strings.Cut(part, "\n"); ok && k%2 == 1 && strings.HasPrefix(command, prompt) {
				found++
				now := command + "\n" + out(t, strings.Fields(strings.TrimPrefix(command, prompt))...)
				if now != part && os.Getenv("PAXLOG_UPDATE") == "" {
					t.Errorf("%s: %s prints\n%s\nand not\n%s\n(PAXLOG_UPDATE=1 go test . -run Docs writes it there)", page, command, now, part)
				}
				part = now
			}
			if k > 0 {
				b.WriteString(fence)
			}
			b.WriteString(part)
		}
		if found == 0 {
			t.Errorf("%s quotes nothing", page)
		}
		if now := b.String(); os.Getenv("PAXLOG_UPDATE") != "" && now != string(text) {
			if err := os.WriteFile(page, []byte(now), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestAnswersAreShort: each of the six answers has at most 150 words before its run.
func TestAnswersAreShort(t *testing.T) {
	text, err := os.ReadFile("../../docs/raft.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(text), "\n## ")[1:]
	for k, section := range sections[:6] {
		_, prose, _ := strings.Cut(section, "\n")
		prose, _, _ = strings.Cut(prose, "```")
		if n := len(strings.Fields(prose)); n > 150 || !strings.HasPrefix(section, string(rune('1'+k))+". ") {
			t.Errorf("answer %d has %d words: %.60s", k+1, n, section)
		}
	}
}
