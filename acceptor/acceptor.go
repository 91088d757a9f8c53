// Package acceptor is the acceptor machine: it promises ballots, votes for
// proposals, tells its votes, and keeps what was chosen.
//
// It implements the acceptor of "Paxos Made Simple" (Lamport 2001), sections
// 2.2 and 3, with one promise for all instances. Beyond that it marks what it
// holds (see package paxos, "Why it is safe"), refuses candidates while it hears
// a live leader, copies instances that it missed, and does not vote before its
// peers vouched for it; one that has forgotten votes has to rejoin first.
//
// It does no I/O and reads no clock: a driver calls it, from one goroutine, as
// paxos.Machine says. What it owns: the promise, the votes above held, the held
// mark. Values live in the store only; it reads them back by loads.
package acceptor

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// Config is what an acceptor needs to know. Ticks are milliseconds.
type Config struct {
	ID          paxos.NodeID
	Membership  paxos.Membership
	Incarnation uint64
	// Seed is random at each start: nonces begin there, so that no answer to an
	// earlier run fits, and marks show it.
	Seed uint64
	// Sources are the other acceptors and all learners, in a fixed order: it copies
	// from them what it missed. They and Proposers vouch for it.
	Sources   []paxos.NodeID
	Proposers []paxos.NodeID

	ElectionTicks paxos.Ticks // for how long a live leader is protected
	RetryTicks    paxos.Ticks // between attempts to copy or to be vouched for
	StallTicks    paxos.Ticks // a sync older than this stops heartbeat answers
	IdleTicks     paxos.Ticks // a subscription not renewed for this long ends
	PageBytes     int         // bytes of values in one page; one value always fits
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
}

// Acceptor is the machine. Create it with New.
type Acceptor struct {
	paxos.Outbox
	cfg Config

	// Durable: every change is written in the step that makes it.
	promised paxos.Ballot                    // >= every ballot in votes
	held     paxos.Instance                  // all at or below: chosen, in the store, immutable
	votes    map[paxos.Instance]paxos.Ballot // keys > held
	mark     paxos.Mark                      // of the latest commit
	peers    paxos.Peers

	highest paxos.Instance // highest instance voted for, at least held

	now     paxos.Ticks
	started bool

	// Liveness: whom we heard last, a leader or a candidate that we promised.
	heard   paxos.Ballot
	heardAt paxos.Ticks

	// The last announcement: instances <= announcedUpTo are chosen, and those we
	// voted for at ballot announced may be held.
	announced     paxos.Ballot
	announcedUpTo paxos.Instance
	known         paxos.Instance // highest instance known to be chosen, from anybody

	subs  []subscriber // sorted by id
	acks  []ack        // votes of this flush
	loads map[uint64]pending
	tag   uint64
	up    map[paxos.NodeID]bool
	// strangers are acceptors connected under another incarnation than remembered.
	strangers map[paxos.NodeID]bool
	warned    map[paxos.NodeID]paxos.Timer // when each acceptor that cannot be vouched for is told of again

	syncTicks []paxos.Ticks // when each sync that is not done yet was asked for
	syncs     uint64        // syncs asked for
	synced    uint64        // syncs done

	admission admission
	copy      copying
}

type subscriber struct {
	id     paxos.NodeID
	until  paxos.Ticks
	values bool
}

// ack collects the votes to tell one proposer.
type ack struct {
	to   paxos.NodeID
	runs []paxos.VoteRun
}

// New returns an acceptor that continues from st.
func New(cfg Config, st State) *Acceptor {
	a := &Acceptor{
		cfg: cfg, promised: st.Promised, held: st.Held, highest: st.Held, known: st.Held,
		votes: st.Votes, peers: st.Peers,
		mark:  paxos.Mark{Commits: st.Commits, Run: cfg.Seed, Life: st.Life},
		loads: map[uint64]pending{}, up: map[paxos.NodeID]bool{}, strangers: map[paxos.NodeID]bool{}, warned: map[paxos.NodeID]paxos.Timer{},
	}
	a.admission = newAdmission(a.mark)
	if st.Forgot {
		a.stopVoting(paxos.Ballot{})
		a.Warn("this data directory has forgotten commits, as an earlier run found out; it does not vote until it has rejoined")
	}
	if a.votes == nil {
		a.votes = map[paxos.Instance]paxos.Ballot{}
	}
	if a.peers == nil {
		a.peers = paxos.Peers{}
	}
	a.copy.nonce = cfg.Seed
	for i := range a.votes {
		a.highest = max(a.highest, i)
	}
	return a
}

// Step implements paxos.Machine.
func (a *Acceptor) Step(from paxos.NodeID, m paxos.Message) {
	if _, asks := m.(*paxos.Vouch); a.strangers[from] && !asks {
		return // it is told what is remembered, and nothing it says counts
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
		a.onRejoined(m)
	case *paxos.StatusQuery:
		a.onStatus(from, m)
	case *paxos.Loaded:
		a.onLoaded(m)
	case *paxos.Synced:
		a.onSynced(m)
	case *paxos.PeerUp:
		a.strangers[m.ID] = a.peers.IsStranger(m)
		a.up[m.ID] = true
		a.admission.asked = false // ask whoever came back at the next tick
	case *paxos.PeerDown:
		a.onPeerDown(m)
	}
}

// Tick implements paxos.Machine.
func (a *Acceptor) Tick(mono paxos.Ticks, _ paxos.UnixNanos) {
	// After a start or a pause nothing is known about who was alive meanwhile:
	// count as having heard just now, lest a paused acceptor help to depose a
	// leader that it merely did not listen to.
	if !a.started || mono-a.now > a.cfg.ElectionTicks {
		a.heardAt = mono
	}
	if !a.started {
		a.started, a.admission.since = true, mono
	}
	a.now = mono
	a.subs = slices.DeleteFunc(a.subs, func(s subscriber) bool { return s.until <= a.now })
	a.tickAdmission()
	a.tickCopy()
}

// Flush implements paxos.Machine: it tells this flush's votes, as runs, to the
// proposer that asked for each and to every subscribed learner.
func (a *Acceptor) Flush() paxos.Output {
	if a.Out.Sync {
		if a.admission.admitted {
			// Else the count would catch up with what peers remember, and a later run would
			// be taken for one that has forgotten nothing.
			a.mark.Commits++
		}
		a.Write(paxos.SetMark{Commits: a.mark.Commits, Life: a.mark.Life, Forgot: a.admission.rejoin != nil})
		a.syncs++
		a.syncTicks = append(a.syncTicks, a.now)
	}
	for _, k := range a.acks {
		told := &paxos.Accepted{Runs: k.runs, Held: a.held, Mark: a.mark}
		for _, s := range a.subs { // first, for learners answer the clients
			a.After(s.id, told)
		}
		a.After(k.to, told)
	}
	a.acks = nil
	return a.Take()
}

func (a *Acceptor) onSynced(m *paxos.Synced) {
	for ; a.synced < m.Count && len(a.syncTicks) > 0; a.synced++ {
		a.syncTicks = a.syncTicks[1:]
	}
}

// hung reports whether a sync has been under way for longer than StallTicks. Such
// an acceptor stops answering heartbeats, so that its leader notices.
func (a *Acceptor) hung() bool {
	return len(a.syncTicks) > 0 && a.now-a.syncTicks[0] > a.cfg.StallTicks
}

func (a *Acceptor) onPeerDown(m *paxos.PeerDown) {
	delete(a.up, m.ID)
	a.subs = slices.DeleteFunc(a.subs, func(s subscriber) bool { return s.id == m.ID })
	if a.copy.asked == m.ID {
		a.copy.asked = ""
	}
}

func (a *Acceptor) onStatus(from paxos.NodeID, m *paxos.StatusQuery) {
	missing := uint64(0)
	if a.known > a.held {
		missing = uint64(a.known - a.held)
		for i, b := range a.votes {
			// Announced and voted for at the announcing ballot, but above a hole.
			if i <= a.announcedUpTo && b == a.announced {
				missing--
			}
		}
	}
	a.Now(from, &paxos.StatusReply{
		Nonce: m.Nonce, Role: paxos.RoleAcceptor, ID: a.cfg.ID, Promised: a.promised,
		Highest: a.highest, Held: a.held, Chosen: a.known, Missing: missing, Voting: a.admission.admitted, Forgot: a.admission.rejoin != nil,
	})
}
