package clients

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/commandtest"
)

func TestTailOptions(t *testing.T) {
	commandtest.Alone(t)
	defaults := func() tailOptions {
		return tailOptions{Timeout: 10 * time.Second}
	}
	for _, test := range []struct {
		args   string
		change func(*tailOptions)
	}{
		{"", func(*tailOptions) {}},
		{"--from start", func(*tailOptions) {}},
		{"-f --from end", func(o *tailOptions) { o.Follow, o.From.Kind = true, startEnd }},
		{"--from 7 --to 3", func(o *tailOptions) { o.From, o.To = start{Kind: startIndex, Index: 7}, 3 }},
		{"--from -10 -n5", func(o *tailOptions) { o.From, o.Count = start{Kind: startLast, Last: 10}, 5 }},
		{"--from @-10s", func(o *tailOptions) { o.From = start{Kind: startTime, Time: 990e9 + 5} }},
		{"--from @1970-01-01T01:00:01.5+01:00", func(o *tailOptions) { o.From = start{Kind: startTime, Time: 15e8} }},
		{"--from @0001-01-01T00:00:00Z", func(o *tailOptions) { o.From = start{Kind: startTime, Time: 1} }},
		{"--from @9999-01-01T00:00:00Z", func(o *tailOptions) { o.From = start{Kind: startTime, Time: 1<<63 - 1} }},
		{"--stale --learner l1 --timeout 0", func(o *tailOptions) { o.Stale, o.Learner, o.Timeout = true, "l1", 0 }},
		{"-o json", func(o *tailOptions) { o.Form.JSON = true }},
		{"--null", func(o *tailOptions) { o.Form.Null = true }},
	} {
		got := commandtest.Parsed(t, Tail(), readTailOptions, strings.Fields(test.args)...)
		if !got.Cluster.Assumed() || got.Cluster.Name != "dev" {
			t.Errorf("cluster %+v", got.Cluster)
		}
		got.Cluster = clusterfile.Found{}
		want := defaults()
		test.change(&want)
		if got != want {
			t.Errorf("%s: got %+v, want %+v", test.args, got, want)
		}
	}
}

func TestEnvironmentIsOverridden(t *testing.T) {
	commandtest.Alone(t)
	t.Setenv("PAXLOG_OUTPUT", "json")
	t.Setenv("PAXLOG_FROM", "9")
	t.Setenv("PAXLOG_STALE", "true")
	t.Setenv("PAXLOG_TIMEOUT", "1s")
	got := commandtest.Parsed(t, Tail(), readTailOptions)
	if !got.Form.JSON || got.From.Index != 9 || !got.Stale || got.Timeout != time.Second {
		t.Errorf("from the environment: %+v", got)
	}
	got = commandtest.Parsed(t, Tail(), readTailOptions, "--null", "--stale=false", "--from", "2", "--timeout", "3s")
	if got.Form != (entryForm{Null: true}) || got.From.Index != 2 || got.Stale || got.Timeout != 3*time.Second {
		t.Errorf("overridden: %+v", got)
	}
	t.Setenv("PAXLOG_FILE", "input")
	if got := commandtest.Parsed(t, Append(), readAppendOptions); got.Input != "input" || !got.JSON {
		t.Errorf("append: %+v", got)
	}
	if got := commandtest.Parsed(t, Append(), readAppendOptions, "a"); got.Input != "" || !reflect.DeepEqual(got.Values, []string{"a"}) {
		t.Errorf("append a: %+v", got)
	}
}
