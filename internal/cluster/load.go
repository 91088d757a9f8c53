package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
)

// Load appends distinct entries from several sessions until it is stopped, and
// keeps what was answered. Every entry says its place: CLIENT/START/SESSION/NUMBER.
type Load struct {
	t       testing.TB
	c       *client.Client
	started int // times
	alone   int // appends by Append
	answers atomic.Int64
	highest atomic.Uint64 // index answered
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	opts    LoadOptions

	mu       sync.Mutex
	last     time.Time         // an answer
	silence  time.Duration     // longest between two answers
	index    map[string]uint64 // answered
	above    map[string]uint64 // the highest index answered when the entry was appended
	unknown  map[string]client.UnknownOutcomeError
	failures []error
}

// LoadOptions say how heavy a load is.
type LoadOptions struct {
	Clients int
	Pace    time.Duration // a client appends at most one entry in this time
	Bytes   int           // added to each entry
}

// StartLoad starts clients that append through c. They end with the test.
func StartLoad(t testing.TB, c *client.Client, opts LoadOptions) *Load {
	l := &Load{
		t: t, c: c, opts: opts, last: time.Now(),
		index: map[string]uint64{}, above: map[string]uint64{}, unknown: map[string]client.UnknownOutcomeError{},
	}
	t.Cleanup(l.Stop)
	l.Start()
	return l
}

// Start starts the clients, again if they were stopped.
func (l *Load) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	for i := range l.opts.Clients {
		name := fmt.Sprintf("c%d%s/%d", i, strings.Repeat(".", l.opts.Bytes), l.started)
		l.wg.Add(1)
		go func() {
			defer l.wg.Done()
			l.run(ctx, name)
		}()
	}
	l.started++
}

// Stop stops the clients and waits until every append is settled.
func (l *Load) Stop() {
	l.cancel()
	l.wg.Wait()
}

// Append appends one more entry, in a session of its own, and waits for its answer.
func (l *Load) Append() error {
	v := fmt.Sprintf("alone%s/%d/0/0", strings.Repeat(".", l.opts.Bytes), l.alone)
	l.alone++
	o := sent{value: v, above: l.highest.Load()}
	var err error
	if o.p, err = l.c.NewSession().AppendAsync(context.Background(), []byte(v)); err != nil {
		return err
	}
	if !l.settle(context.Background(), o) {
		_, err = o.p.Wait(context.Background())
	}
	return err
}

// Tally says how many appends were answered, and how many ended unknown.
func (l *Load) Tally() (answered, unknown int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.index), len(l.unknown)
}

// errLoadEnds is the error of what was not sent when the load ended.
var errLoadEnds = errors.New("the load ends")

// inflight is how many appends a session has under way.
const inflight = 8

// sent is an append under way.
type sent struct {
	p     *client.Pending
	value string
	above uint64
}

// run appends in one session after the other.
func (l *Load) run(ctx context.Context, name string) {
	for life := 0; ctx.Err() == nil; life++ {
		s := l.c.NewSession()
		var open []sent
		for n := 0; ; n++ {
			v, above := fmt.Sprintf("%s/%d/%d", name, life, n), l.highest.Load()
			p, err := s.AppendAsync(ctx, []byte(v))
			if err != nil {
				break
			}
			open = append(open, sent{p, v, above})
			if len(open) == inflight {
				if !l.settle(ctx, open[0]) {
					break
				}
				open = open[1:]
			}
			if l.opts.Pace > 0 {
				select {
				case <-time.After(l.opts.Pace):
				case <-ctx.Done():
				}
			}
		}
		s.End(errLoadEnds)
		for _, o := range open {
			l.settle(context.Background(), o)
		}
	}
}

// settle waits for one answer and reports whether the session goes on.
func (l *Load) settle(ctx context.Context, o sent) bool {
	r, err := o.p.Wait(ctx)
	if errors.Is(err, context.Canceled) {
		return false // settled after the session has ended
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var unknown *client.UnknownOutcomeError
	l.above[o.value] = o.above
	switch {
	case err == nil:
		l.index[o.value] = r.Index
		l.highest.Store(max(l.highest.Load(), r.Index))
		l.answers.Add(1)
		now := time.Now()
		l.silence, l.last = max(l.silence, now.Sub(l.last)), now
		return true
	case errors.As(err, &unknown):
		l.unknown[o.value] = *unknown
	case !errors.Is(err, client.ErrUnavailable) && !errors.Is(err, errLoadEnds):
		l.failures = append(l.failures, err)
	}
	return false
}

// Await waits for n more answers.
func (l *Load) Await(n int64, why string) {
	l.t.Helper()
	target := l.answers.Load() + n
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for l.answers.Load() < target {
		select {
		case <-tick.C:
		case <-deadline:
			l.sayStatus()
			l.t.Fatalf("%s: no progress within %v (%d answers)", why, patience, l.answers.Load())
		}
	}
}

// sayStatus logs what each process says of itself to the client of the load.
func (l *Load) sayStatus() {
	s, err := l.c.Status(context.Background())
	l.t.Logf("leader %q with a quorum: %v, %v", s.Leader, s.Quorum, err)
	for _, p := range s.Processes {
		l.t.Logf("%s: %+v, %v", p.ID, p.Reply, p.Err)
	}
}

// Silence is the longest time without an answer since it was asked last.
func (l *Load) Silence() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	silence := l.silence
	l.silence = 0
	return silence
}
