package load

import (
	"math"
	"time"
)

// Clock is the time of a run, since its beginning.
type Clock interface {
	Now() time.Duration
	// Wait returns when that time has come, done is closed, or stop is.
	Wait(until time.Duration, done, stop <-chan struct{})
}

// never is a time that does not come.
const never = time.Duration(math.MaxInt64)

// WallClock is the real clock, which begins now.
func WallClock() Clock { return wallClock{time.Now()} }

type wallClock struct{ start time.Time }

// Now implements Clock.
func (c wallClock) Now() time.Duration { return time.Since(c.start) }

// Wait implements Clock.
func (c wallClock) Wait(until time.Duration, done, stop <-chan struct{}) {
	if until == never && stop == nil {
		<-done // the usual case needs no timer
		return
	}
	d := until - c.Now()
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-done:
	case <-stop:
	}
}
