package acceptor

import (
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// Report is an acceptor's state, for status and metrics. It is a copy: reading it
// changes nothing.
type Report struct {
	Promised       paxos.Ballot
	Highest        paxos.Instance // highest instance voted for, at least Held
	Held           paxos.Instance
	Known          paxos.Instance // highest instance known to be chosen
	Missing        uint64         // chosen instances that it has not got
	Voting         bool
	Forgot         bool   // it has forgotten votes, and has to rejoin
	WhyNotVoting   string // "" while it votes
	Heard          paxos.Ballot
	Silent         paxos.Ticks // since Heard was heard
	Commits        uint64
	Life           paxos.Ballot
	Subscribers    int
	Loads          int            // reads of the store under way
	Syncs          int            // syncs under way
	Syncing        paxos.Ticks    // for how long the oldest of them is
	Hung           bool           // which is too long
	Durable        paxos.Instance // Highest, as far as syncs are done
	Drained        bool           // it is about to be stopped
	Control        control.State  // what the log has decided about itself, up to Held
	Stuck          paxos.Instance // Held cannot pass it: a control command that is not known here; or 0
	Contradictions uint64         // messages refused because they contradict a vote
	Refused        uint64         // messages refused because of what they claim
	Room           paxos.Room     // on its disk
}

// Report returns the acceptor's state.
func (a *Acceptor) Report() Report {
	return Report{
		Promised: a.promised, Highest: a.highest, Held: a.held, Known: a.known, Missing: a.missing(),
		Voting: a.admission.admitted, Forgot: a.admission.rejoin != nil, WhyNotVoting: a.whyNotVoting(),
		Heard: a.hearing.ballot, Silent: a.hearing.silent(a.now), Commits: a.mark.Commits, Life: a.mark.Life,
		Subscribers: len(a.subs), Loads: len(a.loads), Syncs: len(a.underWay), Syncing: a.syncing(), Hung: a.hung(),
		Durable: a.durable, Drained: a.drained, Contradictions: a.contradictions.count, Refused: a.refused.count,
		Control: a.control.state, Stuck: a.control.stuck, Room: a.room.values,
	}
}

// diskHangs is from when on a sync that is under way is told in status. Others take
// milliseconds.
const diskHangs paxos.Ticks = 1000

func (a *Acceptor) onStatus(from paxos.NodeID, m *paxos.StatusQuery) {
	r := a.Report()
	hangs := r.Syncing
	if hangs < diskHangs {
		hangs = 0
	}
	a.Send(from, &paxos.StatusReply{
		Program: a.cfg.Program, Oldest: paxos.FirstVersion, Speaks: paxos.NewestVersion, Knows: a.cfg.Knows, Log: r.Control.Log, Level: r.Control.Level,
		Nonce: m.Nonce, Role: paxos.RoleAcceptor, ID: a.cfg.ID, Promised: r.Promised, Highest: r.Durable, DiskHangs: hangs,
		Held: r.Held, Chosen: r.Known, Missing: r.Missing, Voting: r.Voting, Forgot: r.Forgot, Reason: r.WhyNotVoting, Drained: r.Drained,
		DiskRoom: r.Room,
	})
}
