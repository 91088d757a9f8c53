package learner

import (
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// Report is what a learner says of itself, to operators and metrics. It is a copy:
// reading it changes nothing.
type Report struct {
	ID      paxos.NodeID
	Drained bool           // it is about to be stopped
	Ready   bool           // it caught up, or knew that it could not, since its start
	Applied paxos.Instance // every instance <= Applied has been applied
	Chosen  paxos.Instance // the highest instance known to be chosen
	Open    paxos.Instance // the instance that it waits for, 0 if none
	First   paxos.Index    // first index kept, 0 if there never was an entry
	Last    paxos.Index    // 0 if there never was an entry
	Kept    paxos.Instance // first instance kept
	Floor   paxos.Instance // unknown sessions born below it have expired

	Chain   paxos.Chain    // of Applied, zero if the log's level has none
	Wrong   string         // why it serves nobody any more, "" if it does
	Control control.State  // what the log has decided about itself, up to Applied
	Stuck   paxos.Instance // a control command that is not known here, from which on nothing is applied; or 0

	Sessions int // remembered
	Attached int // sessions that clients wait for
	Parked   int // reads that wait for an entry
	Asked    int // questions that are not answered yet, parked ones included
	Loads    int // loads of the store under way

	Room paxos.Room // on its disk
	Out  bool       // it applies no entries any more, for want of room

	Ahead      int // instances above applied of which something is known
	AheadBytes int // bytes of their values
	// Contradictions counts what other processes said that contradicts what is known here.
	Contradictions uint64
}

// Report returns the state of the learner in figures.
func (l *Learner) Report() Report {
	r := Report{
		ID: l.cfg.ID, Drained: l.drained, Ready: l.ready, Applied: l.state.Applied, Chosen: max(l.state.Applied, l.sources.maxHeld()),
		First: l.first(), Last: l.last(), Kept: l.state.FirstInstance, Floor: l.state.Floor,
		Sessions: l.sessions.len(), Attached: len(l.clients.attachedTo), Parked: l.clients.parkedSize,
		Asked: len(l.clients.byNonce), Loads: len(l.loads), Ahead: len(l.above), AheadBytes: l.aheadBytes,
	}
	r.Wrong, r.Chain = l.wrong, l.state.Chain
	r.Room, r.Out = l.room.values, l.isOut()
	r.Control, r.Stuck = l.control.state, l.control.stuck
	if l.behind() {
		r.Open = l.state.Applied + 1
	}
	r.Contradictions = l.doubts
	for i := range l.sources {
		r.Contradictions += l.sources[i].contradictions
	}
	return r
}

func (l *Learner) onStatus(from paxos.NodeID, m *paxos.StatusQuery) {
	r := l.Report()
	l.Send(from, &paxos.StatusReply{
		Program: l.cfg.Program, Oldest: paxos.FirstVersion, Speaks: paxos.NewestVersion, Knows: l.cfg.Knows, Log: r.Control.Log, Level: r.Control.Level,
		Nonce: m.Nonce, Role: paxos.RoleLearner, ID: r.ID, Applied: r.Applied, Chosen: r.Chosen, First: r.First, Last: r.Last,
		Reason: r.Wrong, Open: r.Open, Sessions: r.Sessions, Drained: r.Drained, Chain: r.Chain,
		DiskRoom: r.Room, LogTime: l.state.Time,
	})
}
