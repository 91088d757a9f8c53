package main

import (
	"strings"
	"testing"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
)

// TestRetention: the setting is shown as it was set, what is beyond it goes by itself, by the
// number of entries, by bytes, and by age in a log that rests; off keeps everything.
func TestRetention(t *testing.T) {
	k := cluster.New(t, 3, 1, 2)
	c := k.Client()
	k.Leader(c)
	if got := k.Must("retention", "show"); !strings.HasPrefix(got, "the log keeps everything\nthe first index is 1; there is no checkpoint yet\n") {
		t.Fatal(got)
	}
	for args, says := range map[string]string{
		"retention set":                "needs at least one of --age, --bytes and --entries",
		"retention set --age 3":        "must be a duration of a second or more",
		"retention set --age 10ms":     "must be a duration of a second or more",
		"retention set --bytes -1":     "must be a number of bytes",
		"retention set --entries many": "must be a number of entries",
		"retention set 7d":             "takes no argument",
		"trim":                         "trim needs --to N|@TIME: the first index that is kept, or its time",
	} {
		if _, errors, code := k.Run(strings.Fields(args)...); code != command.ExitUsage || !strings.Contains(errors, says) {
			t.Errorf("%s: exit code %d, %q", args, code, errors)
		}
	}
	first := func() client.Index {
		for _, p := range k.Status(c).Processes {
			if p.ID == "l1" {
				return p.First
			}
		}
		return 0
	}
	appendSome := func(n int) {
		args := []string{"append", "-q"}
		for range n {
			args = append(args, strings.Repeat("x", 1000))
		}
		k.Must(args...)
	}
	if got := k.Must("retention", "set", "--entries", "80"); !strings.HasPrefix(got, "the log keeps no more than the newest 80 entries\n") {
		t.Fatal(got)
	}
	at := client.Index(1)
	k.Await("the oldest entries go", func() bool {
		appendSome(50)
		at += 50
		return first() > 1
	})
	if kept := at - first(); kept < 80 {
		t.Errorf("%d entries are kept", kept)
	}
	k.Must("retention", "set", "--entries", "0", "--bytes", "100KiB", "-o", "json")
	before := first()
	k.Await("the log becomes small again", func() bool {
		appendSome(50)
		return first() > before
	})
	k.Must("retention", "off")
	before = first()
	appendSome(300)
	if got := k.Must("retention", "show", "-o", "json"); !strings.Contains(got, `"age_ms":0,"bytes":0,"entries":0`) || first() != before {
		t.Errorf("%s; the first index is %d, and was %d", got, first(), before)
	}
	if got := k.Must("retention", "set", "--age", "2s"); !strings.HasPrefix(got, "the log keeps no more than entries not older than 2s\n") {
		t.Fatal(got)
	}
	k.Await("a log that rests is trimmed by age", func() bool { return k.Must("tail", "--stale") == "" })
	k.Must("append", "new")
	if got := k.Must("tail"); got != "new\n" {
		t.Error(got)
	}
}
