package main

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

func TestParseArguments(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"append a b", "append -- a b"},
		{"append a -o json b", "append --output=json -- a b"},
		{"-o json --config x append a", "append --output=json --config=x -- a"},
		{"--timeout=5s append a --config x", "append --timeout=5s --config=x -- a"},
		{"append help", "append -- help"},
		{"append append", "append -- append"},
		{"append -- -5 --help -- x", "append -- -5 --help -- x"},
		{"append a -- -o json", "append -- a -o json"},
		{"append -", "append -- -"},
		{"append -q a", "append --quiet=true -- a"},
		{"append --quiet a", "append --quiet=true -- a"},
		{"append --quiet=false a", "append --quiet=false -- a"},
		{"append -f -", "append --file=- --"},
		{"append -qf x", "append --quiet=true --file=x --"},
		{"append -fq", "append --file=q --"},
		{"tail --from -10", "tail --from=-10 --"},
		{"tail --from @-10m -f", "tail --from=@-10m --follow=true --"},
		{"tail --from=@-10m", "tail --from=@-10m --"},
		{"tail -n 5", "tail --count=5 --"},
		{"tail -n5", "tail --count=5 --"},
		{"tail -n=5", "tail --count=5 --"},
		{"tail -fn5 -ojson", "tail --follow=true --count=5 --output=json --"},
		{"tail --from a=b", "tail --from=a=b --"},
		{"--config x config --log-level warn print", "config print --config=x --log-level=warn --"},
		{"-- append -- -x", "append -- -- -x"},
		{"read 5 --null", "read --null=true -- 5"},
	} {
		inv, err := parseArguments(commandTable(), strings.Fields(test.line))
		if err != nil {
			t.Errorf("%s: %v", test.line, err)
			continue
		}
		if got := strings.Join(inv.argv()[1:], " "); got != test.want {
			t.Errorf("%s\ngot  %s\nwant %s", test.line, got, test.want)
		}
	}
}

// parsed runs the command line up to its action, which is replaced by parse.
func parsed[T any](t *testing.T, parse func(in *input, env *environment) (T, error), args ...string) T {
	t.Helper()
	inv, err := parseArguments(commandTable(), args)
	if err != nil {
		t.Fatal(err)
	}
	var opts T
	p := &process{stdout: &output{to: t.Output()}, stderr: t.Output(), commands: inv.path}
	inv.path[0].action = func(_ context.Context, env *environment, in *input) (err error) {
		env.now = func() time.Time { return time.Unix(1000, 5) }
		opts, err = parse(in, env)
		return err
	}
	if err := p.app(inv).Run(inv.argv()); err != nil {
		t.Fatal(err)
	}
	return opts
}

func TestTailOptions(t *testing.T) {
	alone(t)
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
		got := parsed(t, (*input).tailOptions, append([]string{"tail"}, strings.Fields(test.args)...)...)
		if !got.Cluster.Assumed() || got.Cluster.Name != "dev" {
			t.Errorf("cluster %+v", got.Cluster)
		}
		got.Cluster = clientCluster{}
		want := defaults()
		test.change(&want)
		if got != want {
			t.Errorf("%s: got %+v, want %+v", test.args, got, want)
		}
	}
}

func TestEnvironmentIsOverridden(t *testing.T) {
	alone(t)
	t.Setenv("PAXLOG_OUTPUT", "json")
	t.Setenv("PAXLOG_FROM", "9")
	t.Setenv("PAXLOG_STALE", "true")
	t.Setenv("PAXLOG_TIMEOUT", "1s")
	got := parsed(t, (*input).tailOptions, "tail")
	if !got.Form.JSON || got.From.Index != 9 || !got.Stale || got.Timeout != time.Second {
		t.Errorf("from the environment: %+v", got)
	}
	got = parsed(t, (*input).tailOptions, "tail", "--null", "--stale=false", "--from", "2", "--timeout", "3s")
	if got.Form != (entryForm{Null: true}) || got.From.Index != 2 || got.Stale || got.Timeout != 3*time.Second {
		t.Errorf("overridden: %+v", got)
	}
	t.Setenv("PAXLOG_FILE", "input")
	if got := parsed(t, (*input).appendOptions, "append"); got.Input != "input" || !got.JSON {
		t.Errorf("append: %+v", got)
	}
	if got := parsed(t, (*input).appendOptions, "append", "a"); got.Input != "" || !reflect.DeepEqual(got.Values, []string{"a"}) {
		t.Errorf("append a: %+v", got)
	}
}

func TestDevOptions(t *testing.T) {
	alone(t)
	dev := func(in *input, _ *environment) (devOptions, error) { return in.devOptions() }
	for args, want := range map[string]devOptions{
		"":                        {Data: "./paxlog-dev", BasePort: 7100},
		"--base-port 8000":        {Data: "./paxlog-dev", BasePort: 8000, PortGiven: true},
		"--pipe":                  {Pipe: true},
		"--pipe --base-port 8000": {Pipe: true, BasePort: 8000, PortGiven: true},
		"--pipe --data d":         {Pipe: true, Data: "d", BasePort: 7100},
	} {
		if got := parsed(t, dev, append([]string{"dev"}, strings.Fields(args)...)...); got != want {
			t.Errorf("dev %s: got %+v, want %+v", args, got, want)
		}
	}
}

func TestDaemonOptions(t *testing.T) {
	alone(t)
	file := clusterFile(t)
	acceptor := func(in *input, env *environment) (daemonOptions, error) {
		return in.daemonOptions(env, paxos.RoleAcceptor)
	}
	got := parsed(t, acceptor, "acceptor", "--id", "a2", "--data", "d", "--config", file)
	if got.File != file || got.Node.ID != "a2" || got.Listen != "127.0.0.1:7102" || got.Data != "d" {
		t.Errorf("got %+v", got)
	}
	if got := parsed(t, acceptor, "acceptor", "--id", "a2", "--data", "d", "--config", file, "--listen", ":0"); got.Listen != ":0" {
		t.Errorf("got %+v", got)
	}
	got2 := parsed(t, (*input).initOptions, "init", "--id", "l1", "--data", "d", "--config", file)
	if got2.Role != paxos.RoleLearner || got2.Node.ID != "l1" {
		t.Errorf("got %+v", got2)
	}
}

func TestEditDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"form", "from", 1}, {"tail", "tali", 1}, {"read", "resolve", 5}} {
		if got := editDistance(test.a, test.b); got != test.want {
			t.Errorf("%q to %q: got %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
