package proposer

import "github.com/paxlog/paxlog/paxos"

// The limits of a proposer that no cluster file sets, and why each is what it is.
const (
	// maxReported is how many votes one acceptor may report: as many as it keeps.
	maxReported = 1 << 20
	// witnesses is how many acceptors have to say the same, of more than one, of what only acceptors can
	// say: one of them may lie.
	witnesses = 2
	// triedTimeouts is for how many election timeouts no quorum has to answer before a standby asks by
	// what a single acceptor has shown, and for how long it does: long enough to be elected.
	triedTimeouts = 5
	// mostAhead is how far ahead of the acceptors' clocks the time of a value may be: more than an answer
	// is under way, and clocks that somebody looks after differ by.
	mostAhead = paxos.UnixNanos(10e9)
	// warnTicks is how often one trouble that lasts is told, at most.
	warnTicks = paxos.Ticks(60_000)

	// appendOverhead is more than the numbers of one run in a batch take.
	appendOverhead = 64

	// maxFailed bounds how often a failed campaign doubles the pause before the next:
	// 2^6 / 4 = 16 election timeouts, so that a cluster whose duels were bad luck elects
	// somebody within seconds.
	maxFailed = 6
	// maxPatience bounds how often it doubles the time that promises may take: 2^4 election
	// timeouts, more than the slowest disk that a leader could live on.
	maxPatience = 4

	// resendRetries is how many times RetryTicks a proposal waits for votes before it is
	// sent again. Connections lose only what a full queue drops, or what was under way when
	// they broke; the latter is sent again at once when they are back.
	resendRetries = 5

	// markShare is how many times its own size the log grows between two checkpoints: then
	// they are a fifth of it at most.
	markShare = 4

	// markPause is how long after a checkpoint the age or the number of entries asks for another one, in
	// ticks: however small they are, no entry costs a checkpoint.
	markPause = paxos.Ticks(1000)

	// confirmShare is after which part of a heartbeat interval a standby asks again whether
	// the silence that it was told of lasts: clocks that differ make an answer come short by
	// a millisecond.
	confirmShare = 5

	// orderRetries is how many times RetryTicks an order to trim waits for a checkpoint.
	orderRetries = 20

	// maxBehind is how many instances behind a newcomer counts as one that has caught up: it
	// copies so many in about a second, and a log that is busy is ahead of what it said last.
	maxBehind = 1 << 14

	// roomTicks is how old what a process says of its disk may be: what was proposed since is
	// taken off. It is measured, and told, a few times in a second.
	roomTicks = paxos.Ticks(1000)
	// nearRoom is more than is proposed in roomTicks.
	nearRoom = 1 << 30

	// askAgain is how many times in a heartbeat interval those that could not take over are
	// asked once more: standbys hear from acceptors about so often.
	askAgain = 5

	// repairSpan is how many instances one repair read covers: a lost holder leaves many
	// neighbours behind, and a page holds about so many full values.
	repairSpan = 64
	// repairRetries is how many times RetryTicks pass between the beginnings of two repairs:
	// everybody who misses an instance asks, again and again.
	repairRetries = 10

	// Each instance costs every process about the same, however much it carries. So what
	// arrives while eagerInstances are in flight waits for one of them to be chosen, unless
	// it fills a share of a batch (1/fullShare), or the latest instance is older than a share
	// (1/patience) of what instances take: then a long round trip does not make every append
	// wait for a whole one before its own.
	eagerInstances = 2
	fullShare      = 16
	patience       = 4

	// While a client that appends little does so beside others that append more, and for briefTicks after, values
	// are brief. It does not count as one for heavyTicks after it appended more. An instance counts as late
	// that takes more than twice as long as the quickest of the last quickestTicks; if that takes
	// longWay, it is the way that clients wait for, and not what is in flight.
	heavyTicks    = paxos.Ticks(1000)
	briefTicks    = 250
	longWay       = 8
	quickestTicks = paxos.Ticks(10_000)

	// crowded is for how many instances a leader asks for votes at once after an append
	// had to wait for them: what came together once does so again, and asking later takes
	// a heartbeat.
	crowded = 16
	// quietShare is which part of the window may be in flight without asking for votes.
	quietShare = 2
	// maxExpected bounds the instances that are looked at for each append. More are not in
	// flight without asking unless their clients do not say what they know.
	maxExpected = 8
	// idleShare is for which part of a heartbeat interval nothing must have been proposed
	// before a heartbeat announces what is chosen ahead of its time.
	idleShare = 8
)

// belowTimeouts is after how many election timeouts a standby makes do with silence of the
// configuration before: long enough for a leader by the newest to show.
const belowTimeouts = 4
