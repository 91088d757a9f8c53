package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
)

// TestHold: a hold keeps back trims and retention, who holds is told by both, and by the list, also
// after all processes were started anew; what is not there cannot be held.
func TestHold(t *testing.T) {
	k := cluster.New(t, 3, 1, 2)
	c := k.Client()
	k.Leader(c)
	for i := range 9 {
		k.Must("append", fmt.Sprint(i+1))
	}
	if got := k.Must("hold", "list"); got != "there are no holds\n" {
		t.Error(got)
	}
	const list = `^NAME     AT  SET\narchive  4   20\S+Z\ncursor   7   20\S+Z\n$`
	k.Must("hold", "set", "cursor", "--at", "7", "--yes")
	if got := k.Must("hold", "set", "archive", "--at", "4"); !regexp.MustCompile(list).MatchString(got) {
		t.Error(got)
	}
	if got := k.Must("trim", "--to", "3"); got != "the first index was 1 and is 3\n" {
		t.Error(got)
	}
	if got := k.Must("trim", "--to", "9"); got != "the first index was 3 and is 4; held back by hold archive, at index 4, and by hold cursor, at index 7\n" {
		t.Error(got)
	}
	out, text, code := k.Run("trim", "--to", "9", "-o", "json")
	if code != command.ExitFailed || !strings.Contains(out, `"holds":[{"name":"archive","at":4,"time":"20`) ||
		!strings.Contains(text, "nothing was deleted: held back by hold archive, at index 4, and by hold cursor, at index 7: `paxlog hold set` moves a hold") {
		t.Errorf("%s%s, exit code %d", out, text, code)
	}
	k.Must("retention", "set", "--entries", "1")
	if got := k.Must("retention", "show"); !strings.Contains(got, "the first index is 4;") || !strings.Contains(got, "\nhold archive keeps what there is from index 4 on (set at 20") {
		t.Error(got)
	}
	for args, says := range map[string]struct {
		code int
		text string
	}{
		"hold set archive":             {command.ExitUsage, "needs --at N|@TIME"},
		"hold set archive --at 0":      {command.ExitUsage, "must be the first index to hold"},
		"hold set a/b --at 5":          {command.ExitUsage, "is no name of a hold"},
		"hold set":                     {command.ExitUsage, "hold set"},
		"hold set x --at 3":            {command.ExitFailed, "3 was trimmed already, so nobody can hold it: the first index is 4"},
		"hold set x --at 11":           {command.ExitNoIndex, "11 is ahead of the log, which ends at 9: no hold was set; --at 10 holds what comes"},
		"hold release nobody":          {command.ExitFailed, "there is no hold nobody (`paxlog hold list` shows those that there are)"},
		"backup b --hold a/b":          {command.ExitUsage, "must be the name of a hold"},
		"backup b --data d --hold x":   {command.ExitUsage, "give one of them"},
		"backup verify b --hold night": {command.ExitUsage, "backup verify takes no --hold"},
	} {
		if _, text, code := k.Run(strings.Fields(args)...); code != says.code || !strings.Contains(text, says.text) {
			t.Errorf("%s: exit code %d, %q", args, code, text)
		}
	}
	k.Must("hold", "set", "x", "--at", "10") // what comes
	k.Must("hold", "release", "x", "--yes")
	for _, id := range k.IDs() {
		k.Kill(id)
	}
	for _, id := range k.IDs() {
		k.Start(id)
	}
	k.Leader(c)
	if got := k.Must("hold", "list"); !regexp.MustCompile(list).MatchString(got) {
		t.Error(got)
	}
	k.Must("hold", "release", "archive", "-o", "json")
	k.Must("append", "10")
	k.Await("what the hold has kept back goes, up to the next one", func() bool { return strings.HasPrefix(k.Must("tail"), "7\n8\n") })
	k.Must("hold", "release", "cursor")
	k.Await("all goes that is not to be kept", func() bool { return strings.HasPrefix(k.Must("tail"), "9\n") || k.Must("tail") == "10\n" })
}

// TestBackupMovesAHold: a backup with a hold can always be gone on with, however much was trimmed
// since, and the hold is where the newest one ends.
func TestBackupMovesAHold(t *testing.T) {
	k := cluster.New(t, 3, 1, 2)
	k.Leader(k.Client())
	series := []string{}
	at := 0
	for round := range 4 {
		for range 3 {
			at++
			k.Must("append", fmt.Sprint(at))
		}
		name := fmt.Sprintf("b%d", round)
		args := []string{"backup", "--hold", "nightly", name}
		if len(series) > 0 {
			args = append(args, "--since", strings.Join(series, ","))
		}
		k.Must(args...)
		series = append(series, name)
		if got := k.Must("hold", "list", "-o", "json"); !strings.HasPrefix(got, fmt.Sprintf(`{"name":"nightly","at":%d,`, at)) || strings.Count(got, "\n") != 1 {
			t.Error(got)
		}
		// This makes a checkpoint behind the end of the backup, and at the index behind its last entry.
		if got := k.Must("trim", "--to", fmt.Sprint(at+1)); !strings.HasSuffix(got, fmt.Sprintf("and is %d; held back by hold nightly, at index %d\n", at, at)) {
			t.Error(got)
		}
	}
	if got := k.Must(append([]string{"backup", "verify"}, series...)...); !strings.Contains(got, "entries 1 to 12 ") {
		t.Error(got)
	}
	k.Must("hold", "release", "nightly")
	k.Must("append", "more")
	k.Must("trim", "--to", "14", "--yes")
	k.Must("append", "more")
	if _, text, code := k.Run("backup", "late", "--since", strings.Join(series, ",")); code != command.ExitNoIndex || !strings.Contains(text, "make a backup of all of it") {
		t.Errorf("without the hold: exit code %d, %q", code, text)
	}
}
