// Package learner is the learner machine: it finds out what was chosen, applies
// it in instance order, numbers the entries, answers the clients, and serves
// reads and tails.
//
// It implements "learning a chosen value" of "Paxos Made Simple" (Lamport 2001),
// section 2.3, with acceptors that tell every learner directly, and the state
// machine of section 3: here, a log with exactly-once sessions. Linearizable
// reads poll a quorum of acceptors, without a leader (after "Paxos Quorum Reads",
// Charapko et al., HotStorage 2019).
//
// A learner does no I/O and reads no clock: a driver calls it, from one goroutine, as
// paxos.Machine says. Nothing that it says waits for its own disk: what it applies was
// chosen, so a quorum of acceptors has it; a learner that crashes is merely
// earlier when it returns.
//
// # Where to look
//
//	learner.go                 the machine
//	counting.go                votes, and what is chosen
//	fetching.go                what was missed: from whom, and when; a value that does not come although
//	                           a quorum voted for it
//	room.go                    a disk that is full
//	sources.go                 the processes that tell it what was chosen, and when they are asked for it
//	judge.go                   what of that is believed
//	apply.go, session.go       what a value does to the log
//	control.go                 what a control value does to the log
//	members.go                 who its processes are
//	checkpoint.go              a state that is put into the log; or is taken out of it, since what made
//	                           it was trimmed
//	encoding.go                its one form
//	replay.go                  a state that is computed again
//	chain.go                   its chain, and its own log on disk, read again
//	audit.go                   who is wrong where two chains differ; who is serves nobody any more
//	attach.go                  who is told what became of commands
//	reads.go, pages.go         where the log ends; entries; what waits for them
//	questions.go, loads.go     what is asked and not answered; reads of the store
//	connections.go, pool.go    what each client waits for, and how that is kept
//	report.go                  what status and metrics show
//	limits.go, invariants.go   what bounds all this, and what must hold
//
// # A learner that is wrong
//
// A learner whose log or state is not what follows from the values chosen serves nobody
// any more, and lets nobody copy from it. That it is wrong is on disk, so that a restart does
// not forget it. It goes on applying, and says in its log and status what to do: its directory
// is made anew, and it learns again from the others. It is not repaired by itself, since its
// directory is what there is to find out why.
//
// Learners that have applied as much have the same chain (paxos.Chain): a hash over each value,
// its instance, and the chain of the instance before. It is stored with each record.
//
//   - Each learner tells the others its newest chain, also while nothing is appended. Who has
//     that instance compares. Where two differ, who is wrong is not voted on: each fetches what
//     was chosen since the newest instance at which both were the same, from acceptors that
//     hold it, and computes the chain again. If it meets another value than its own, it asks all
//     acceptors. It is wrong if a Phase 2 quorum of them holds that other value.
//   - Each reads its own log again, at each start and once a day, a little at a time, and
//     computes the chain of what its disk has. Where that is another one than was stored with the
//     record, the disk has changed.
//   - At each checkpoint states are compared: what is made of the values, as sessions (package
//     control). The chain is in the state, so a checkpoint is confirmed only by who has the
//     same log.
//
// Example: l2 once applied y at instance 7, where x was chosen, by a bug. l1 and l2 tell each
// other their chains of 9. Both fetch 1 to 9 from a1. l1 computes the chain that it has. l2
// computes another one at 7, asks all acceptors, a1 and a2 hold x, and l2 is wrong.
//
// What one learner can do alone: one that lies, with a chain that nobody has, makes each other
// one fetch again. That is bounded: after an audit the next one on its account waits a
// minute, then two, and so on up to an hour, and pages are fetched one at a time with pauses.
// Everybody serves meanwhile, and nobody is wrong by its word. What one learner alone, without
// others, finds out: that its disk has changed since a value was applied, or that its state does
// not follow from its own values. It does not find out that it applied another value than was
// chosen and stored that as such: for that takes another learner. Nor does a chain tell what
// is on disk beside the values, as the place of an index: `paxlog inspect --verify` does.
//
// # Where a chain begins
//
// With the level that has one (control.ChainLevel): the chain of the first instance at that
// level follows the zero chain. So all processes agree on where it begins, whatever they have
// kept of what is below, and nobody reads a log of years at its first start. Below that level
// there is none, nothing is compared, and what is stored and put into checkpoints is as
// it was: a learner of an earlier release, which compares them byte by byte, agrees. A log that
// begins at that level has a chain of everything. A directory that an earlier release wrote while
// such a log began has records without one: package wal computes it when it is opened.
//
// A trim takes values away and leaves the chain of the last of them (LearnerState.Below), which
// is the one of the checkpoint that stands in their place. So what remains can be verified, and
// follows from what was there. A learner that begins with a checkpoint takes the chain from
// that.
//
// # Sessions that expire
//
// As many sessions are remembered as the log says. Which one goes first follows from what was applied,
// and from no clock: so it is the same everywhere. Below control.LevelRights it is the least
// recently used one, and the floor rises above its birth: an unknown session that was born below
// has expired, and whoever waits with one that has sent nothing yet begins another.
//
// From that level on the first to go is one of the owner that has most, and it raises the floor of that
// owner only. Example: one client makes 65,536 sessions in a moment. Below that level all that
// others had are gone, with what it takes to know a repeat. From it on they are its own, as long as
// others have fewer. Owners with a floor are few; beyond maxFloors the lowest floor becomes everybody's. That refuses
// more than it must, and never lets a command be applied twice. Sessions of nobody in particular have one
// owner, too: among those it is as it was.
//
// From control.LevelSettings on the log may say another number than it began with, and how many one
// principal may have (package control, "Settings"). An owner that has more loses its own, with its own floor.
// Where a number is lowered, sessions go a few at a time (maxExpired), whenever one is used: an instance
// costs the same however many have to go, and which ones those are follows from what was applied, as before.
// If nothing is appended none goes.
//
// # Copying
//
// A learner that misses much copies it from one source, several pages at once (package paging). Three things
// keep it from being in the way of clients, or they of it:
//
//   - Values that are relayed meanwhile are kept above what comes next, as far as there is room. A page
//     needs none: each of its values is applied before the next one is looked at. And where more than
//     farPages are missing, nobody relays anything: it would be dropped here.
//   - It asks for more when what it got is with its store. So it copies as fast as its disk takes, and drops
//     nothing that it would have to wait for.
//   - It rests between pages where that leaves it twice as fast as the log grows (pause).
//
// One that begins with a checkpoint, since what comes next was trimmed, goes on at once: the log may be
// trimmed again while it waits.
//
// # A value that does not come
//
// One acceptor, the relay, sends the values that it votes for; all send their votes. A value
// may come with the relay's vote (package acceptor, "A value and its vote"), and so after
// the votes of the others: then the instance is known to be chosen, and nobody knows what.
// A learner gives the relay a moment (valueTicks), for most often the value is under way, and
// then asks one of those that voted. Each instance is asked for once in this way: it is no fetch of
// copying, counts as no failure of one and delays none, so that whatever comes of it the
// instance is fetched when that is due (pacing). Where several instances in a row had to be
// asked for, one that voted becomes the relay.
//
// Example: a1 is the relay, and its disk hangs. a2 and a3 vote at instance 7. Two ticks later
// l1 asks a2, and applies 7 a round trip later. What a1 votes for meanwhile it sends at once.
package learner

import (
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/rights"
)

// Config is what a learner needs to know, and does not change while it runs. Ticks are
// milliseconds.
type Config struct {
	ID         paxos.NodeID
	Membership paxos.Membership
	Learners   []paxos.NodeID // the other learners, to copy from
	Seed       uint64         // random at each start: nonces begin there, so that no answer to an earlier run fits

	PollTicks  paxos.Ticks // between questions to an acceptor that does not tell by itself what changes
	RenewTicks paxos.Ticks // between renewals of a subscription
	RetryTicks paxos.Ticks // before something missing is fetched
	ReadTicks  paxos.Ticks // a linearizable read that cannot be decided is told so
	PageBytes  int         // bytes of values in one page; one value always fits
	EntryBytes int         // told to clients
	BatchBytes int         // told to clients: the largest batch of one Append
	AheadBytes int         // values kept above a hole
	CopyPages  int         // under way at once from who is copied; 0: one
	// BurstBytes is how many bytes of pages one connection is sent at once; one page
	// always fits. Whoever waits beyond it gets an empty page, and asks again when what
	// was sent has arrived: four hundred tails of one client must not fill the
	// connection's queue with copies of one large entry.
	BurstBytes int

	// ChunkBytes is how many bytes of a checkpoint one value carries; 0: it sends none.
	ChunkBytes int

	// ScrubTicks is how long the reading of this learner's own log again rests after each page,
	// and ScrubEach after it has read all; 0 and 0: it is not read again.
	ScrubTicks paxos.Ticks
	ScrubEach  paxos.Ticks

	Knows   uint64 // the highest level of a log that this process knows
	Program string // the version of the program, for status
	Blind   bool   // it asks no client for a certificate (rights.Gate)
}

// State is a learner's durable state, as its store recovers it.
type State struct {
	paxos.LearnerState
	Sessions []paxos.SessionState
	Peers    paxos.Peers
	Control  paxos.Encoded // up to Applied
	Wrong    string        // why it serves nobody any more, "" if it does
	Floors   paxos.Floors  // of owners
}

// Learner is the machine. Create it with New. All that it owns it owns alone: nothing
// in it is shared with a message that it sent, or with another of its fields. So a
// plain deep copy of a Learner goes on independently.
type Learner struct {
	paxos.Outbox
	cfg Config

	// Durable: applied and all that follows from it.
	state    paxos.LearnerState
	sessions sessions
	peers    paxos.Peers
	marked   paxos.Set // acceptors whose mark is to be written with the next change
	changed  bool      // state changed since the last flush
	flushed  flushed
	control  controlled
	// members are the acceptors of the configuration in force, and of the next one: whose votes
	// count at which instance (R4).
	members configuration.Electorate
	others  map[paxos.NodeID]other // acceptors and learners that are connected and no sources
	// directory is what clients are told of who the processes are, nil for nothing.
	directory *paxos.Directory

	checkpoint checkpointing
	replay     *replaying  // under way, or nil
	install    *installing // under way, or nil
	wrong      string      // durable: why this learner serves nobody any more, "" if it does

	telling    paxos.Timer // when the other learners are told this one's chain
	audit      *auditing   // under way, or nil
	auditNonce uint64      // far from those of copying
	scrub      scrubbing

	now     paxos.Ticks
	sources sources

	// What is known above applied.
	above      map[paxos.Instance]*evidence
	aheadBytes int
	doubts     uint64         // how often two values were said to be chosen
	doubtful   paxos.Timer    // when that is told again
	highest    paxos.Instance // highest instance that anybody voted for, as far as heard

	relay      paxos.NodeID // the acceptor that sends values ahead of its votes
	claimed    claim
	afar       bool        // so much is missing that nobody is to send any
	appliedAt  paxos.Ticks // when applied last rose
	progressAt paxos.Ticks // when applied last rose, or nothing was missing
	copying    copying
	wanting    wanting

	// What others wait for.
	loads   map[uint64]pending     // under way, by tag
	copies  int                    // of them, the copyLoads of acceptors and learners
	backups int                    // of them, those of clients
	reading map[paxos.Index]uint64 // of them, the pageLoad from each index on
	tag     uint64
	clients connections
	due     due
	reads   reads
	ready   bool
	drained bool // it is about to be stopped
	gate    rights.Gate
	room    room // on its disk
}

// New returns a learner that continues from st.
func New(cfg Config, st State) *Learner {
	l := &Learner{
		cfg: cfg, state: st.LearnerState, peers: st.Peers, sessions: newSessions(st.Sessions, st.Floors),
		sources: newSources(cfg), relay: cfg.Membership.Acceptors[0], members: configuration.Sole(cfg.Membership), others: map[paxos.NodeID]other{},
		above: map[paxos.Instance]*evidence{}, loads: map[uint64]pending{}, reading: map[paxos.Index]uint64{},
		gate: rights.Gate{Blind: cfg.Blind}, clients: newConnections(), due: newDue(),
	}
	l.reads.nonce, l.copying.nonce = cfg.Seed%paxos.Bound, cfg.Seed%paxos.Bound
	l.copying.pages.Depth = cfg.CopyPages
	l.auditNonce = (l.copying.nonce + paxos.Bound/2) % paxos.Bound
	l.state.Next = max(l.state.Next, 1)
	l.state.FirstIndex = max(l.state.FirstIndex, 1)
	l.state.FirstInstance = max(l.state.FirstInstance, 1)
	if l.peers == nil {
		l.peers = paxos.Peers{}
	}
	l.flushed = flushed{l.state, 0}
	l.control = newControlled(l, st)
	if _, ok := readFloors(st.Floors); !ok {
		l.Violated("what a learner stored of floors it knows", "floors", string(st.Floors))
	}
	l.configure()
	l.askOwn()
	if l.wrong = st.Wrong; l.wrong != "" {
		l.sayWrong(l.state.Applied)
	}
	return l
}

// Step implements paxos.Machine.
func (l *Learner) Step(from paxos.NodeID, m paxos.Message) {
	if s := l.sources.of(from); s != nil && s.stranger {
		if _, asks := m.(*paxos.Vouch); !asks {
			return
		}
	}
	if denied := l.gate.Judge(from, m, l.control.state.Grants); denied != nil {
		l.Send(from, denied)
		return
	}
	switch m := m.(type) {
	case *paxos.Accepted:
		l.onAccepted(from, m)
	case *paxos.Relay:
		l.onRelay(from, m)
	case *paxos.Page:
		l.onPage(from, m)
	case *paxos.PollReply:
		l.onPollReply(from, m)
	case *paxos.Configured:
		l.onConfigured(from, m)
	case *paxos.Attach:
		l.onAttach(from, m)
	case *paxos.Detach:
		l.onDetach(from, m)
	case *paxos.Withdraw:
		l.onWithdraw(from, m)
	case *paxos.Read:
		l.onRead(from, m)
	case *paxos.Locate:
		l.onLocate(from, m)
	case *paxos.Lookup:
		l.onLookup(from, m)
	case *paxos.Fetch:
		l.onFetch(from, m)
	case *paxos.Copy:
		l.onCopy(from, m)
	case *paxos.Chained:
		l.onChained(from, m)
	case *paxos.Vouch:
		l.onVouch(from, m)
	case *paxos.Drain:
		l.onDrain(from, m)
	case *paxos.StatusQuery:
		l.onStatus(from, m)
	case *paxos.DiskRoom:
		l.onDiskRoom(m)
	case *paxos.Loaded:
		l.onLoaded(m)
	case *paxos.PeerUp:
		l.onPeerUp(m)
	case *paxos.PeerDown:
		l.onPeerDown(m)
	case *paxos.Dropped:
		l.endStream(m.ID)
	}
}

// Tick implements paxos.Machine.
func (l *Learner) Tick(mono paxos.Ticks, _ paxos.UnixNanos) {
	l.now = mono
	l.tickReads()
	l.tickWanting()
	l.tickPolls()
	l.tickFetch()
	l.tickChain()
	l.tickAudit()
	l.tickScrub()
	l.tickRoom()
}

// Next implements paxos.Machine.
func (l *Learner) Next() paxos.Ticks {
	return min(l.nextPoll(), l.nextRead(), l.nextFetch(), l.nextCheckpoint(), l.nextWanting(), l.nextChain(), l.nextAudit(), l.nextScrub(), l.nextRoom(), l.nextDue())
}

// Flush implements paxos.Machine: it applies what was chosen, in order.
func (l *Learner) Flush() paxos.Output {
	l.apply()
	l.lookAfar()
	l.compareChains()
	l.tickCheckpoint()
	l.flushConnections()
	l.flushReads()
	if l.changed {
		l.changed = false
		l.sessions.write(&l.Outbox)
		l.Write(paxos.SetLearner{State: l.state})
		l.writeMarks()
		l.unpark(l.flushed.state.Next)
	}
	l.flushDue()
	l.checkFlush()
	l.silence()
	return l.Take()
}

// last is the index of the last entry, 0 if there is none.
func (l *Learner) last() paxos.Index { return l.state.Next - 1 }

// first is the first index kept, 0 if there never was an entry.
func (l *Learner) first() paxos.Index {
	if l.last() == 0 {
		return 0
	}
	return l.state.FirstIndex
}
