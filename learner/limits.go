package learner

import "github.com/paxlog/paxlog/paxos"

// The bounds of what a learner keeps, and what happens at each. Those that depend on
// the cluster file stand in Config.
const (
	// maxAhead is for how many instances above applied votes and values are kept. What
	// is above is fetched when its turn comes. At a hundred bytes each this is 1 MB, and
	// more instances than a leader has open.
	maxAhead = 8192

	// maxOthers is how many connected processes of which nothing is copied are remembered.
	maxOthers = 2 * paxos.MaxAcceptors

	// maxCounted is how many votes of one message are counted, and maxBallots at how many
	// ballots those at one instance are told apart. An honest acceptor tells of each instance
	// once, and an instance sees a ballot for each leader that found it open. So the worst
	// message costs some milliseconds, and the worst acceptor 50 MB.
	maxCounted = maxAhead
	maxBallots = 64

	// maxRounds is how many polls for reads are under way. While acceptors answer
	// slowly, or a round cannot be decided, a new one begins every RetryTicks beside the
	// older ones: so a read waits for its own round, and not for one that hangs.
	maxRounds = 8

	// maxResults is how many runs one message tells of: 64 KiB.
	maxResults = 1024

	// maxAttached is how many sessions one connection waits for. Beyond it the one that
	// was attached or told of longest ago is detached, and its client is told so.
	maxAttached = 16384

	// maxParked is how many reads of all connections together wait for an entry, and
	// maxParkedHere how many of one. Beyond it the oldest of that connection, or of the
	// one that has most, is answered with an empty page: whoever waits asks again.
	maxParked     = 65536
	maxParkedHere = 16384

	// maxAsked is how many questions of one connection are being answered: reads that
	// found an entry, and linearizable reads. Beyond it one is answered at once that
	// nothing was found out, and a Lookup is not answered.
	maxAsked = 16384

	// maxAttachedAll and maxAskedAll are the same of all connections together: about 100 bytes
	// each. Beyond them the connection that has most gives up its oldest session; and a question
	// is answered so unless its connection has asked less than its share.
	maxAttachedAll = 1 << 18
	maxAskedAll    = 1 << 17

	// MaxLoads is how many loads for clients are under way: enough for a store that reads
	// several at once, and little to wait for behind.
	MaxLoads = 8

	// firstRuns is how many runs are read at first for a client that asks what became of commands: where each is
	// takes a look into the store, and who attaches a long session and leaves has cost little. Who stays
	// gets more in each load.
	firstRuns = 16
	// searchBurst and searchRate bound the runs that are found: at 10 microseconds each these are
	// 40 ms, and a sixth of a processor.
	searchBurst = 4096
	searchRate  = 16 // a tick

	// maxCopies is how many loads are under way for acceptors and learners that copy. Each
	// of them has a few at a time (paging.Most); what comes beyond is dropped, and asked for again.
	maxCopies = 256

	// maxBackups is how many loads are under way for clients that copy the log. What comes
	// beyond is answered with an empty page, and asked for again.
	maxBackups = 4

	// maxExpired is how many sessions expire at most when one is used: more than one has to go only where
	// the log was told to remember fewer.
	maxExpired = 64

	// maxStateBytes and maxSessionBytes are more than a state takes, without its sessions and
	// for each of them.
	maxStateBytes   = 4 << 20
	maxSessionBytes = 64

	// maxWaiting is how many linearizable reads of all connections wait for their round.
	maxWaiting = 65536
)

// maxTimeStep bounds how far one value advances the log's time: a leader with a
// broken clock cannot push it years ahead at once. 7 days in nanoseconds; a log
// that rests for longer catches up over a few values. That many values do not is seen to by
// leaders, which take no time that lies far ahead of the acceptors' clocks (package proposer).
const maxTimeStep = paxos.UnixNanos(7 * 24 * 3600 * 1e9)

// Fetching what was missed.
const (
	// stuckRetries is how many times RetryTicks a learner tries to get an instance
	// from other nodes before it asks the leader to repair it.
	stuckRetries = 10

	// slowRetries is how many times RetryTicks a source may take for a page before
	// another one is asked.
	slowRetries = 10

	// fetchMax is the longest pause between fetches that do not help, in times
	// RetryTicks. What is not decided yet may take long, and its votes are told anyway
	// when it is.
	fetchMax = 10

	// turnRetries is how many times RetryTicks nothing must have come of a checkpoint before
	// the next learner sends it, too.
	turnRetries = 30

	// valueTicks is how long the value of a chosen instance may take to come from the
	// relay: more than a millisecond, within which acceptors are done that sync at the same
	// time. Then one that voted is asked for it. asksInRow is how many instances in a row have to
	// be asked for so that another acceptor becomes the relay.
	valueTicks = 2
	asksInRow  = 8

	// askTrims is how many times RetryTicks a learner whose disk is full waits before it asks again
	// what the log has trimmed.
	askTrims = 10

	// nearRoom is how little room a learner tells of when it changes, and not only when it tells
	// how far it has come.
	nearRoom = 1 << 30

	// far is how many held instances behind a learner fetches without delay.
	far = 64

	// farPages is with how many pages missing a learner has no values relayed any more; with half of that it has
	// again.
	farPages = 16

	// Where a learner copies much while clients append, both share processors and
	// disks. So it rests for pause times as long as a page took, unless the log grows by
	// more than a share of what it copies (paging.Growth): then it would not come closer soon. With both it
	// copies at least twice as fast as the log grows.
	pause = 3
)

// Comparing chains, and reading the own log again.
const (
	// auditRest is how long nothing is fetched again because of what a learner tells, after
	// an audit that it has caused; twice as long after each one, up to about an hour.
	auditRest      = warnTicks
	auditDoublings = 6

	// auditTries is how often in a row acceptors are asked in vain.
	auditTries = 10

	// scrubBytes is how much of the own log is read at once: hashing it takes part of a
	// millisecond, during which nobody else is served.
	scrubBytes = 256 << 10
)

// warnTicks is how often one trouble that lasts is told, at most: once a minute.
const warnTicks = paxos.Ticks(60_000)

// itemBytes is what one record counts in a page beside its bytes, as the store counts.
const itemBytes = 64
