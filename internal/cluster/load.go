package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/internal/load"
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
	cancel  context.CancelCauseFunc
	ended   chan struct{} // the last start's clients have ended
	opts    LoadOptions

	mu       sync.Mutex
	last     time.Time         // an answer
	silence  time.Duration     // longest between two answers
	index    map[string]uint64 // answered
	above    map[string]uint64 // the highest index answered when the entry was appended
	issued   map[string]time.Time
	waited   time.Duration // longest that an append waited for its answer
	unknown  map[string]client.UnknownOutcomeError
	failures []error
}

// LoadOptions say how heavy a load is.
type LoadOptions struct {
	Clients int
	Pace    time.Duration // a client appends at most one entry in this time
	Bytes   int           // added to each entry
	Noise   bool          // they are random, and no disk saves any by compressing them
}

// StartLoad starts clients that append through c. They end with the test.
func StartLoad(t testing.TB, c *client.Client, opts LoadOptions) *Load {
	l := &Load{
		t: t, c: c, opts: opts, last: time.Now(),
		index: map[string]uint64{}, above: map[string]uint64{}, issued: map[string]time.Time{}, unknown: map[string]client.UnknownOutcomeError{},
	}
	t.Cleanup(l.Stop)
	l.Start()
	return l
}

// inflight is how many appends a session has under way.
const inflight = 8

// Start starts the clients, again if they were stopped.
func (l *Load) Start() {
	ctx, cancel := context.WithCancelCause(context.Background())
	start, padding := l.started, strings.Repeat(".", l.opts.Bytes)
	noise := func() string { return "" }
	if l.opts.Noise {
		padding = ""
		noise = func() string { return string(randomBytes(l.opts.Bytes)) + string(rune(endOfNoise)) }
	}
	running := load.New(load.Config{
		Clients: l.opts.Clients, Inflight: inflight, Pace: l.opts.Pace, Watch: l,
		Open: func(int) load.Session { return load.OwnSession(l.c) },
		Fill: func(_ []byte, p load.Place) []byte {
			v := noise() + fmt.Sprintf("c%d%s/%d/%d/%d", p.Client, padding, start, p.Session, p.Seq)
			l.issue(v)
			return []byte(v)
		},
	})
	l.started++
	ended := make(chan struct{})
	l.cancel, l.ended = cancel, ended
	go func() {
		defer close(ended)
		running.Run(ctx)
	}()
}

// endOfNoise is the last byte of it.
const endOfNoise = 0

// randomBytes are letters.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'A' + byte(rand.IntN(32))
	}
	return b
}

// errLoadEnds is the error of what was not sent when the load ended.
var errLoadEnds = errors.New("the load ends")

// Stop stops the clients and waits until every append is settled.
func (l *Load) Stop() {
	l.cancel(errLoadEnds)
	<-l.ended
}

// issue notes what was answered before an entry is appended.
func (l *Load) issue(value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.above[value] = l.highest.Load()
	l.issued[value] = time.Now()
}

// Answered implements load.Watcher.
func (l *Load) Answered(_ load.Place, value []byte, r client.Result) error {
	l.answered(string(value), r)
	return nil
}

func (l *Load) answered(value string, r client.Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.index[value] = uint64(r.Index)
	l.highest.Store(max(l.highest.Load(), uint64(r.Index)))
	l.answers.Add(1)
	now := time.Now()
	l.silence, l.last = max(l.silence, now.Sub(l.last)), now
	l.waited = max(l.waited, now.Sub(l.issued[value]))
	delete(l.issued, value)
}

// Failed implements load.Watcher.
func (l *Load) Failed(_ load.Place, value []byte, err error) { l.failed(string(value), err) }

func (l *Load) failed(value string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var unknown *client.UnknownOutcomeError
	switch {
	case errors.As(err, &unknown):
		l.unknown[value] = *unknown
	case !errors.Is(err, client.ErrUnavailable) && !errors.Is(err, errLoadEnds):
		l.failures = append(l.failures, err)
	}
}

// Append appends one more entry, in a session of its own, and waits for its answer.
func (l *Load) Append() error {
	v := fmt.Sprintf("alone%s/%d/0/0", strings.Repeat(".", l.opts.Bytes), l.alone)
	l.alone++
	l.issue(v)
	p, err := l.c.NewSession().AppendAsync(context.Background(), []byte(v))
	if err != nil {
		return err
	}
	r, err := p.Wait(context.Background())
	if err != nil {
		l.failed(v, err)
		return err
	}
	l.answered(v, r)
	return nil
}

// Tally says how many appends were answered, and how many ended unknown.
func (l *Load) Tally() (answered, unknown int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.index), len(l.unknown)
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
		l.t.Logf("%s: %+v, %v", p.ID, p.ProcessState, p.Err)
	}
}

// Client is the client of the load.
func (l *Load) Client() *client.Client { return l.c }

// Silence is the longest time without an answer since it was asked last.
func (l *Load) Silence() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	silence := l.silence
	l.silence = 0
	return silence
}

// Waited is the longest that an append waited for its answer since it was asked last, those that
// still wait included.
func (l *Load) Waited() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	waited, now := l.waited, time.Now()
	for v, at := range l.issued {
		if _, unknown := l.unknown[v]; !unknown {
			waited = max(waited, now.Sub(at))
		}
	}
	l.waited = 0
	return waited
}

// Highest is the highest index that was answered.
func (l *Load) Highest() uint64 { return l.highest.Load() }
