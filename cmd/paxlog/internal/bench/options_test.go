package bench

import (
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/commandtest"
)

func TestBenchOptions(t *testing.T) {
	commandtest.Alone(t)
	defaults := options{
		Mode: modeAppend, Clients: 64, Conns: 7, Inflight: 1, Size: 256,
		Duration: 10 * time.Second, Warmup: time.Second, Timeout: 10 * time.Second,
	}
	for _, test := range []struct {
		args   string
		change func(*options)
	}{
		{"", func(*options) {}},
		{"--clients 1000 --conns 100", func(o *options) { o.Clients, o.Conns = 1000, 100 }},
		{"--clients 3 --conns 100", func(o *options) { o.Clients, o.Conns = 3, 3 }},
		{"--total 5", func(o *options) { o.Total, o.Duration, o.Warmup = 5, 0, 0 }},
		{"--total 5 --warmup 2s", func(o *options) { o.Total, o.Duration, o.Warmup = 5, 0, 2*time.Second }},
		{"--size 4KiB --rate 0.5 --check --csv", func(o *options) { o.Size, o.Rate, o.Check, o.CSV = 4096, 0.5, true, true }},
		{"--share", func(o *options) { o.Share = true }},
		{"--mode tail --learner l1 -o json", func(o *options) { o.Mode, o.Learner, o.JSON = modeTail, "l1", true }},
		{"--mode catchup --learner l1 --clients 0 --timeout 0", func(o *options) {
			o.Mode, o.Learner, o.Clients, o.Conns, o.Timeout = modeCatchup, "l1", 0, 0, 0
		}},
	} {
		got := commandtest.Parsed(t, Command(), readOptions, strings.Fields(test.args)...)
		got.Cluster = clusterfile.Found{}
		want := defaults
		test.change(&want)
		if got != want {
			t.Errorf("%s: got %+v, want %+v", test.args, got, want)
		}
	}
}
