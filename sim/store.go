package sim

import (
	"maps"
	"slices"

	"github.com/paxlog/paxlog/acceptor"
	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
)

// Store is a simulated data directory: what was synced survives a crash, and of
// the rest a prefix of the commits that the seed decides.
type Store struct {
	role    paxos.Role
	visible *contents
	durable *contents
	tail    [][]paxos.Record // commits that are visible and not durable
	synced  int              // commits that are durable
	history [][]paxos.Record // an acceptor's durable commits, all of them
}

type contents struct {
	promised paxos.Ballot
	held     paxos.Instance
	mark     paxos.SetMark
	peers    paxos.Peers
	votes    map[paxos.Instance]paxos.Vote
	applied  map[paxos.Instance]paxos.PutApplied
	sessions map[paxos.SessionID]paxos.SessionState
	learner  paxos.LearnerState
}

func newStore(role paxos.Role) *Store {
	return &Store{role: role, visible: newContents(), durable: newContents()}
}

func newContents() *contents {
	return &contents{
		peers: paxos.Peers{}, votes: map[paxos.Instance]paxos.Vote{},
		applied: map[paxos.Instance]paxos.PutApplied{}, sessions: map[paxos.SessionID]paxos.SessionState{},
	}
}

// ownMark is an acceptor's mark.
func (c *contents) ownMark() paxos.Mark {
	return paxos.Mark{Commits: c.mark.Commits, Life: c.mark.Life}
}

func (c *contents) clone() *contents {
	d := *c
	d.peers, d.votes = maps.Clone(c.peers), maps.Clone(c.votes)
	d.applied, d.sessions = maps.Clone(c.applied), maps.Clone(c.sessions)
	return &d
}

func (c *contents) apply(records []paxos.Record) {
	for _, r := range records {
		switch r := r.(type) {
		case paxos.SetPromised:
			c.promised = r.Ballot
		case paxos.PutVote:
			c.votes[r.Vote.Instance] = r.Vote
		case paxos.SetHeld:
			c.held = r.Held
		case paxos.SetMark:
			c.mark = r
		case paxos.SetPeer:
			c.peers[r.ID] = r.Peer
		case paxos.PutApplied:
			c.applied[r.Record.Instance] = r
		case paxos.PutSessions:
			for _, s := range r.States {
				c.sessions[s.ID] = s
			}
		case paxos.DropSession:
			delete(c.sessions, r.ID)
		case paxos.SetLearner:
			c.learner = r.State
		}
	}
}

func (s *Store) apply(records []paxos.Record) {
	s.visible.apply(records)
	s.tail = append(s.tail, records)
}

func (s *Store) commits() int { return s.synced + len(s.tail) }

// sync makes the first n commits durable and returns what became so.
func (s *Store) sync(n int) []paxos.Record {
	var records []paxos.Record
	for s.synced < n {
		s.durable.apply(s.tail[0])
		if s.role == paxos.RoleAcceptor {
			s.history = append(s.history, s.tail[0])
		}
		records = append(records, s.tail[0]...)
		s.tail = s.tail[1:]
		s.synced++
	}
	return records
}

// crash loses part of what is not durable. It returns what became durable after
// all, and how many commits were lost.
func (s *Store) crash(rng *paxos.Rand) (kept []paxos.Record, lost int) {
	n := int(rng.Uint64() % uint64(len(s.tail)+1))
	lost = len(s.tail) - n
	kept = s.sync(s.synced + n)
	s.tail = nil
	s.visible = s.durable.clone()
	return kept, lost
}

// Acceptor is what an acceptor recovers.
func (s *Store) Acceptor() acceptor.State {
	c := s.visible
	st := acceptor.State{Promised: c.promised, Held: c.held, Votes: map[paxos.Instance]paxos.Ballot{}, Commits: c.mark.Commits, Life: c.mark.Life, Peers: maps.Clone(c.peers)}
	for i, v := range c.votes {
		if i > c.held {
			st.Votes[i] = v.Ballot
		}
	}
	return st
}

// Learner is what a learner recovers.
func (s *Store) Learner() learner.State {
	st := learner.State{LearnerState: s.visible.learner, Peers: maps.Clone(s.visible.peers)}
	for _, x := range s.visible.sessions {
		st.Sessions = append(st.Sessions, x)
	}
	return st
}

// load answers a load, by a plain walk over everything.
func (s *Store) load(l paxos.Load) *paxos.Loaded {
	out := &paxos.Loaded{Load: l}
	size := 0
	admit := func(n int) bool {
		if size > 0 && size+n+64 > l.MaxBytes {
			out.More = true
			return false
		}
		size += n + 64
		return true
	}
	c := s.visible
	switch l.Kind {
	case paxos.LoadVotes:
		votes := c.votes
		if s.role == paxos.RoleLearner {
			votes = map[paxos.Instance]paxos.Vote{}
			for i, p := range c.applied {
				votes[i] = paxos.Vote{Instance: i, Ballot: p.Value.Origin, Value: p.Value}
			}
		}
		for _, i := range slices.Sorted(maps.Keys(votes)) {
			if i >= l.From && i <= l.To {
				if !admit(len(votes[i].Value.Batch)) {
					break
				}
				out.Votes = append(out.Votes, votes[i])
			}
		}
	case paxos.LoadLog:
		for _, i := range slices.Sorted(maps.Keys(c.applied)) {
			r := c.applied[i].Record
			if r.Count > 0 && r.First+paxos.Index(r.Count) > l.Index && r.First <= l.UpTo {
				if !admit(len(r.Log)) {
					break
				}
				out.Log = append(out.Log, r)
			}
		}
	case paxos.LoadTime:
		for _, i := range slices.Sorted(maps.Keys(c.applied)) {
			if r := c.applied[i].Record; r.Count > 0 && r.Time >= l.Time {
				out.Index = r.First
				break
			}
		}
	case paxos.LoadRuns:
		s.loadRuns(out)
	}
	return out
}

func (s *Store) loadRuns(out *paxos.Loaded) {
	l := out.Load
	for _, i := range slices.Sorted(maps.Keys(s.visible.applied)) {
		p := s.visible.applied[i]
		index := p.Record.First
		for log := p.Record.Log; len(log) > 0; {
			r, rest, err := paxos.NextRun(log)
			if err != nil {
				panic(err)
			}
			log = rest
			at := paxos.RunAt{First: r.First, Count: r.Count, Index: index, Instance: i, Origin: p.Record.Origin, Time: p.Record.Time}
			index += paxos.Index(r.Count)
			if r.Session != l.Session || at.First+at.Count <= l.Seq || at.First > l.UpToSeq {
				continue
			}
			if at.First < l.Seq {
				skip := l.Seq - at.First
				at.First, at.Index, at.Count = l.Seq, at.Index+paxos.Index(skip), at.Count-skip
			}
			at.Count = min(at.Count, l.UpToSeq-at.First+1)
			out.Runs = append(out.Runs, at)
		}
	}
}
