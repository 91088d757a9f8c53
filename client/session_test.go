package client

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// begun is a client without connections, and a session of it that has begun.
func begun() (*Client, *Session) {
	c := offline(options{entryBytes: 1 << 20, inflight: 4 << 20})
	return c, c.begun(1)
}

// begun is one more session.
func (c *Client) begun(n byte) *Session {
	s := &Session{c: c, core: newCore(), room: make(chan struct{}, 1), ended: make(chan struct{})}
	s.core.id, s.core.born = paxos.NewSessionID(0, [12]byte{n}), true
	c.sessions[s.core.id] = s
	return s
}

// answer answers everything that waits: command n is entry n.
func (s *Session) answer() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for m := s.core.take(1, "p1"); m != nil; m = s.core.take(1, "p1") {
		run, _, _ := paxos.NextRun(m.Batch)
		r := paxos.Results{Applied: []paxos.AppliedRun{{Session: s.core.id, First: run.First, Count: run.Count, Index: paxos.Index(run.First)}}}
		one := r.Result(0)
		s.core.onResult(1, &one)
	}
}

// TestAppendsAtOnce: what Append waits with is used again, and each caller gets the
// answer to its own entry.
func TestAppendsAtOnce(t *testing.T) {
	_, s := begun()
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			default:
				s.answer()
			}
		}
	}()
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[uint64]bool{}
	for range 20 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 100 {
				r, err := s.Append(context.Background(), []byte("x"))
				mu.Lock()
				if err != nil || r.Index != r.AppendID.Seq || seen[r.Index] {
					t.Errorf("%+v, %v", r, err)
				}
				seen[r.Index] = true
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	close(done)
	if len(seen) != 2000 {
		t.Errorf("%d entries were answered", len(seen))
	}
}

// TestAppendGivenUp: when its context ends, Append ends the session, and what it
// waited with is fit for the next.
func TestAppendGivenUp(t *testing.T) {
	for range 10 {
		_, s := begun()
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		_, err := s.Append(ctx, []byte("x"))
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
		if _, err := s.Append(context.Background(), []byte("x")); !errors.Is(err, ErrSessionEnded) {
			t.Fatal(err)
		}
	}
}

// TestPending: Done and Wait, before and after the answer.
func TestPending(t *testing.T) {
	_, s := begun()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var all []*Pending
	for range 3 {
		p, err := s.AppendAsync(context.Background(), []byte("x"))
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
	s.answer()
	<-early
	<-all[2].Done()
	for i, p := range all {
		if r, err := p.Wait(ctx); err != nil || r.Index != uint64(i)+1 {
			t.Errorf("entry %d: %+v, %v", i, r, err)
		}
	}
}

// TestEndedWhileExpired: a session that was ended does not begin anew because it has
// expired as well.
func TestEndedWhileExpired(t *testing.T) {
	c, s := begun()
	c.mu.Lock()
	s.core.expire = true
	c.mu.Unlock()
	s.End(ErrUnavailable)
	if _, err := s.AppendAsync(context.Background(), []byte("x")); !errors.Is(err, ErrSessionEnded) || len(c.opening) > 0 {
		t.Fatalf("it goes on: %v, %d sessions begin", err, len(c.opening))
	}
}

// TestFirstLeader: what was sent to a proposer before it was known to lead is not sent
// to it again, but to another one it is, and after each change.
func TestFirstLeader(t *testing.T) {
	for name, test := range map[string]struct {
		known paxos.Ballot
		sent  paxos.NodeID
		again bool
	}{
		"to the leader":                 {paxos.Ballot{}, "p1", false},
		"to another one":                {paxos.Ballot{}, "p2", true},
		"to the leader of a ballot ago": {paxos.Ballot{Round: 1, Proposer: "p1"}, "p1", true},
	} {
		c, s := begun()
		c.Receive("p1", &paxos.Leader{Ballot: test.known}, 0)
		c.mu.Lock()
		s.core.add(1, &Pending{value: []byte("x"), session: s})
		if s.core.take(1, test.sent) == nil {
			t.Fatal("nothing was sent")
		}
		c.mu.Unlock()
		c.Receive("p1", &paxos.Leader{Ballot: paxos.Ballot{Round: 2, Proposer: "p1"}}, 0)
		c.mu.Lock()
		if again := s.core.take(2, "p1") != nil; again != test.again {
			t.Errorf("%s: it is sent again: %v", name, again)
		}
		c.mu.Unlock()
	}
}
