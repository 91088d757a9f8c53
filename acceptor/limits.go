package acceptor

import "github.com/paxlog/paxlog/paxos"

// The limits of an acceptor that no cluster file sets, and why each is what it is.
const (
	// maxRuns bounds the runs of one page: at about 64 bytes each a page of votes stays
	// below 256 KiB. Who asked comes back for the rest.
	maxRuns = 4096
	// maxTold bounds the instances at which a leader is told votes that it was not told
	// before: it asks for them when half of its window waits, which is 64 by default.
	maxTold = 4096
	// maxLoads bounds the reads of the store under way. A learner or acceptor has a few at
	// a time and a leader one for each Accept at an instance that is held, at most a
	// window of them. What is asked beyond is dropped, as a connection may, and asked again.
	maxLoads = 4096
	// maxVotes bounds the votes above held: about 100 MB. A leader has at most a window of
	// instances open; the rest is a hole that closes once what was missed is copied.
	maxVotes = 1 << 20
	// maxControlBytes bounds the control values among the votes above held, which are kept
	// in memory. Beyond it an acceptor does not vote for more of them until held has risen.
	maxControlBytes = 16 << 20
	// shortGap is how many instances an acceptor whose disk is short copies all the same: what a
	// leader has in flight while others tell it that they are short.
	shortGap = 128
	// patience is how many RetryTicks an answer may take: a page is up to PageBytes, read
	// from a disk that others use, too.
	patience = 10
	// silence is how many ElectionTicks a peer that is connected and has not vouched may
	// take: its answer waits for its disk, if it remembers this acceptor only now.
	silence = 10
	// againTicks is how often a peer that contradicts is asked again. Each answer may
	// cost it a line in its log, so not as often as one that is merely slow.
	againTicks = paxos.Ticks(1000)
	// joinTicks is how often a newcomer says that it would be a member.
	joinTicks = paxos.Ticks(200)
	// overtakenTicks is for how long after a heartbeat that asks the Accepts that it overtook
	// may come: they were sent before it.
	overtakenTicks = paxos.Ticks(3)
	// warnTicks is how often one trouble that lasts is told, at most.
	warnTicks = paxos.Ticks(60_000)
	// resignedTicks is the silence that is told since a leader resigned: longer than any
	// election timeout, and far from overflowing what it is compared with.
	resignedTicks = paxos.Ticks(1) << 40
)

// forever is above every instance.
const forever = paxos.Instance(1<<63 - 1)
