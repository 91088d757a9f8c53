package core

import "github.com/paxlog/paxlog/paxos"

// Patience of a session, in ticks (milliseconds).
const (
	// resendMin is how long a session waits without any answer before it sends
	// everything again and tries others: well above a fail-over (about 300 ms), so that
	// a slow cluster is not made slower. The wait doubles up to resendMax.
	resendMin = 1000
	resendMax = 5000
	// refusedMin is the pause after a refusal; it doubles up to refusedMax. A proposer
	// that does not lead refuses at once, and would be asked in a loop.
	refusedMin = 10
	refusedMax = 200
	// attachWait is how long an earlier result may be overtaken by a later one before
	// the session asks the learner for it.
	attachWait = 100
	// birthWait is how long a learner may take to say where a session begins.
	birthWait = 500
	// birthFresh is how long what a learner has applied is good for further births: an
	// older birth is nearer to the floor below which unknown sessions have expired.
	birthFresh = 1000
)

// Patience of a call, in ticks.
const (
	// callWait is how long one learner may take for one answer, before another one is
	// asked. It is above the time that a learner takes to give up on a read.
	callWait = 4000
	// callWaitMin is the least share of a short deadline that one learner is given.
	callWaitMin = 20
	// followWait is how long nothing may come from a learner that is followed before it
	// is asked whether it keeps up.
	followWait = 1000
	// undecidedWait is the pause after a learner said that it cannot decide a read: one
	// that has too many reads waiting says so at once.
	undecidedWait = 20
	// resolvePoll is between two questions whether a fence is chosen; resolveSend is
	// between two fences sent to the same proposer.
	resolvePoll = 20
	resolveSend = 1000
)

const (
	// chunkBytes bounds the batch of one Append message, if the cluster's own limit
	// does not. One entry always fits.
	chunkBytes = 256 << 10
	// runOverhead is more than the numbers of a run and of one more entry take.
	runOverhead = 64
	// maxInFlight bounds the Append messages of one session under way: under load
	// entries wait and go out many in one message.
	maxInFlight = 16
	// EntryOverhead is what an entry counts beside its bytes in a session's budget.
	EntryOverhead = 64
	// keptEntries bounds the list that an idle session keeps for its next entries.
	keptEntries = 1024
)

// never is when nothing is due.
const never = paxos.Never
