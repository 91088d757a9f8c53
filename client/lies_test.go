package client

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// TestTailOfLies: a learner whose pages end before they begin, or lack entries that they
// claim to have, is not asked for ever, and nothing is passed over.
func TestTailOfLies(t *testing.T) {
	for name, lie := range map[string]func(p *paxos.LogPage){
		"ends before it begins": func(p *paxos.LogPage) { p.Records = append(p.Records, paxos.LogRecord{}) },
		"claims more":           func(p *paxos.LogPage) { p.Records[0].Count += 5 },
		"claims all":            func(p *paxos.LogPage) { p.Records[0].Count = paxos.Bound - 1 },
	} {
		honest := fakeLog(25)
		learner := startFake(t, paxos.RoleLearner, "l1", func(m paxos.Message) paxos.Message {
			a := honest(m)
			if p, ok := a.(*paxos.LogPage); ok && len(p.Records) > 0 {
				lie(p)
			}
			return a
		})
		silent := startFake(t, paxos.RoleProposer, "p1", func(paxos.Message) paxos.Message { return nil })
		c, err := New(context.Background(), WithCluster("c"), WithProposers(silent), WithLearners(learner))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		n := 0
		for e, tailed := range c.Tail(ctx, TailOptions{Stale: true}) {
			if err = tailed; err == nil {
				if n++; e.Index != Index(n) {
					t.Errorf("%s: entry %d is the %dth", name, e.Index, n)
				}
			}
		}
		if err == nil || !strings.Contains(err.Error(), "missing or damaged") {
			t.Errorf("%s: after %d entries: %v", name, n, err)
		}
		cancel()
		_ = c.Close()
	}
}
