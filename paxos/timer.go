package paxos

// Timer is a time from which on something is due. It holds no clock: whoever owns
// it says what time it is. The zero Timer is due at once, so that what is done "at
// most once in so many ticks" is done the first time without being set:
//
//	if t.Due(now) {
//		t.Set(now + cfg.RetryTicks)
//		ask again
//	}
type Timer struct{ at Ticks }

// Never is later than every time that a clock shows.
const Never = Ticks(1<<63 - 1)

// Set makes t due from at on.
func (t *Timer) Set(at Ticks) { t.at = at }

// Stop makes t due never, until it is set again.
func (t *Timer) Stop() { t.at = Never }

// Due reports whether the time has come.
func (t Timer) Due(now Ticks) bool { return now >= t.at }

// At is the time from which on t is due: Never, if it is stopped.
func (t Timer) At() Ticks { return t.at }

// StrangerShare is for how many election timeouts nobody must have led before one of whom nobody
// knows that it is a proposer may campaign, and is promised something.
const StrangerShare = 10
