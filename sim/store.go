package sim

import (
	"maps"
	"slices"
	"sort"

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
	disk    *disk            // the real store that does the same, or nil
}

type contents struct {
	promised paxos.Ballot
	held     paxos.Instance
	mark     paxos.SetMark
	peers    paxos.Peers
	votes    row[paxos.Vote]
	applied  row[paxos.PutApplied]
	sessions map[paxos.SessionID]paxos.SessionState
	learner  paxos.LearnerState
	top      paxos.Instance                    // highest instance in votes or applied
	runs     map[paxos.SessionID][]paxos.RunAt // of applied, by session, ascending
	guest    []any                             // all that a process of another protocol wrote
}

// row holds something for each instance, the zero value where there is nothing.
type row[T any] []T

func (r *row[T]) set(i paxos.Instance, x T) {
	for paxos.Instance(len(*r)) < i {
		var none T
		*r = append(*r, none)
	}
	(*r)[i-1] = x
}

func (r row[T]) at(i paxos.Instance) *T {
	if i == 0 || i > paxos.Instance(len(r)) {
		return new(T)
	}
	return &r[i-1]
}

func newStore(role paxos.Role) *Store {
	return &Store{role: role, visible: newContents(), durable: newContents()}
}

func newContents() *contents {
	return &contents{
		peers: paxos.Peers{}, sessions: map[paxos.SessionID]paxos.SessionState{}, runs: map[paxos.SessionID][]paxos.RunAt{},
	}
}

// ownMark is an acceptor's mark.
func (c *contents) ownMark() paxos.Mark {
	return paxos.Mark{Commits: c.mark.Commits, Life: c.mark.Life}
}

func (c *contents) clone() *contents {
	d := *c
	d.peers, d.votes, d.applied = maps.Clone(c.peers), slices.Clone(c.votes), slices.Clone(c.applied)
	d.sessions, d.runs = maps.Clone(c.sessions), maps.Clone(c.runs)
	for id, runs := range d.runs {
		d.runs[id] = slices.Clip(runs) // both go on from here, each for itself
	}
	d.guest = slices.Clip(c.guest)
	return &d
}

func (c *contents) apply(records []paxos.Record) {
	for _, r := range records {
		switch r := r.(type) {
		case paxos.SetPromised:
			c.promised = r.Ballot
		case paxos.PutVote:
			c.votes.set(r.Vote.Instance, r.Vote)
			c.top = max(c.top, r.Vote.Instance)
		case paxos.SetHeld:
			c.held = r.Held
		case paxos.SetMark:
			c.mark = r
		case paxos.SetPeer:
			c.peers[r.ID] = r.Peer
		case paxos.PutApplied:
			c.applied.set(r.Record.Instance, r)
			c.top = max(c.top, r.Record.Instance)
			c.index(r.Record)
		case paxos.PutSessions:
			for _, s := range r.States {
				c.sessions[s.ID] = s
			}
		case paxos.DropSession:
			delete(c.sessions, r.ID)
		case paxos.SetLearner:
			c.learner = r.State
		case GuestRecord:
			c.guest = append(c.guest, r.Data)
		}
	}
}

func (s *Store) apply(records []paxos.Record) {
	s.visible.apply(records)
	s.tail = append(s.tail, records)
}

func (s *Store) commits() int { return s.synced + len(s.tail) }

// sync makes the first n commits durable and tells became of each.
func (s *Store) sync(n int, became func(records []paxos.Record)) {
	k := max(n-s.synced, 0)
	for _, commit := range s.tail[:k] {
		s.durable.apply(commit)
		if s.role == paxos.RoleAcceptor {
			s.history = append(s.history, commit)
		}
		became(commit)
	}
	if s.disk != nil && k > 0 {
		s.disk.commit(slices.Concat(s.tail[:k]...))
	}
	s.synced += k
	rest := copy(s.tail, s.tail[k:])
	clear(s.tail[rest:])
	s.tail = s.tail[:rest]
}

// crash loses part of what is not durable. It tells became of what became durable
// after all, and returns how many commits were lost.
func (s *Store) crash(rng *paxos.Rand, became func(records []paxos.Record)) (lost int) {
	n := int(rng.Uint64() % uint64(len(s.tail)+1))
	if s.disk != nil && s.disk.torn && s.disk.store != nil && s.disk.failing == "" {
		n = s.disk.tear(s, rng)
	}
	lost = len(s.tail) - n
	s.sync(s.synced+n, became)
	s.tail = nil
	if s.disk != nil {
		s.disk.crash()
	}
	s.visible = s.durable.clone()
	return lost
}

// Acceptor is what an acceptor recovers.
func (s *Store) Acceptor() acceptor.State {
	c := s.visible
	if s.disk != nil {
		return s.disk.acceptor(c.acceptor())
	}
	return c.acceptor()
}

func (c *contents) acceptor() acceptor.State {
	st := acceptor.State{Promised: c.promised, Held: c.held, Votes: map[paxos.Instance]paxos.Ballot{}, Commits: c.mark.Commits, Life: c.mark.Life, Forgot: c.mark.Forgot, Peers: maps.Clone(c.peers)}
	for i := c.held + 1; i <= c.top; i++ {
		if v := c.votes.at(i); v.Instance != 0 {
			st.Votes[i] = v.Ballot
		}
	}
	return st
}

// Learner is what a learner recovers.
func (s *Store) Learner() learner.State {
	if s.disk != nil {
		return s.disk.learner(s.visible.recovered())
	}
	return s.visible.recovered()
}

func (c *contents) recovered() learner.State {
	st := learner.State{LearnerState: c.learner, Peers: maps.Clone(c.peers)}
	for _, x := range c.sessions {
		st.Sessions = append(st.Sessions, x)
	}
	return st
}

// index notes where the commands of a record are.
func (c *contents) index(rec paxos.LogRecord) {
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

// load answers a load, by a plain walk over what it may return.
func (s *Store) load(l paxos.Load) *paxos.Loaded {
	out := s.visible.load(s.role, l)
	if s.disk != nil {
		s.disk.load(s, l, out)
	}
	return out
}

func (c *contents) load(role paxos.Role, l paxos.Load) *paxos.Loaded {
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
	switch l.Kind {
	case paxos.LoadVotes:
		for i := max(l.From, 1); i <= min(l.To, c.top); i++ {
			v, ok := c.voteAt(role, i)
			if !ok {
				continue
			}
			if !admit(len(v.Value.Batch)) {
				break
			}
			out.Votes = append(out.Votes, v)
		}
	case paxos.LoadLog:
		from := sort.Search(int(c.top), func(i int) bool { // the first record that ends after l.Index
			r := c.applied.at(paxos.Instance(i + 1)).Record
			return r.First+paxos.Index(r.Count) > l.Index
		})
		for i := paxos.Instance(from + 1); i <= c.top; i++ {
			r := c.applied.at(i).Record
			if r.First > l.UpTo {
				break
			}
			if r.Count > 0 {
				if !admit(len(r.Log)) {
					break
				}
				out.Log = append(out.Log, r)
			}
		}
	case paxos.LoadTime:
		for i := paxos.Instance(1); i <= c.top; i++ {
			if r := c.applied.at(i).Record; r.Count > 0 && r.Time >= l.Time && r.First+paxos.Index(r.Count) > l.Index {
				out.Index = max(r.First, l.Index)
				break
			}
		}
	case paxos.LoadRuns:
		c.loadRuns(out)
	}
	return out
}

// voteAt is the vote at i of an acceptor, or what a learner shows in its place.
func (c *contents) voteAt(role paxos.Role, i paxos.Instance) (paxos.Vote, bool) {
	if role == paxos.RoleLearner {
		p := c.applied.at(i)
		return paxos.Vote{Instance: i, Ballot: p.Value.Origin, Value: p.Value}, p.Record.Instance != 0
	}
	v := c.votes.at(i)
	return *v, v.Instance != 0
}

func (c *contents) loadRuns(out *paxos.Loaded) {
	l := out.Load
	for _, at := range c.runs[l.Session] {
		if at.First+at.Count <= l.Seq || at.First > l.UpToSeq {
			continue
		}
		if at.First < l.Seq {
			skip := l.Seq - at.First
			at.First, at.Index, at.Count = l.Seq, at.Index+paxos.Index(skip), at.Count-skip
		}
		at.Count = min(at.Count, l.UpToSeq-at.First+1)
		if at.Instance < l.From {
			at.Origin, at.Time = paxos.Ballot{}, 0
		}
		out.Runs = append(out.Runs, at)
	}
}
