package load

import (
	"context"
	"time"

	"github.com/paxlog/paxlog/client"
)

// Config says how heavy a load is, what it appends, and to what.
type Config struct {
	Clients  int
	Inflight int           // appends of one client that are not answered
	Warmup   time.Duration // at the beginning, not measured
	Duration time.Duration // for how long to measure; 0: until Total, or until it is stopped
	Total    uint64        // how many appends to measure; 0: until Duration
	Rate     float64       // appends due a second, of all clients; 0: as fast as answers come
	Pace     time.Duration // a client appends at most one value in this time; 0: as fast as answers come
	Grace    time.Duration // how long an interrupted load waits for answers before it ends its sessions

	// Open opens a session for a client. It is called again after a failure.
	Open func(client int) Session
	// Fill makes the value of a place, in dst if that is not nil: the value that the
	// buffer held before is answered.
	Fill func(dst []byte, p Place) []byte
	// Watch sees every outcome, if it is not nil.
	Watch Watcher
	// Fatal says which failures end the load: after the others a client goes on. nil: none.
	Fatal func(error) bool
	// Clock is the time since the beginning; nil: the real one, from New on.
	Clock Clock
}

// Place says which value it is.
type Place struct {
	Client  int
	N       uint64 // of the client, from 0
	Session int    // of the client, from 0
	Seq     uint64 // of the session, from 0
}

// Watcher sees what becomes of each append. The calls about one client come from one
// goroutine, in the order of its appends.
type Watcher interface {
	// Answered: an error ends the load.
	Answered(p Place, value []byte, r client.Result) error
	Failed(p Place, value []byte, err error)
}

// Session is what a client appends to. The value must not change until it is answered.
type Session interface {
	Append(ctx context.Context, value []byte) (Answer, error)
	// End makes what is unanswered fail.
	End(cause error)
}

// Answer is an append under way.
type Answer interface {
	Done() <-chan struct{}
	// Wait returns the outcome. After Done it does not block.
	Wait(ctx context.Context) (client.Result, error)
}

// OwnSession is a session of the client library.
func OwnSession(c *client.Client) Session { return ownSession{c.NewSession()} }

type ownSession struct{ *client.Session }

// Append implements Session.
func (s ownSession) Append(ctx context.Context, value []byte) (Answer, error) {
	p, err := s.AppendAsync(ctx, value)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// SharedSession is the main session of a connection, which all its clients share.
func SharedSession(c *client.Client) Session { return sharedSession{c} }

type sharedSession struct{ *client.Client }

// Append implements Session.
func (s sharedSession) Append(ctx context.Context, value []byte) (Answer, error) {
	p, err := s.AppendAsync(ctx, value)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// End makes all that is unanswered on the connection fail, which must not wait for it.
func (s sharedSession) End(error) { _ = s.Close() }
