package cluster

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/paxlog/paxlog/client"
)

// Check ends a load, reads every learner's log to the end and holds it against
// what the load saw: every answered append is there, once, at its index, above
// all that was answered before it was issued; sessions are in order and without a
// hole; an unknown outcome is there at most once; nothing else is; the learners
// agree.
func (k *Cluster) Check(l *Load) {
	k.t.Helper()
	l.Stop()
	if len(l.failures) > 0 {
		k.t.Errorf("unexpected errors: %v", l.failures)
	}
	// Appends whose outcome is unknown may still be chosen while the logs are read:
	// compare them up to one end.
	_, end, err := k.Client(client.WithTimeout(patience)).End(context.Background())
	if err != nil {
		k.t.Fatal(err)
	}
	first := k.log(string(k.Config.Learners[0].ID), end)
	for _, n := range k.Config.Learners[1:] {
		if log := k.log(string(n.ID), end); !slices.Equal(first, log) {
			k.t.Fatalf("%s and %s differ: %d and %d entries", k.Config.Learners[0].ID, n.ID, len(first), len(log))
		}
	}
	k.CheckLog(l, first)
	answered, unknown := l.Tally()
	k.t.Logf("%d answered, %d unknown, %d in the log of %d learners", answered, unknown, len(first), len(k.Config.Learners))
}

// CheckLog holds a log, from its first entry on, against what the load saw, as Check does.
func (k *Cluster) CheckLog(l *Load, log []string) {
	k.t.Helper()
	for _, wrong := range l.compare(log) {
		k.t.Error(strings.ReplaceAll(wrong, strings.Repeat(".", l.opts.Bytes), ""))
	}
}

// log is what a learner serves up to an index.
func (k *Cluster) log(learner string, end client.Index) (log []string) {
	k.t.Helper()
	c := k.Client(client.WithLearner(learner), client.WithTimeout(patience))
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	for e, err := range c.Tail(ctx, client.TailOptions{To: end}) {
		if err != nil {
			k.t.Fatalf("tailing %s: %v", learner, err)
		}
		log = append(log, string(e.Value))
		if e.Index != client.Index(len(log)) {
			k.t.Fatalf("%s: index %d at place %d", learner, e.Index, len(log))
		}
	}
	return log
}

// compare holds a log against what the load saw and says what is wrong.
func (l *Load) compare(log []string) (wrong []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	places := map[string]uint64{}
	next := map[string]int{}
	for i, v := range log {
		at := uint64(i + 1)
		if first, ok := places[v]; ok {
			complain("%q is at index %d and at %d", v, first, at)
			continue
		}
		places[v] = at
		slash := strings.LastIndexByte(v, '/')
		session := v[strings.LastIndexByte(v, endOfNoise)+1 : max(slash, 0)]
		if n, err := strconv.Atoi(v[slash+1:]); err != nil || n != next[session] {
			complain("%q is where %s/%d should be", v, session, next[session])
		}
		next[session]++
		_, answered := l.index[v]
		_, unknown := l.unknown[v]
		if !answered && !unknown {
			complain("%q is in the log, though it was said not to be appended", v)
		}
		if above := l.above[v]; at <= above {
			complain("%q is at index %d, though index %d was answered before it was appended", v, at, above)
		}
	}
	for v, index := range l.index {
		if places[v] != index {
			complain("%q was answered with index %d, and is at %d", v, index, places[v])
		}
	}
	return wrong
}
