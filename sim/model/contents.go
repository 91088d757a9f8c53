package model

import (
	"maps"
	"slices"

	"github.com/paxlog/paxlog/acceptor"
	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
)

// Contents is what a data directory holds.
type Contents struct {
	Promised paxos.Ballot
	Held     paxos.Instance
	Mark     paxos.SetMark
	Peers    paxos.Peers
	Votes    Row[paxos.Vote]
	Applied  Row[paxos.PutApplied]
	sessions map[paxos.SessionID]paxos.SessionState
	Learner  paxos.LearnerState
	Control  paxos.Encoded
	Wrong    string                            // of a learner
	Floors   paxos.Floors                      // of a learner
	First    paxos.Instance                    // what is below was trimmed
	Top      paxos.Instance                    // highest instance in votes or applied
	runs     map[paxos.SessionID][]paxos.RunAt // of applied, by session, ascending
	Guest    []any                             // all that a process of another protocol wrote
}

// New is an empty directory.
func New() *Contents {
	return &Contents{
		Peers: paxos.Peers{}, sessions: map[paxos.SessionID]paxos.SessionState{}, runs: map[paxos.SessionID][]paxos.RunAt{},
	}
}

// OwnMark is an acceptor's mark.
func (c *Contents) OwnMark() paxos.Mark {
	return paxos.Mark{Commits: c.Mark.Commits, Life: c.Mark.Life}
}

// Clone returns a copy that shares nothing which changes.
func (c *Contents) Clone() *Contents {
	d := *c
	d.Peers, d.Votes, d.Applied = maps.Clone(c.Peers), slices.Clone(c.Votes), slices.Clone(c.Applied)
	d.sessions, d.runs = maps.Clone(c.sessions), maps.Clone(c.runs)
	for id, runs := range d.runs {
		d.runs[id] = slices.Clip(runs) // both go on from here, each for itself
	}
	d.Guest = slices.Clip(c.Guest)
	return &d
}

// Apply makes a commit of records.
func (c *Contents) Apply(records []paxos.Record) {
	for _, r := range records {
		switch r := r.(type) {
		case paxos.SetPromised:
			c.Promised = r.Ballot
		case paxos.PutVote:
			c.Votes.set(r.Vote.Instance, r.Vote)
			c.Top = max(c.Top, r.Vote.Instance)
		case paxos.SetHeld:
			c.Held = r.Held
		case paxos.SetMark:
			c.Mark = r
		case paxos.SetControl:
			c.Control = r.State
		case paxos.SetPeer:
			c.Peers[r.ID] = r.Peer
		case paxos.PutApplied:
			c.Applied.set(r.Record.Instance, r)
			c.Top = max(c.Top, r.Record.Instance)
			c.index(r.Record)
		case paxos.PutSessions:
			for _, s := range r.States {
				c.sessions[s.ID] = s
			}
		case paxos.DropSession:
			delete(c.sessions, r.ID)
		case paxos.SetLearner:
			c.Learner = r.State
		case paxos.SetFloors:
			c.Floors = r.Floors
		case paxos.SetWrong:
			c.Wrong = r.Why
		case paxos.Trimmed:
			c.trim(r.Instance)
		case paxos.Install:
			c.install(r)
		case GuestRecord:
			c.Guest = append(c.Guest, r.Data)
		}
	}
}

// Bytes is how many bytes of values it has.
func (c *Contents) Bytes() (n int) {
	for i := max(c.First, 1); i <= c.Top; i++ {
		n += len(c.Votes.At(i).Value.Batch) + len(c.Applied.At(i).Value.Batch)
	}
	return n
}

// trim deletes what is below an instance.
func (c *Contents) trim(first paxos.Instance) {
	for i := c.First; i < first; i++ {
		if i > 0 {
			c.Votes.clear(i)
			c.Applied.clear(i)
		}
	}
	c.First = max(c.First, first)
	c.Top = max(c.Top, first-1)
}

// install makes it the directory of a learner that begins with a state.
func (c *Contents) install(r paxos.Install) {
	peers, wrong, first := c.Peers, c.Wrong, r.State.FirstInstance
	*c = *New()
	c.Peers, c.Wrong, c.Learner, c.Control, c.First, c.Top, c.Floors = peers, wrong, r.State, r.Control, first, first-1, r.Floors
	for _, s := range r.Sessions {
		c.sessions[s.ID] = s
	}
}

// AcceptorState is what an acceptor recovers.
func (c *Contents) AcceptorState() acceptor.State {
	st := acceptor.State{Promised: c.Promised, Held: c.Held, Votes: map[paxos.Instance]paxos.Ballot{}, Commits: c.Mark.Commits, Life: c.Mark.Life, Forgot: c.Mark.Forgot, Peers: maps.Clone(c.Peers), Control: c.Control, Controls: map[paxos.Instance]string{}}
	for i := c.Held + 1; i <= c.Top; i++ {
		if v := c.Votes.At(i); v.Instance != 0 {
			st.Votes[i] = v.Ballot
			if paxos.IsControl(v.Value.Batch) {
				st.Controls[i] = string(v.Value.Batch)
			}
		}
	}
	return st
}

// LearnerState is what a learner recovers, its sessions in no order.
func (c *Contents) LearnerState() learner.State {
	st := learner.State{LearnerState: c.Learner, Peers: maps.Clone(c.Peers), Control: c.Control, Wrong: c.Wrong, Floors: c.Floors}
	for _, x := range c.sessions {
		st.Sessions = append(st.Sessions, x)
	}
	return st
}

// index notes where the commands of a record are.
func (c *Contents) index(rec paxos.LogRecord) {
	index := rec.First
	for log := rec.Log; len(log) > 0; {
		r, rest, err := paxos.NextRun(log)
		if err != nil {
			panic(err)
		}
		log = rest
		at := paxos.RunAt{First: r.First, Count: r.Count, Index: index, Instance: rec.Instance, Origin: rec.Origin, Time: rec.Time}
		c.runs[r.Session] = append(c.runs[r.Session], at)
		index += paxos.Index(r.Count)
	}
}

// GuestRecord is one durable change of a process of another protocol. Data must not be
// changed any more.
type GuestRecord struct {
	paxos.Record // nil, likewise
	Data         any
}
