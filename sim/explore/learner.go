package explore

import (
	"fmt"

	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim/model"
)

// clientID is the client of an exploration.
const clientID = paxos.NodeID("@c")

// sessionOf is one of the client's sessions: it appends once in each.
func sessionOf(n int) paxos.SessionID { return paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{byte(n)}) }

// appendOf is the append of a session. Its entry is v and the session's number.
func appendOf(n int) *paxos.Append {
	run := paxos.Run{Kind: paxos.RunAppend, Session: sessionOf(n), First: 1, Count: 1, Entries: paxos.AppendEntry(nil, []byte{'v', byte('0' + n)})}
	return &paxos.Append{Session: run.Session, First: 1, Batch: run.AppendTo(nil)}
}

// newLearner starts a learner from its disk. The client has attached both sessions.
func (x *cluster) newLearner(id paxos.NodeID, disk *model.Contents) *process {
	m := learner.New(learner.Config{
		Knows: x.knows(), ID: id, Membership: x.members, PollTicks: 1000, RenewTicks: 1000, RetryTicks: 1000, ReadTicks: 1000,
		PageBytes: 1 << 20, EntryBytes: 100, BatchBytes: 100, AheadBytes: 1 << 20, BurstBytes: 1 << 20,
	}, disk.LearnerState())
	m.Tick(1, 0)
	for _, a := range x.members.Acceptors {
		m.Step(id, &paxos.PeerUp{ID: a, Role: paxos.RoleAcceptor, Incarnation: 1})
	}
	for n := 1; n <= 2; n++ {
		m.Step(clientID, &paxos.Attach{Session: sessionOf(n), From: 1})
	}
	return &process{Role: paxos.RoleLearner, Machine: m, Disk: disk.Clone(), Now: 1}
}

// client appends in its first session to every proposer, and in its second one once
// the first was answered: so the second append was issued after the first was answered.
type client struct {
	paxos.Outbox
	Proposers []paxos.NodeID
	Told      [2]paxos.Index // by session: the index that it was answered with
}

// Step implements paxos.Machine.
func (c *client) Step(_ paxos.NodeID, m paxos.Message) {
	switch m := m.(type) {
	case *paxos.Results:
		for i := range m.Applied {
			r := m.Result(i)
			c.onResult(&r)
		}
	case *paxos.Result:
		c.onResult(m)
	}
}

func (c *client) onResult(m *paxos.Result) {
	for n := range c.Told {
		if m.Kind != paxos.ResultApplied || m.Session != sessionOf(n+1) || c.Told[n] != 0 {
			continue
		}
		if c.Told[n] = m.Index; n == 0 {
			for _, p := range c.Proposers {
				c.Send(p, appendOf(2))
			}
		}
	}
}

// Tick implements paxos.Machine.
func (c *client) Tick(paxos.Ticks, paxos.UnixNanos) {}

// Next implements paxos.Machine.
func (c *client) Next() paxos.Ticks { return paxos.Never }

// Flush implements paxos.Machine.
func (c *client) Flush() paxos.Output { return c.Take() }

// log is the log as it must be: a plain walk over what was chosen.
type log struct {
	firsts []paxos.Index // by instance-1: the next index before it
	at     map[paxos.SessionID]paxos.Index
	next   paxos.Index
}

// logOf numbers what was chosen, up to the first instance of which nothing was.
func logOf(chosen map[paxos.Instance]paxos.Value) log {
	l := log{at: map[paxos.SessionID]paxos.Index{}, next: 1}
	for i := paxos.Instance(1); ; i++ {
		v, ok := chosen[i]
		if !ok {
			return l
		}
		l.firsts = append(l.firsts, l.next)
		if paxos.IsControl(v.Batch) {
			continue
		}
		for batch := v.Batch; len(batch) > 0; {
			r, rest, err := paxos.NextRun(batch)
			if err != nil {
				panic(err)
			}
			if batch = rest; l.at[r.Session] == 0 { // each session appends once
				l.at[r.Session] = l.next
				l.next++
			}
		}
	}
}

// checkLearners checks the learners of a state, what they told, and what the client made
// of it, against what was chosen (L1 to L3).
func (e *explorer) checkLearners(s []uint32, chosen map[paxos.Instance]paxos.Value) {
	want := logOf(chosen)
	for proc, id := range e.procs {
		n := e.tables[proc].nodes[s[proc]].node
		switch n.Role {
		case paxos.RoleLearner:
			if err := want.checkDisk(n.Disk, chosen); err != nil {
				e.violation("%v: %s", err, id)
			}
			if n.Disk.Learner.Applied > 0 {
				e.out.Applied++
			}
		case paxos.RoleClient:
			told := n.Machine.(*client).Told
			second := want.at[sessionOf(2)]
			if told[0] != 0 && second != 0 && second <= told[0] {
				e.violation("L3 violated: the second append is at index %d, and was issued after the first was answered with %d", second, told[0])
			}
			if told[1] != 0 {
				e.out.Answered++
			}
		}
	}
	for _, id := range s[len(e.procs)+1:] {
		switch m := e.msgs.list[id].msg.(type) {
		case *paxos.Results:
			for i := range m.Applied {
				r := m.Result(i)
				e.checkResult(&want, &r)
			}
		case *paxos.Result:
			e.checkResult(&want, m)
		}
	}
}

func (e *explorer) checkResult(want *log, m *paxos.Result) {
	if m.Kind == paxos.ResultApplied && (m.First != 1 || m.Count != 1 || want.at[m.Session] != m.Index) {
		e.violation("L2 violated: command %d of %s was answered with index %d, and its session's entry is at %d", m.First, m.Session, m.Index, want.at[m.Session])
	}
}

// checkDisk says where a learner's log is not a prefix of what it must be: if none is,
// any two are one a prefix of the other.
func (l *log) checkDisk(d *model.Contents, chosen map[paxos.Instance]paxos.Value) error {
	for i := paxos.Instance(1); i <= d.Top; i++ {
		p := d.Applied.At(i)
		v, ok := chosen[i]
		if i > d.Learner.Applied || !ok || i > paxos.Instance(len(l.firsts)) || !v.Equal(p.Value) {
			return fmt.Errorf("L1 violated: instance %d was applied with what was not chosen there", i)
		}
		next := l.next
		if int(i) < len(l.firsts) {
			next = l.firsts[i]
		}
		if p.Record.First != l.firsts[i-1] || p.Record.First+paxos.Index(p.Record.Count) != next {
			return fmt.Errorf("L1 violated: instance %d was made entries %d to %d, and must be %d to %d", i,
				p.Record.First, p.Record.First+paxos.Index(p.Record.Count)-1, l.firsts[i-1], next-1)
		}
	}
	return nil
}
