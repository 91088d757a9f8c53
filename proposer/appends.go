package proposer

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// onAppend refuses what could not be proposed, and leaves the rest to the phase.
func (p *Proposer) onAppend(from paxos.NodeID, m *paxos.Append) {
	if err := p.checkAppend(m); err != nil {
		p.refuse(from, m, paxos.RefuseMalformed, err.Error())
		return
	}
	if p.stopping && !p.isHandingOver() {
		p.refuse(from, m, paxos.RefuseNoLeader, string(p.cfg.ID)+" is stopping")
		return
	}
	p.phase.onAppend(p, from, m)
}

// isHandingOver reports whether appends wait until somebody else leads.
func (p *Proposer) isHandingOver() bool {
	switch phase := p.phase.(type) {
	case *leading:
		return phase.handing != nil
	case *yielding:
		return true
	}
	return false
}

// checkAppend returns an error unless m is one well-formed run or fence, of the
// session and place that it says, within the limits.
func (p *Proposer) checkAppend(m *paxos.Append) error {
	if most := MaxAppend(p.cfg.BatchBytes, p.cfg.EntryBytes); len(m.Batch) > most {
		return fmt.Errorf("%d bytes at once, and %s takes %d: its limits.entry_bytes is %d, limits.batch_bytes %d",
			len(m.Batch), p.cfg.ID, most, p.cfg.EntryBytes, p.cfg.BatchBytes)
	}
	r, rest, err := paxos.NextRun(m.Batch)
	if err != nil {
		return err
	}
	if len(rest) > 0 || r.Session != m.Session || r.First != m.First {
		return paxos.ErrBatch
	}
	return paxos.CheckBatch(m.Batch, p.cfg.EntryBytes)
}

// MaxAppend is the longest batch that one Append may carry, in bytes.
func MaxAppend(batchBytes, entryBytes int) int { return max(batchBytes, entryBytes) + appendOverhead }

// refuse says that m is dropped here, and never queued.
func (p *Proposer) refuse(to paxos.NodeID, m *paxos.Append, why paxos.RefuseReason, detail string) {
	p.Send(to, &paxos.Refused{Session: m.Session, First: m.First, Attempt: m.Attempt, Client: m.Client, Reason: why, Detail: detail})
}
