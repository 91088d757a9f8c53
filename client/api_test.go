package client

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client/core"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
)

// lone is a client of nobody: what is written to it is what the test steps.
func lone(inflight int) *Client {
	return offline(options{
		entryBytes: 1 << 20, inflight: inflight,
		proposers: []Peer{{ID: "p1"}}, learners: []Peer{{ID: "l1"}},
	})
}

// begun is lone with its proposer and learner connected, as it believes, and the shared
// session born.
func begun() *Client {
	c := lone(4 << 20)
	h := handler{c}
	h.PeerUp(&paxos.PeerUp{ID: "p1", Role: paxos.RoleProposer})
	h.PeerUp(&paxos.PeerUp{ID: "l1", Role: paxos.RoleLearner})
	h.Receive("l1", &paxos.Attached{Nonce: 1}, 0)
	return c
}

// TestAppendsAtOnce: what Append waits with is used again, and each caller gets the
// answer to its own entry.
func TestAppendsAtOnce(t *testing.T) {
	c := answering(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[Index]bool{}
	for range 20 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 100 {
				r, err := c.Append(context.Background(), []byte("x"))
				mu.Lock()
				if err != nil || r.Index != Index(r.AppendID.Seq) || seen[r.Index] {
					t.Errorf("%+v, %v", r, err)
				}
				seen[r.Index] = true
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	if len(seen) != 2000 {
		t.Errorf("%d entries were answered", len(seen))
	}
}

// TestOneDeadline: 40 callers share a client; another one's deadline is always too
// short. It fails alone, and the others know nothing of it.
func TestOneDeadline(t *testing.T) {
	c := answering(t)
	done := make(chan struct{})
	var hasty, others sync.WaitGroup
	hasty.Add(1)
	go func() {
		defer hasty.Done()
		for {
			select {
			case <-done:
				return
			default:
			}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Microsecond)
			_, err := c.Append(ctx, []byte("hasty"))
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
		}
	}()
	for range 40 {
		others.Add(1)
		go func() {
			defer others.Done()
			for range 200 {
				if _, err := c.Append(context.Background(), []byte("x")); err != nil {
					t.Errorf("%v", err)
					return
				}
			}
		}()
	}
	others.Wait()
	close(done)
	hasty.Wait()
}

// TestContextOver: under a context that is over nothing is sent, by any call.
func TestContextOver(t *testing.T) {
	c := begun()
	cause := errors.New("the caller has left")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	c.do(func(m *core.Machine) { m.Flush() })
	calls := everyCall(c)
	for name, call := range calls {
		if err := call(ctx); !errors.Is(err, cause) || errors.Is(err, ErrUnknownOutcome) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(ctx, WithProposers(Peer{}), WithLearners(Peer{})); !errors.Is(err, cause) {
		t.Errorf("New: %v", err)
	}
	c.do(func(m *core.Machine) {
		if out := m.Flush().SendNow; len(out) > 0 || m.Pending() > 0 {
			t.Errorf("%v was sent, %d appends wait", out, m.Pending())
		}
	})
}

// everyCall is each call of the API that takes a context, as what it returns.
func everyCall(c *Client) map[string]func(ctx context.Context) error {
	s := c.NewSession()
	tail := func(opts TailOptions) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			for _, err := range c.Tail(ctx, opts) {
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
	pending := func(queue func(context.Context, []byte) (*Pending, error)) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			p, err := queue(ctx, []byte("x"))
			if err != nil {
				return err
			}
			_, err = p.Wait(ctx)
			return err
		}
	}
	return map[string]func(ctx context.Context) error{
		"Append":              func(ctx context.Context) error { _, err := c.Append(ctx, []byte("x")); return err },
		"Session.Append":      func(ctx context.Context) error { _, err := s.Append(ctx, []byte("x")); return err },
		"AppendAsync":         pending(c.AppendAsync),
		"Session.AppendAsync": pending(s.AppendAsync),
		"End":                 func(ctx context.Context) error { _, _, err := c.End(ctx); return err },
		"Read":                func(ctx context.Context) error { _, err := c.Read(ctx, 1); return err },
		"Tail":                tail(TailOptions{}),
		"Tail, following":     tail(TailOptions{Follow: true}),
		"Resolve": func(ctx context.Context) error {
			_, err := c.Resolve(ctx, AppendID{Session: paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{9}), Seq: 1})
			return err
		},
	}
}

// TestCloseUnderCalls: a call under way, and every later one, ends with ErrClosed, or
// with an unknown outcome; no goroutine is left, and nothing panics.
func TestCloseUnderCalls(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, mute := range []bool{true, false} {
		for range 20 {
			c := ofFakes(t, mute, 0)
			type ended struct {
				name string
				err  error
			}
			calls := everyCall(c)
			results := make(chan ended, len(calls))
			for name, call := range calls {
				go func() { results <- ended{name, call(context.Background())} }()
			}
			runtime.Gosched()
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			for range calls {
				e := <-results
				unanswered := errors.Is(e.err, ErrClosed) || errors.Is(e.err, ErrUnknownOutcome)
				answered := e.err == nil || errors.Is(e.err, ErrNotFound) // the log is empty
				if answered && mute || !answered && !unanswered {
					t.Errorf("%s: %v", e.name, e.err)
				}
			}
			for name, call := range calls {
				if err := call(context.Background()); !errors.Is(err, ErrClosed) {
					t.Errorf("%s after Close: %v", name, err)
				}
			}
		}
	}
	stopFakes(t)
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond) // the pace of a condition: goroutines end by themselves
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%d goroutines before, %d after\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
}

// TestDeadlinesOfCalls: whatever its deadline, a call to processes that say nothing ends
// with the error of its context, in time, and says what it waited for.
func TestDeadlinesOfCalls(t *testing.T) {
	c := ofFakes(t, true, 0)
	for _, d := range []time.Duration{-time.Second, 0, 1, 200 * time.Microsecond, 10 * time.Millisecond} {
		for name, call := range everyCall(c) {
			ctx, cancel := context.WithTimeout(context.Background(), d)
			if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s with %v: %v", name, d, err)
			}
			cancel()
		}
	}
}

// TestTailCutOff: a tail whose context ends, or whose client is closed, while the log
// goes on says so with its last pair; wherever that happens.
func TestTailCutOff(t *testing.T) {
	for _, end := range []string{"context", "close"} {
		for after := range 40 {
			c := ofFakes(t, false, 1000)
			cause := errors.New("the caller has left")
			ctx, cancel := context.WithCancelCause(context.Background())
			n, last := 0, error(nil)
			for _, err := range c.Tail(ctx, TailOptions{Follow: after%2 == 0}) {
				if last = err; err != nil {
					continue
				}
				if n++; n == after*10+1 {
					if end == "close" {
						go func() { _ = c.Close() }()
					} else {
						cancel(cause)
					}
				}
			}
			complete := after%2 == 1 && n == 1000 && last == nil
			if !complete && !errors.Is(last, cause) && !errors.Is(last, ErrClosed) {
				t.Errorf("%s after %d: %d entries, then %v", end, after*10+1, n, last)
			}
			cancel(nil)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestTailPositions: where a tail may begin, and what is said beyond; near the ends of
// the numbers as well.
func TestTailPositions(t *testing.T) {
	c := ofFakes(t, false, 10)
	const most = 1<<64 - 1
	for _, test := range []struct {
		opts TailOptions
		want string
	}{
		{TailOptions{}, "1..10"},
		{TailOptions{From: FromIndex(0)}, "1..10"},
		{TailOptions{From: FromIndex(10)}, "10..10"},
		{TailOptions{From: FromIndex(11)}, "none"},
		{TailOptions{From: FromIndex(12)}, "12 is ahead of the log, which ends at 10"},
		{TailOptions{From: FromIndex(12), Follow: true}, "12 is ahead of the log, which ends at 10"},
		{TailOptions{From: FromIndex(100), Stale: true}, "100 is ahead: l1 has learned up to 10"},
		{TailOptions{From: FromIndex(1 << 63), Follow: true}, "9223372036854775808 is ahead of the log, which ends at 10"},
		{TailOptions{From: FromIndex(most)}, "18446744073709551615 is ahead of the log, which ends at 10"},
		{TailOptions{From: FromIndex(2), Count: most}, "2..10"},
		{TailOptions{From: FromIndex(2), Count: most - 1, To: most}, "2..10"},
		{TailOptions{From: FromIndex(2), Count: 1 << 63, To: 4}, "2..4"},
		{TailOptions{From: FromLast(most)}, "1..10"},
		{TailOptions{From: FromLast(3), Count: 2}, "8..9"},
		{TailOptions{From: FromEnd()}, "none"},
		{TailOptions{From: FromIndex(5), To: 4}, "none"},
	} {
		got := "none"
		first := Index(0)
		for e, err := range c.Tail(context.Background(), test.opts) {
			if err != nil {
				got = err.Error()
				var ahead *AheadError
				if !errors.As(err, &ahead) || !errors.Is(err, ErrNotFound) {
					t.Errorf("%+v: %v", test.opts, err)
				}
				break
			}
			if first == 0 {
				first = e.Index
			}
			got = fmt.Sprintf("%d..%d", first, e.Index)
		}
		if got != test.want {
			t.Errorf("%+v: %s, not %s", test.opts, got, test.want)
		}
	}
}

// TestPending: Done and Wait, before and after the answer.
func TestPending(t *testing.T) {
	c := begun()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var all []*Pending
	for range 3 {
		p, err := c.AppendAsync(context.Background(), []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	early := all[0].Done()
	select {
	case <-early:
		t.Error("done without an answer")
	default:
	}
	if _, err := all[1].Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	c.do(func(m *core.Machine) {
		m.Flush() // nobody runs the loop that sends
		m.Step("l1", &paxos.Results{Applied: []paxos.AppliedRun{{Session: c.main.machine.ID(), First: 1, Count: 3, Index: 1}}})
	})
	<-early
	<-all[2].Done()
	for i, p := range all {
		if r, err := p.Wait(ctx); err != nil || r.Index != Index(i)+1 {
			t.Errorf("entry %d: %+v, %v", i, r, err)
		}
	}
}

// TestRoomInTurn: who waits for room is admitted in turn; a large entry is not passed
// over by small ones that come later.
func TestRoomInTurn(t *testing.T) {
	c := lone(1000)
	s := c.NewSession()
	var mu sync.Mutex
	var order []string
	queue := func(size int) {
		value := []byte(strings.Repeat("x", size))
		go func() {
			if _, err := s.AppendAsync(context.Background(), value); err == nil {
				mu.Lock()
				order = append(order, fmt.Sprint(size))
				mu.Unlock()
			}
		}()
	}
	waiting := func(n int) {
		t.Helper()
		for range 10000 {
			c.mu.Lock()
			got := len(s.waiters)
			c.mu.Unlock()
			if got == n {
				return
			}
			time.Sleep(100 * time.Microsecond) // the pace of a condition
		}
		t.Fatalf("not %d waiters", n)
	}
	if _, err := s.AppendAsync(context.Background(), make([]byte, 900)); err != nil {
		t.Fatal(err)
	}
	queue(800)
	waiting(1)
	for n := range 5 {
		queue(10 + n)
		waiting(2 + n)
	}
	if len(order) != 0 {
		t.Errorf("%v passed", order)
	}
	s.End(errors.New("the end"))
	waiting(0)
}

// TestWaitersAreFreed: who waits for room is told when the session ends, and who comes
// later too.
func TestWaitersAreFreed(t *testing.T) {
	c := lone(1)
	s := c.NewSession()
	if _, err := s.AppendAsync(context.Background(), []byte("first")); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 4)
	for range 4 {
		go func() {
			_, err := s.AppendAsync(context.Background(), []byte("waits"))
			errs <- err
		}()
	}
	s.End(errors.New("the end"))
	for range 4 {
		if err := <-errs; !errors.Is(err, ErrSessionEnded) {
			t.Errorf("%v", err)
		}
	}
}

// TestNoRoomInTime: who waits for room longer than the client's timeout certainly was
// not appended, and learns why.
func TestNoRoomInTime(t *testing.T) {
	c := lone(1)
	c.opts.timeout = time.Millisecond
	s := c.NewSession()
	if _, err := s.AppendAsync(context.Background(), []byte("first")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AppendAsync(context.Background(), []byte("second")); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "no proposer can be reached") {
		t.Errorf("%v", err)
	}
}

// fakes are the processes of ofFakes, to be stopped.
var fakes struct {
	sync.Mutex
	all []*transport.Network
}

func stopFakes(t *testing.T) {
	t.Helper()
	fakes.Lock()
	defer fakes.Unlock()
	for _, n := range fakes.all {
		n.Close()
	}
	fakes.all = nil
}

// fake is a process that answers as it is told.
type fake struct {
	net    *transport.Network
	answer func(m paxos.Message) paxos.Message
}

func startFake(t *testing.T, role paxos.Role, id paxos.NodeID, answer func(m paxos.Message) paxos.Message) Peer {
	t.Helper()
	f := &fake{answer: answer}
	f.net = transport.New(transport.Config{
		Members: paxos.Membership{Cluster: "c"}, Role: role, ID: id, FrameBytes: 1 << 20, QueueBytes: 1 << 20,
		Connections: 200, Dial: time.Second, Handshake: 3 * time.Second, Idle: time.Minute,
	}, f)
	if err := f.net.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	fakes.Lock()
	fakes.all = append(fakes.all, f.net)
	fakes.Unlock()
	t.Cleanup(f.net.Close)
	return Peer{ID: string(id), Addr: f.net.Addr().String()}
}

func (f *fake) Receive(from paxos.NodeID, m paxos.Message, _ int) {
	if a := f.answer(m); a != nil {
		f.net.Send(from, a)
	}
}
func (f *fake) Rest()                                    {}
func (f *fake) PeerUp(*paxos.PeerUp)                     {}
func (f *fake) PeerDown(paxos.NodeID, paxos.Role, error) {}
func (f *fake) Refused(paxos.NodeID, string, error)      {}

// fakeLog is a learner with a log of n entries, ten an instance.
func fakeLog(n uint64) func(paxos.Message) paxos.Message {
	return func(m paxos.Message) paxos.Message {
		switch q := m.(type) {
		case *paxos.Attach:
			return &paxos.Attached{Nonce: q.Nonce, Session: q.Session, Applied: 1}
		case *paxos.Lookup:
			return &paxos.Found{Nonce: q.Nonce, Closed: true}
		case *paxos.Locate:
			return &paxos.Located{Nonce: q.Nonce, First: paxos.Index(min(n, 1)), Last: paxos.Index(n), AtTime: 1}
		case *paxos.Read:
			page := &paxos.LogPage{Nonce: q.Nonce, First: 1, Last: paxos.Index(n)}
			if uint64(q.From) > n {
				if q.Wait {
					return nil
				}
				return page
			}
			first := (uint64(q.From)-1)/10*10 + 1
			run := paxos.Run{Kind: paxos.RunAppend, First: first, Count: min(10, n-first+1)}
			for i := range run.Count {
				run.Entries = paxos.AppendEntry(run.Entries, fmt.Append(nil, first+i))
			}
			page.Records = []paxos.LogRecord{{Instance: paxos.Instance(first), First: paxos.Index(first), Count: run.Count, Log: run.AppendTo(nil)}}
			return page
		}
		return nil
	}
}

// ofFakes is a client of a silent proposer and of a learner that is mute or has a log of
// n entries.
func ofFakes(t *testing.T, mute bool, n uint64) *Client {
	t.Helper()
	silent := func(paxos.Message) paxos.Message { return nil }
	learner := fakeLog(n)
	if mute {
		learner = silent
	}
	c, err := New(context.Background(), WithCluster("c"),
		WithProposers(startFake(t, paxos.RoleProposer, "p1", silent)), WithLearners(startFake(t, paxos.RoleLearner, "l1", learner)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// answering is a client whose proposer has everything answered by its learner: the n-th
// command of a session is entry n.
func answering(t *testing.T) *Client {
	t.Helper()
	var learner *transport.Network
	var mu sync.Mutex
	var to paxos.NodeID
	attach := fakeLog(0)
	l := startFake(t, paxos.RoleLearner, "l1", func(m paxos.Message) paxos.Message { return attach(m) })
	fakes.Lock()
	learner = fakes.all[len(fakes.all)-1]
	fakes.Unlock()
	seen := map[paxos.SessionID]uint64{}
	p := startFake(t, paxos.RoleProposer, "p1", func(m paxos.Message) paxos.Message {
		a, ok := m.(*paxos.Append)
		if !ok {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		run, _, err := paxos.NextRun(a.Batch)
		if err != nil || run.First > seen[a.Session]+1 {
			return nil
		}
		seen[a.Session] = max(seen[a.Session], run.First+run.Count-1)
		learner.Send(to, &paxos.Results{Instance: 1, Applied: []paxos.AppliedRun{
			{Session: a.Session, First: run.First, Count: run.Count, Index: paxos.Index(run.First)},
		}})
		return nil
	})
	to = "@1" // the first client of the learner, as its transport names it
	c, err := New(context.Background(), WithCluster("c"), WithProposers(p), WithLearners(l))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestTailHoles: entries that are missing in a page, or stand at other indexes than they
// claim, end the tail with an error.
func TestTailHoles(t *testing.T) {
	for name, spoil := range map[string]func(p *paxos.LogPage){
		"an entry less": func(p *paxos.LogPage) {
			r := &p.Records[0]
			run, _, _ := paxos.NextRun(r.Log)
			_, run.Entries = paxos.NextEntry(run.Entries)
			run.First, run.Count = run.First+1, run.Count-1
			r.Log = run.AppendTo(nil)
		},
		"a damaged run": func(p *paxos.LogPage) { p.Records[0].Log = p.Records[0].Log[:5] },
		"a gap between records": func(p *paxos.LogPage) {
			late := p.Records[0]
			late.First += 11
			p.Records = append(p.Records, late)
		},
	} {
		log := fakeLog(30)
		silent := func(paxos.Message) paxos.Message { return nil }
		c, err := New(context.Background(), WithCluster("c"), WithProposers(startFake(t, paxos.RoleProposer, "p1", silent)),
			WithLearners(startFake(t, paxos.RoleLearner, "l1", func(m paxos.Message) paxos.Message {
				a := log(m)
				if p, ok := a.(*paxos.LogPage); ok {
					spoil(p)
				}
				return a
			})))
		if err != nil {
			t.Fatal(err)
		}
		n, last := 0, error(nil)
		for e, err := range c.Tail(context.Background(), TailOptions{}) {
			if last = err; err == nil {
				if n++; e.Index != Index(n) {
					t.Errorf("%s: entry %d after %d", name, e.Index, n-1)
				}
			}
		}
		if last == nil || !strings.Contains(last.Error(), "learner l1 sent a page") {
			t.Errorf("%s: %d entries, %v", name, n, last)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestDialTimeout: it reaches the connections, and one that lets nothing connect is refused.
func TestDialTimeout(t *testing.T) {
	some := []Option{WithProposers(Peer{ID: "p1"}), WithLearners(Peer{ID: "l1"})}
	o, err := gather(append(some, WithDialTimeout(7*time.Second)))
	if err != nil || o.transport().Dial != 7*time.Second {
		t.Errorf("%v, %v", o.transport().Dial, err)
	}
	if _, err := New(t.Context(), append(some, WithDialTimeout(0))...); err == nil {
		t.Error("a dial timeout of 0 is taken")
	}
}
