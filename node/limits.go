package node

import "time"

// Of the turn.
const (
	// maxDrain bounds the messages stepped before a flush, so that time passes for the
	// machine, and answers leave, also under a flood.
	maxDrain = 1024
	// maxClients bounds those of clients among them, maxClient those of one client, and drainBytes
	// their bytes: checking an append takes about a millisecond for each MiB.
	maxClients = 512
	maxClient  = 64
	drainBytes = 4 << 20
	// littleShare is which part of a batch a client may have waiting that appends little (proposer.Config.LittleBytes).
	littleShare = 64
	// crowdBytes is how much stays of a client at least that does not wait for results, and crowdEach how often
	// that is told.
	crowdBytes = 16 << 10
	crowdEach  = 200 * time.Millisecond
	// laneSlack is what a client may have waiting beside its share: more than a poller reads of
	// one connection before it looks whether it may go on.
	laneSlack = 256 << 10
	// maxRepeats is how many questions how this process is a client may send before one is answered,
	// and not be taken to flood it.
	maxRepeats = 16
	// allowance is how much a client may ask for in a paceWindow (pace.go), in units of costOf. Who
	// asks for more has its reader rest, restTimes as long as that is late, within bounds.
	// In its first window it may ask for firstAllowance.
	allowance      = 100
	firstAllowance = 25
	paceWindow     = 100 * time.Millisecond
	leastRest      = 2 * time.Millisecond
	mostRest       = 250 * time.Millisecond
	restTimes      = 4
	// few is how many messages a reader steps itself; for more it wakes the loop.
	few = 2
	// maxSpare bounds the items of an inbox that is kept for the next messages.
	maxSpare = 1 << 16
)

// Of answers about this process.
const (
	usagePatience = 200 * time.Millisecond // how long they wait for what the disk says
	usageEach     = 50 * time.Millisecond  // for how long what the disk said is good
	maxAnswers    = 1024                   // that wait at once
)

// Of certificates.
const (
	credentialsEach = 5 * time.Second // their files are looked at, and who is connected is judged
	warnEach        = 24 * time.Hour  // it is told again that one ends soon
)

// Of what is logged of connections (peerLog).
const (
	logInterval  = time.Minute // lines are counted for so long
	flaps        = 3           // times that a peer's coming and going is told in an interval
	fewStrangers = 3           // times that a kind of stranger is
	maxLines     = 1000        // kinds of lines that are remembered
)

// Of checkpoints.
const (
	// A checkpoint is begun when the log has grown so far since the newest one, so that a
	// trim has somewhere to begin, and a newcomer little to apply.
	markBytes     = 64 << 20
	markInstances = 1 << 17
	// scrubRest is how long a learner rests after each page of its own log that it reads again:
	// at a quarter of a MiB each that is about a hundredth of a processor, and 9 GiB an hour.
	// scrubEach is how long it rests when it has read all.
	scrubRest = 100 * time.Millisecond
	scrubEach = 24 * time.Hour

	// markPatience is for how long one may not come on, say since all its learners were started
	// anew meanwhile, before another one is begun.
	markPatience = time.Minute
)
