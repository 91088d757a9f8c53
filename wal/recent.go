package wal

import (
	"encoding/binary"
	"maps"
	"slices"
	"sort"
	"sync"

	"github.com/paxlog/paxlog/paxos"
)

// recent is what a learner's latest commits did to sessions. With thousands of
// sessions, a key for each of them and for each of their runs in each commit would
// be most of the work of a learner. So a commit keeps all changes of sessions under
// one key, and its runs are found in the records of its instances. When many have
// come together they are folded into the keys of sessions and runs, those of one
// session in one key. Open finds again what is not folded.
type recent struct {
	limits  foldLimits
	number  uint64 // of the next commit's changes
	mu      sync.Mutex
	runs    map[paxos.SessionID][]paxos.RunAt // ascending, without Origin and Time
	changes map[paxos.SessionID]sessionChange
	count   int            // of runs and changes
	bytes   int            // of records since
	upTo    paxos.Instance // the latest instance
}

// foldLimits bound what is not folded: what it takes in memory, and how much Open reads.
type foldLimits struct{ count, bytes int }

var defaultFold = foldLimits{count: 1 << 15, bytes: 64 << 20}

// maxPacked bounds the runs under one key.
const maxPacked = 1024

// sessionChange is what became of a session.
type sessionChange struct {
	state   paxos.SessionState
	dropped bool
}

// sessionRun is a run of a session.
type sessionRun struct {
	id paxos.SessionID
	at paxos.RunAt
}

// changes are what one commit adds to recent.
type changes struct {
	sessions []sessionChange
	runs     []sessionRun
	upTo     paxos.Instance
	bytes    int
	// installed says that the commit replaced all that there was.
	installed bool
}

func newRecent(limits foldLimits) *recent {
	r := &recent{limits: limits}
	r.clear()
	return r
}

func (r *recent) clear() {
	r.runs, r.changes = map[paxos.SessionID][]paxos.RunAt{}, map[paxos.SessionID]sessionChange{}
	r.count, r.bytes = 0, 0
}

// add takes what a commit did, once loads can see its records.
func (r *recent) add(c *changes, folded bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if folded || c.installed {
		r.clear()
	}
	for _, s := range c.sessions {
		r.changes[s.state.ID] = s
	}
	for _, run := range c.runs {
		r.runs[run.id] = append(r.runs[run.id], run.at)
	}
	r.count += len(c.sessions) + len(c.runs)
	r.bytes += c.bytes
	r.upTo = max(r.upTo, c.upTo)
}

// full reports whether it is time to fold.
func (r *recent) full() bool { return r.count >= r.limits.count || r.bytes >= r.limits.bytes }

// find returns the runs of a session that hold commands first .. last.
func (r *recent) find(id paxos.SessionID, first, last uint64) []paxos.RunAt {
	r.mu.Lock()
	defer r.mu.Unlock()
	runs := r.runs[id]
	lo := sort.Search(len(runs), func(i int) bool { return runs[i].First+runs[i].Count > first })
	hi := sort.Search(len(runs), func(i int) bool { return runs[i].First > last })
	return slices.Clone(runs[lo:max(lo, hi)])
}

func (r *recent) countRuns() uint64 {
	var n uint64
	for _, runs := range r.runs {
		n += uint64(len(runs))
	}
	return n
}

// sessions lays what is not folded over the sessions that are.
func (r *recent) sessions(folded []paxos.SessionState) []paxos.SessionState {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.DeleteFunc(folded, func(s paxos.SessionState) bool {
		_, changed := r.changes[s.ID]
		return changed
	})
	for _, c := range r.changes {
		if !c.dropped {
			out = append(out, c.state)
		}
	}
	slices.SortFunc(out, func(a, b paxos.SessionState) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return out
}

func sortedIDs[T any](m map[paxos.SessionID]T) []paxos.SessionID {
	return slices.SortedFunc(maps.Keys(m), func(a, b paxos.SessionID) int { return slices.Compare(a[:], b[:]) })
}

// fold adds the keys of sessions and runs to c, for all that earlier commits did.
func (r *recent) fold(c *Commit) error {
	if err := r.put(c, maxPacked); err != nil {
		return err
	}
	if err := c.b.DeleteRange([]byte{keyChanges}, numberKey(keyChanges, r.number), nil); err != nil {
		return err
	}
	return c.set(binary.BigEndian.AppendUint64(append(c.s.scratch[:0], keyFolded), uint64(r.upTo)), 1)
}

// put adds the keys of the sessions and of the runs to c, those of so many runs in one.
func (r *recent) put(c *Commit, packed int) error {
	for _, id := range sortedIDs(r.changes) {
		change := r.changes[id]
		if change.dropped {
			if err := c.b.Delete(sessionKey(keySession, id), nil); err != nil {
				return err
			}
			continue
		}
		b := appendSessionKey(c.s.scratch[:0], keySession, id)
		if err := c.set(appendSession(b, change.state), len(b)); err != nil {
			return err
		}
	}
	for _, id := range sortedIDs(r.runs) {
		for runs := r.runs[id]; len(runs) > 0; {
			n := 1
			for n < len(runs) && n < packed && runs[n].First == runs[n-1].First+runs[n-1].Count {
				n++
			}
			b := binary.BigEndian.AppendUint64(appendSessionKey(c.s.scratch[:0], keyRun, id), runs[0].First)
			if err := c.set(appendRuns(b, runs[:n]), len(b)); err != nil {
				return err
			}
			runs = runs[n:]
		}
	}
	return nil
}

// putAtOnce adds to c what it does to sessions as formats before 3 have it: each
// session and each run has a key of its own in every commit, and nothing is left to
// fold. The version of paxlog that made the directory can then go on with it.
func putAtOnce(c *Commit) error {
	only := newRecent(foldLimits{})
	only.add(&c.changes, false)
	c.changes = changes{}
	return only.put(c, 1)
}

// write adds the key of the commit's changes to c, and folds the earlier ones if
// there are many.
func (r *recent) write(c *Commit) (folded bool, err error) {
	if !c.s.id.folds() {
		return false, putAtOnce(c)
	}
	// Once a state is installed there is nothing to fold any more. What came after it in the
	// same commit is written like any other.
	if !c.changes.installed && r.full() {
		if err := r.fold(c); err != nil {
			return false, err
		}
		folded = true
	}
	if len(c.changes.sessions) == 0 {
		return folded, nil
	}
	b := appendNumberKey(c.s.scratch[:0], keyChanges, r.number)
	r.number++
	return folded, c.set(appendChanges(b, c.changes.sessions), numberKeyLen)
}

// openRecent finds what is not folded.
func (s *Store) openRecent() error {
	folded, err := s.folded()
	if err != nil {
		return err
	}
	r := newRecent(s.opts.fold())
	r.upTo = folded
	var c changes
	err = s.scan(numberKey(keyChosen, uint64(folded)+1), []byte{keyChosen + 1}, func(k, v []byte) (bool, error) {
		p, err := decodeApplied(k, v)
		if err != nil {
			return false, err
		}
		if err := c.addRecord(p); err != nil {
			return false, s.wrong("the log of instance %d: %v", p.Record.Instance, err)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	lo, hi := prefixRange(keyChanges)
	err = s.scan(lo, hi, func(k, v []byte) (bool, error) {
		more, err := decodeChanges(k, v)
		c.sessions = append(c.sessions, more...)
		r.number = keyNumber(k) + 1
		return true, err
	})
	r.add(&c, false)
	s.recent = r
	return err
}

// folded is the instance up to which runs have keys of their own. In a format that does not fold
// all have.
func (s *Store) folded() (paxos.Instance, error) {
	if s.id.folds() {
		n, err := s.number([]byte{keyFolded})
		return paxos.Instance(n), err
	}
	v, err := s.get([]byte{keyLearner})
	if err != nil || v == nil {
		return 0, err
	}
	st, err := decodeLearner([]byte{keyLearner}, v)
	return st.Applied, err
}

// addRecord notes the runs of an instance.
func (c *changes) addRecord(p paxos.PutApplied) error {
	c.upTo = max(c.upTo, p.Record.Instance)
	c.bytes += recordBytes + len(p.Value.Batch)
	if p.Record.Count == 0 {
		return nil // of a batch of which nothing was applied
	}
	index := p.Record.First
	for log := p.Record.Log; len(log) > 0; {
		run, rest, err := paxos.NextRun(log)
		if err != nil {
			return err
		}
		at := paxos.RunAt{First: run.First, Count: run.Count, Index: index, Instance: p.Record.Instance}
		c.runs = append(c.runs, sessionRun{run.Session, at})
		index += paxos.Index(run.Count)
		log = rest
	}
	return nil
}
