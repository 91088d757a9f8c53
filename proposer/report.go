package proposer

import (
	"cmp"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// Report is a proposer's state, for status and metrics. It is a copy: reading it changes
// nothing.
type Report struct {
	State      string       // standby, preparing or leading
	Ballot     paxos.Ballot // its own, or that of the leader that it knows of
	Round      uint64       // the highest seen anywhere
	ChosenUpTo paxos.Instance
	Quorum     bool          // it leads, with fresh answers of a Phase 2 quorum
	WhyNot     string        // why it does not lead; "" if it does
	Failed     int           // campaigns failed in a row
	Clients    int           // connected
	Drained    bool          // it does not lead, for it is about to be stopped
	Control    control.State // what the log has decided about itself, as far as this process knows

	// Of a leader:
	Open      int // proposals that are not known to be chosen, or wait for an earlier one
	OpenBytes int
	Queue     int // appends that wait to be proposed
	QueueSize int // their bytes
	Took      paxos.Ticks
	Refuses   string // why it refuses appends; "" if it does not
}

// Log is the log that the proposer found in a Phase 1 quorum, or has begun; zero if none.
func (p *Proposer) Log() paxos.LogID { return p.control.Log }

// Report returns the proposer's state.
func (p *Proposer) Report() Report {
	r := Report{
		State: p.phase.name(), Ballot: p.phase.leader(p), Round: p.round, WhyNot: p.reason,
		Failed: p.failed, Clients: len(p.clients), Drained: p.drained, Control: p.control,
	}
	switch phase := p.phase.(type) {
	case *standby:
		r.WhyNot = phase.why(p)
	case *leading:
		r.ChosenUpTo, r.Quorum, r.WhyNot = phase.chosenUpTo, phase.quorum(p), ""
		r.Refuses = phase.short(p, 0)
		r.Open, r.OpenBytes, r.Queue, r.QueueSize, r.Took = len(phase.open), phase.openBytes, phase.queue.n, phase.queue.bytes, phase.took
	}
	return r
}

func (p *Proposer) onStatus(from paxos.NodeID, m *paxos.StatusQuery) {
	r := p.Report()
	p.Send(from, &paxos.StatusReply{
		Program: p.cfg.Program, Oldest: paxos.FirstVersion, Speaks: paxos.NewestVersion, Knows: p.cfg.Knows, Log: r.Control.Log, Level: r.Control.Level,
		Nonce: m.Nonce, Role: paxos.RoleProposer, ID: p.cfg.ID, State: r.State, Ballot: r.Ballot,
		Chosen: r.ChosenUpTo, Quorum: r.Quorum, Reason: cmp.Or(r.WhyNot, r.Refuses), Drained: r.Drained,
	})
}
