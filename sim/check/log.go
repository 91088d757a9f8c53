package check

import "github.com/paxlog/paxlog/paxos"

// log is the log as whichever learner was first applied it.
type log struct {
	Log     []Entry                    // by index-1
	records []paxos.LogRecord          // by instance-1
	chains  []paxos.Chain              // by instance-1, of the values chosen
	Where   map[string]paxos.Index     // by entry's text; all are distinct
	lastSeq map[paxos.SessionID]uint64 // in the log
	never   map[paxos.AppendID]bool    // told to be never: L6
}

// Entry is one entry of the log, with the append that it came of.
type Entry struct {
	ID    paxos.AppendID
	Value string
}

func newLog() log {
	return log{Where: make(map[string]paxos.Index, 256), lastSeq: map[paxos.SessionID]uint64{}, never: map[paxos.AppendID]bool{}}
}

// Entries is the length of the log as far as any learner applied it.
func (l *log) Entries() int { return len(l.Log) }

// maxStep is how far one value may advance the log's time: 7 days. Else a leader
// whose clock jumped would take the log with it.
const maxStep = paxos.UnixNanos(7 * 24 * 3600 * 1e9)

// onApplied checks a learner's log against the chosen values and against the log
// of whichever learner applied the instance first.
func (c *Checker) onApplied(n *Process, p paxos.PutApplied) {
	i := p.Record.Instance
	if v, ok := c.known(i); !ok || !v.Equal(p.Value) {
		c.Fail("L1/P4", "%s applies at instance %d what was not chosen (chosen: %v)", n.ID, i, ok)
	}
	c.hasChain(n, i, p.Chain)
	if i <= paxos.Instance(len(c.records)) {
		c.sameRecord(n, p.Record)
		return
	}
	if i != paxos.Instance(len(c.records)+1) {
		c.Fail("L5", "%s applies instance %d after %d", n.ID, i, len(c.records))
	}
	if k := len(c.records); k > 0 {
		if last := c.records[k-1].Time; p.Record.Time < last || p.Record.Time > last+maxStep {
			c.Fail("time", "at instance %d the log's time goes from %d to %d", i, last, p.Record.Time)
		}
	}
	c.records = append(c.records, p.Record)
	if p.Record.First != paxos.Index(len(c.Log)+1) {
		c.Fail("L5", "instance %d begins at index %d, the log has %d entries", i, p.Record.First, len(c.Log))
	}
	count := uint64(0)
	for log := p.Record.Log; len(log) > 0; {
		r, rest, err := paxos.NextRun(log)
		if err != nil {
			c.Fail("L1", "instance %d: %v", i, err)
		}
		log = rest
		count += r.Count
		for b, seq := r.Entries, r.First; len(b) > 0; seq++ {
			var e []byte
			e, b = paxos.NextEntry(b)
			c.onEntry(paxos.AppendID{Session: r.Session, Seq: seq}, string(e))
		}
	}
	if count != p.Record.Count {
		c.Fail("L5", "instance %d is said to hold %d entries, and holds %d", i, p.Record.Count, count)
	}
}

func (c *Checker) sameRecord(n *Process, r paxos.LogRecord) {
	old := c.records[r.Instance-1]
	if old.First != r.First || old.Count != r.Count || old.Time != r.Time || old.Origin != r.Origin || string(old.Log) != string(r.Log) {
		c.Fail("L1", "%s makes of instance %d: %d entries from %d; another learner: %d from %d", n.ID, r.Instance, r.Count, r.First, old.Count, old.First)
	}
}

func (c *Checker) onEntry(id paxos.AppendID, value string) {
	if at, ok := c.Where[value]; ok {
		c.Fail("L2", "%q is at index %d and at %d", value, at, len(c.Log)+1)
	}
	if _, ok := c.History.Places[value]; !ok {
		c.Fail("L4", "%q was appended by nobody", value)
	}
	if c.lastSeq[id.Session]+1 != id.Seq {
		c.Fail("session order", "%v follows %d", id, c.lastSeq[id.Session])
	}
	if c.never[id] {
		c.Fail("L6", "%v is in the log after it was told never to be", id)
	}
	c.lastSeq[id.Session] = id.Seq
	c.Log = append(c.Log, Entry{id, value})
	c.Where[value] = paxos.Index(len(c.Log))
}

// Last is the number of a session's last command in the log, as far as learners have applied it.
func (c *Checker) Last(id paxos.SessionID) uint64 { return c.lastSeq[id] }

// isAt reports whether the log has an append at an index.
func (c *Checker) isAt(id paxos.AppendID, index paxos.Index) bool {
	return index > 0 && int(index) <= len(c.Log) && c.Log[index-1].ID == id
}

// learnerSays checks what a learner tells clients and whoever copies from it,
// whether anybody listens or not.
func (c *Checker) learnerSays(n *Process, m paxos.Message) {
	c.servesRightly(n, m)
	if c.harmed[n.ID] {
		return
	}
	switch m := m.(type) {
	case *paxos.Result:
		if m.Kind != paxos.ResultApplied {
			return
		}
		for k := range m.Count {
			if id := (paxos.AppendID{Session: m.Session, Seq: m.First + k}); !c.isAt(id, m.Index+paxos.Index(k)) {
				c.Fail("L2", "%s answers %v with index %d, which is not it", n.ID, id, m.Index+paxos.Index(k))
			}
		}
	case *paxos.Located:
		if int(m.Last) > len(c.Log) {
			c.Fail("L5", "%s says that the log ends at %d, and it has %d entries", n.ID, m.Last, len(c.Log))
		}
	case *paxos.LogPage:
		for k, r := range m.Records {
			if c.sameRecord(n, r); k > 0 && r.First != m.Records[k-1].First+paxos.Index(m.Records[k-1].Count) {
				c.Fail("L5", "%s serves index %d after %d", n.ID, r.First, m.Records[k-1].First)
			}
		}
	case *paxos.Chained:
		c.hasChain(n, m.Instance, m.Chain)
	case *paxos.StatusReply:
		c.hasChain(n, m.Applied, m.Chain)
	case *paxos.Page:
		c.claims(n, m.Held)
		for _, v := range m.Values {
			c.isProposed(n, m.Held, v)
		}
	}
}

// learnerRecovered checks a learner's store: all that it applied, without gaps, as
// the others have it.
func (c *Checker) learnerRecovered(n *Process) {
	st := n.Disk.Visible()
	if c.harmed[n.ID] {
		return
	}
	for i := max(1, st.First); i <= st.Learner.Applied; i++ {
		p := st.Applied.At(i)
		if p.Record.Instance == 0 {
			c.Fail("L5", "%s has applied %d instances, and nothing at %d", n.ID, st.Learner.Applied, i)
		}
		c.sameRecord(n, p.Record)
		c.hasChain(n, i, p.Chain)
	}
	c.hasChain(n, st.Learner.Applied, st.Learner.Chain)
	c.hasChain(n, max(1, st.Learner.FirstInstance)-1, st.Learner.Below)
	c.hasState(n, st.Learner.Applied, st.Control)
	if st.Top > st.Learner.Applied {
		c.Fail("L1", "%s has a record of instance %d, and has applied %d", n.ID, st.Top, st.Learner.Applied)
	}
}
