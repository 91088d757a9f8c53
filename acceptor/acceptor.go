package acceptor

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/rights"
)

// Config is what an acceptor needs to know. Ticks are milliseconds.
type Config struct {
	ID          paxos.NodeID
	Membership  paxos.Membership
	Incarnation uint64
	// Seed is random at each start: nonces begin there, so that no answer to an
	// earlier process fits, and marks show it.
	Seed uint64
	// Sources are the other acceptors and all learners of the cluster file, in a fixed order:
	// it copies from them what it missed. They and Proposers vouch for it, and only Proposers
	// use ballots; if there are none, as in exploration, everybody does. The log may decide that
	// they are others.
	Sources   []paxos.NodeID
	Proposers []paxos.NodeID

	ElectionTicks  paxos.Ticks // for how long a live leader is protected
	HeartbeatTicks paxos.Ticks // between two things that a learner is told without asking
	RetryTicks     paxos.Ticks // between attempts to copy or to be vouched for
	StallTicks     paxos.Ticks // a sync older than this stops heartbeat answers
	IdleTicks      paxos.Ticks // a subscription not renewed for this long ends
	PageBytes      int         // bytes of values in one page; one value always fits
	CopyPages      int         // under way at once from who is copied; 0: one
	ValueBytes     int         // the largest value that is voted for, 0: any

	Knows   uint64 // the highest level of a log that this process knows
	Program string // the version of the program, for status
	Addr    string // where others dial it, for one that joins a log
}

// State is an acceptor's durable state, as its store recovers it.
type State struct {
	Promised paxos.Ballot
	Held     paxos.Instance
	Votes    map[paxos.Instance]paxos.Ballot // above Held
	Commits  uint64                          // made so far
	Life     paxos.Ballot                    // under which it last rejoined
	Forgot   bool                            // it has to rejoin
	Peers    paxos.Peers
	Control  paxos.Encoded             // up to Held
	Controls map[paxos.Instance]string // of Votes: those for control values
}

// Acceptor is the machine. Create it with New.
type Acceptor struct {
	paxos.Outbox
	cfg Config

	// Durable: every change is written in the step that makes it.
	promised paxos.Ballot            // at least the ballot of every vote
	held     paxos.Instance          // all at or below: chosen, in the store, immutable
	votes    map[paxos.Instance]vote // above held
	voting   *paxos.Ballot           // of the latest vote
	mark     paxos.Mark              // of the latest commit
	peers    paxos.Peers

	highest paxos.Instance // highest instance voted for, at least held
	control controlled
	// members are the acceptors of the newest configuration that this one holds, and of the
	// one before, as long as that matters. enrolled is the version of who the others are.
	members   configuration.Electorate
	enrolled  uint64
	proposers []paxos.NodeID
	sources   []paxos.NodeID // that this acceptor copies from
	joined    paxos.Timer    // when a newcomer says again that it would be a member

	now     paxos.Ticks
	wall    paxos.UnixNanos // as leaders are told it; nothing is decided by it
	started bool
	late    bool // the next Tick comes much later than was asked for
	hearing hearing
	drained bool // it is about to be stopped: others count on it no more. It votes all the same

	// The last announcement: instances <= announcedUpTo are chosen, and those that this
	// acceptor voted for at ballot announced may be held.
	announced     paxos.Ballot
	announcedUpTo paxos.Instance
	known         paxos.Instance // highest instance known to be chosen, from anybody

	subs     []subscriber // sorted by id
	standbys []standby    // sorted by id
	acks     []ack        // votes of this flush
	// asking is the ballot of the latest heartbeat if that asked for votes, else zero.
	asking  paxos.Ballot
	askedAt paxos.Ticks
	loads   map[uint64]pending
	tag     uint64
	up      map[paxos.NodeID]bool
	gate    rights.Gate
	granted paxos.Instance // of the grants that proposers were told last
	// strangers are acceptors connected under another incarnation than remembered.
	strangers map[paxos.NodeID]bool
	warned    map[paxos.NodeID]paxos.Timer // when each acceptor that cannot be vouched for is told of again

	underWay []underWay     // syncs that are not done yet, oldest first
	syncs    uint64         // syncs asked for
	synced   uint64         // syncs done
	durable  paxos.Instance // highest, as far as syncs are done
	// durableMark is mark, as far as syncs are done: a message that may leave at once
	// shows no other one.
	durableMark paxos.Mark

	admission      admission
	copy           copying
	room           room
	contradictions contradictions
	refused        refused
	survey         survey
	check          check
}

// New returns an acceptor that continues from st.
func New(cfg Config, st State) *Acceptor {
	a := &Acceptor{
		cfg: cfg, promised: st.Promised, held: st.Held, highest: st.Held, known: st.Held,
		votes: make(map[paxos.Instance]vote, len(st.Votes)), peers: st.Peers,
		mark:  paxos.Mark{Commits: st.Commits, Process: cfg.Seed, Life: st.Life},
		loads: map[uint64]pending{}, up: map[paxos.NodeID]bool{}, strangers: map[paxos.NodeID]bool{}, warned: map[paxos.NodeID]paxos.Timer{},
	}
	a.admission = newAdmission(a.mark)
	if a.peers == nil {
		a.peers = paxos.Peers{}
	}
	a.copy.nonce, a.copy.pages.Depth = cfg.Seed%paxos.Bound, cfg.CopyPages
	a.survey.nonce = (cfg.Seed + paxos.Bound/2) % paxos.Bound
	for i, b := range st.Votes {
		a.recover(i, b)
	}
	a.control = newControlled(a, st)
	a.configure()
	a.durable, a.durableMark = a.highest, a.mark
	a.check = check{promised: a.promised, held: a.held, mark: a.mark}
	if st.Forgot {
		a.stopVoting(paxos.Ballot{})
		a.Warn("this data directory has forgotten commits, as an earlier process found out; it does not vote until it has rejoined")
	}
	return a
}

// Step implements paxos.Machine.
func (a *Acceptor) Step(from paxos.NodeID, m paxos.Message) {
	if _, asks := m.(*paxos.Vouch); a.strangers[from] && !asks {
		return // it is told what is remembered, and nothing it says counts
	}
	if denied := a.gate.Judge(from, m, a.control.state.Grants); denied != nil {
		a.Send(from, denied)
		return
	}
	switch m := m.(type) {
	case *paxos.Prepare:
		a.onPrepare(from, m)
	case *paxos.Accept:
		a.onAccept(from, m)
	case *paxos.Heartbeat:
		a.onHeartbeat(from, m)
	case *paxos.Query:
		a.onQuery(from, m)
	case *paxos.Poll:
		a.onPoll(from, m)
	case *paxos.Fetch:
		a.onFetch(from, m)
	case *paxos.Page:
		a.onPage(from, m)
	case *paxos.Vouch:
		a.onVouch(from, m)
	case *paxos.Vouched:
		a.onVouched(from, m)
	case *paxos.Rejoined:
		a.onRejoined(from, m)
	case *paxos.Decide:
		a.onDecide(from, m)
	case *paxos.Configured:
		a.onConfigured(from, m)
	case *paxos.StatusQuery:
		a.onStatus(from, m)
	case *paxos.Drain:
		a.drained = !m.Undo
		a.Send(from, &paxos.Drained{Nonce: m.Nonce, Drained: a.drained})
	case *paxos.Loaded:
		a.onLoaded(m)
	case *paxos.Synced:
		a.onSynced(m)
	case *paxos.PeerUp:
		a.onPeerUp(m)
	case *paxos.PeerDown:
		a.onPeerDown(m)
	case *paxos.Dropped:
		a.endStreams(m.ID)
	case *paxos.Twin:
		a.onTwin(m)
	case *paxos.DiskRoom:
		a.onDiskRoom(m)
	case *paxos.Late:
		a.late = true
	}
}

// Tick implements paxos.Machine.
func (a *Acceptor) Tick(mono paxos.Ticks, wall paxos.UnixNanos) {
	a.wall = min(max(wall, 0), paxos.Bound-1) // whatever a clock shows
	if !a.started {
		a.started, a.late, a.admission.since = true, true, mono
	}
	if a.late {
		a.hearing.begin(mono)
		a.late = false
	}
	a.now = mono
	a.expireSubscribers()
	a.tickAdmission()
	a.tickCopy()
	a.tickJoin()
}

// Next implements paxos.Machine.
func (a *Acceptor) Next() paxos.Ticks {
	at := min(a.hearing.nextLook(a.now, a.cfg.ElectionTicks), a.admission.next(a), a.copy.nextAt(a), a.nextStandby(), a.nextJoin())
	for i := range a.subs {
		at = min(at, a.subs[i].until, a.subs[i].due(a))
	}
	return at
}

// Flush implements paxos.Machine: it counts the commit, if there is one to wait for,
// and tells this flush's votes.
func (a *Acceptor) Flush() paxos.Output {
	if a.Out.Sync {
		if a.admission.admitted {
			// Else the count would catch up with what peers remember, and a later process
			// would be taken for one that has forgotten nothing.
			a.mark.Commits++
		}
		a.Write(paxos.SetMark{Commits: a.mark.Commits, Life: a.mark.Life, Forgot: a.forgot()})
		a.syncs++
		a.underWay = append(a.underWay, underWay{a.now, a.highest, a.mark})
	} else if len(a.underWay) == 0 {
		a.durable = a.highest
	}
	a.assert()
	a.tellVotes()
	a.tellSubscribers()
	a.tellStandbys()
	return a.Take()
}

func (a *Acceptor) onSynced(m *paxos.Synced) {
	if m.Count > a.syncs {
		a.Violated("no sync is done that was not asked for", "asked", a.syncs, "done", m.Count)
		return
	}
	for ; a.synced < m.Count && len(a.underWay) > 0; a.synced++ {
		a.durable, a.durableMark = a.underWay[0].highest, a.underWay[0].mark
		a.underWay = a.underWay[1:]
	}
}

// underWay is a sync that is not done yet.
type underWay struct {
	asked   paxos.Ticks
	highest paxos.Instance // when it was asked for
	mark    paxos.Mark     // of its commit
}

// syncing is for how long the oldest sync has been under way, 0 if none is.
func (a *Acceptor) syncing() paxos.Ticks {
	if len(a.underWay) == 0 {
		return 0
	}
	return a.now - a.underWay[0].asked
}

// hung reports whether a sync has been under way for longer than StallTicks. Such
// an acceptor stops answering heartbeats, so that its leader notices.
func (a *Acceptor) hung() bool {
	return a.syncing() > a.cfg.StallTicks
}

func (a *Acceptor) onPeerUp(m *paxos.PeerUp) {
	a.strangers[m.ID] = a.peers.IsStranger(m)
	a.up[m.ID] = true
	a.gate.Up(m)
	a.endStreams(m.ID) // it had another connection, and what was under way on that may be lost
	a.admission.askNow(m.ID)
	d := a.control.state.Directory()
	switch a.tellConfiguration(m.ID); {
	case m.Role == paxos.RoleProposer && !slices.Contains(a.proposers, m.ID) && a.enrolled > 0:
		a.After(m.ID, &paxos.Configured{State: a.control.encoded}) // it may take itself for one
	case m.Role == paxos.RoleLearner && !slices.Contains(a.sources, m.ID) && d != nil:
		a.After(m.ID, &paxos.Configured{State: a.control.encoded}) // it may know nobody whom it could copy from
	case m.Role == paxos.RoleClient && d != nil:
		a.Send(m.ID, d)
	}
}

func (a *Acceptor) onPeerDown(m *paxos.PeerDown) {
	delete(a.up, m.ID)
	a.gate.Down(m.ID)
	a.unsubscribe(m.ID)
	if a.copy.source == m.ID {
		a.copy.source = ""
		a.copy.pages.Drop()
	}
}
