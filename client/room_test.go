package client

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// anotherAppend is the error of an append that has nothing to do with those of a test.
func anotherAppend() error {
	return &UnknownOutcomeError{Session: paxos.NewSessionID(7, paxos.Stamp{}, [12]byte{9}), Seq: 3, First: 3, Last: 3, Cause: errors.New("x")}
}

// TestCauseOfAnother: the context of a group ends with the error of its first member as
// cause. That is not the outcome of the others.
func TestCauseOfAnother(t *testing.T) {
	c := lone(4 << 20) // nobody is connected: nothing is ever sent
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := c.Append(ctx, []byte("never sent"))
		ended <- err
	}()
	for pending := 0; pending == 0; {
		c.mu.Lock()
		pending = c.m.Pending()
		c.mu.Unlock()
	}
	cancel(anotherAppend())
	err := <-ended
	var unknown *UnknownOutcomeError
	if errors.Is(err, ErrUnknownOutcome) || errors.As(err, &unknown) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("never sent, and told %v", err)
	}

	p, err := begun().AppendAsync(context.Background(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancelCause(context.Background())
	cancel(ErrUnavailable)
	if _, err := p.Wait(over); err == nil || errors.Is(err, ErrUnavailable) {
		t.Errorf("under way, and told %v", err)
	}

	s := c.NewSession()
	if p, err = s.AppendAsync(context.Background(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	s.End(anotherAppend())
	if _, err := p.Wait(context.Background()); errors.Is(err, ErrUnknownOutcome) || !errors.Is(err, ErrSessionEnded) {
		t.Errorf("never sent, and told %v", err)
	}
}

// running starts what New starts.
func (c *Client) running(t *testing.T) {
	c.wg.Add(2)
	go c.timer()
	go c.sendLoop()
	t.Cleanup(func() { _ = c.Close() })
}

// awaitWaiters returns when n callers wait for room in s.
func (s *Session) awaitWaiters(n int) {
	for got := -1; got != n; {
		s.c.mu.Lock()
		got = len(s.waiters)
		s.c.mu.Unlock()
	}
}

// TestAdmittedInTime: an entry for which there is room only because the one before it
// was given up has its own patience, and is answered when that is over.
func TestAdmittedInTime(t *testing.T) {
	c := lone(1)
	c.opts.timeout = 200 * time.Millisecond
	c.running(t)
	s := c.NewSession()
	done := make(chan error, 2)
	first := func() { _, err := s.Append(context.Background(), []byte("1")); done <- err }
	go first()
	for pending := 0; pending == 0; {
		c.mu.Lock()
		pending = c.m.Pending()
		c.mu.Unlock()
	}
	go first()
	for range 2 {
		select {
		case err := <-done:
			if !errors.Is(err, ErrUnavailable) {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("no answer")
		}
	}
}

// TestCrowdedOnce: callers that try again while there is no room leave nothing behind.
func TestCrowdedOnce(t *testing.T) {
	c := lone(1)
	s := c.NewSession()
	if _, err := s.AppendAsync(context.Background(), []byte("first")); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Microsecond)
		if _, err := s.Append(ctx, []byte("x")); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		cancel()
	}
	if n := len(c.crowded); n != 0 {
		t.Errorf("%d sessions are crowded, and nobody waits", n)
	}
}

// TestFirstWaiterLeaves: when the first that waits for room leaves, the next one is
// admitted if it fits.
func TestFirstWaiterLeaves(t *testing.T) {
	c := lone(1000)
	s := c.NewSession()
	queue := func(ctx context.Context, size int) <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := s.AppendAsync(ctx, make([]byte, size))
			done <- err
		}()
		return done
	}
	if err := <-queue(context.Background(), 700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	large := queue(ctx, 800)
	s.awaitWaiters(1)
	small := queue(context.Background(), 10)
	s.awaitWaiters(2)
	cancel()
	if err := <-large; !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	if err := <-small; err != nil {
		t.Error(err)
	}
}

// TestStreamBehindUnsent: what waits for room behind an entry that is not appended does
// not go on without it, in another session either.
func TestStreamBehindUnsent(t *testing.T) {
	c := lone(1)
	c.opts.timeout = 200 * time.Millisecond
	c.running(t)
	first, err := c.AppendAsync(context.Background(), []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	s := c.mainSession()
	if _, err := c.AppendAsync(context.Background(), []byte("2")); !errors.Is(err, ErrSessionEnded) && !errors.Is(err, ErrUnavailable) {
		t.Errorf("it was queued: %v", err)
	}
	if _, err := first.Wait(context.Background()); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	if c.mainSession() == s {
		t.Error("the session goes on")
	}
}
