package model

import (
	"sort"

	"github.com/paxlog/paxlog/paxos"
)

// Load answers a load for a process of that role, by a plain walk over what it may return.
func (c *Contents) Load(role paxos.Role, l paxos.Load) *paxos.Loaded {
	out := &paxos.Loaded{Load: l}
	size := 0
	admit := func(n int) bool {
		if size > 0 && size+n+64 > l.MaxBytes {
			out.More = true
			return false
		}
		size += n + 64
		return true
	}
	switch l.Kind {
	case paxos.LoadVotes:
		for i := max(l.From, 1); i <= min(l.To, c.Top); i++ {
			v, ok := c.voteAt(role, i)
			if !ok {
				continue
			}
			if !admit(len(v.Value.Batch)) {
				break
			}
			out.Votes = append(out.Votes, v)
			if role == paxos.RoleLearner {
				out.Chains = append(out.Chains, c.Applied.At(i).Chain)
			}
		}
	case paxos.LoadLog:
		from := sort.Search(int(c.Top), func(i int) bool { // the first record that ends after l.Index
			r := c.Applied.At(paxos.Instance(i + 1)).Record
			return r.First+paxos.Index(r.Count) > l.Index
		})
		for i := paxos.Instance(from + 1); i <= c.Top; i++ {
			r := c.Applied.At(i).Record
			if r.First > l.UpTo || len(out.Log) == 0 && r.Count > 0 && r.First > l.Index {
				break // the latter: what was asked for was trimmed
			}
			if r.Count > 0 {
				if !admit(len(r.Log)) {
					break
				}
				out.Log = append(out.Log, r)
			}
		}
	case paxos.LoadTime:
		for i := paxos.Instance(1); i <= c.Top; i++ {
			if r := c.Applied.At(i).Record; r.Count > 0 && r.Time >= l.Time && r.First+paxos.Index(r.Count) > l.Index {
				out.Index = max(r.First, l.Index)
				break
			}
		}
	case paxos.LoadRuns:
		c.loadRuns(out)
	}
	return out
}

// voteAt is the vote at i of an acceptor, or what a learner shows in its place.
func (c *Contents) voteAt(role paxos.Role, i paxos.Instance) (paxos.Vote, bool) {
	if role == paxos.RoleLearner {
		p := c.Applied.At(i)
		return paxos.Vote{Instance: i, Ballot: p.Value.Origin, Value: p.Value}, p.Record.Instance != 0
	}
	v := c.Votes.At(i)
	return *v, v.Instance != 0
}

func (c *Contents) loadRuns(out *paxos.Loaded) {
	l := out.Load
	for _, at := range c.runs[l.Session] {
		if at.First+at.Count <= l.Seq || at.First > l.UpToSeq || at.Instance < max(l.From, c.First) {
			continue
		}
		if l.MaxRuns > 0 && len(out.Runs) == l.MaxRuns {
			out.More = true
			return
		}
		if at.First < l.Seq {
			skip := l.Seq - at.First
			at.First, at.Index, at.Count = l.Seq, at.Index+paxos.Index(skip), at.Count-skip
		}
		at.Count = min(at.Count, l.UpToSeq-at.First+1)
		out.Runs = append(out.Runs, at)
	}
}
