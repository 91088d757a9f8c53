package sim

import (
	"fmt"

	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
)

// exClientID is the client of an exploration.
const exClientID = paxos.NodeID("@c")

// exSession is one of the client's sessions: it appends once in each.
func exSession(n int) paxos.SessionID { return paxos.NewSessionID(0, [12]byte{byte(n)}) }

// exAppend is the append of a session. Its entry is v and the session's number.
func exAppend(n int) *paxos.Append {
	run := paxos.Run{Kind: paxos.RunAppend, Session: exSession(n), First: 1, Count: 1, Entries: paxos.AppendEntry(nil, []byte{'v', byte('0' + n)})}
	return &paxos.Append{Session: run.Session, First: 1, Batch: run.AppendTo(nil)}
}

// newLearner starts a learner from its disk. The client has attached both sessions.
func (x *exCluster) newLearner(id paxos.NodeID, disk *contents) *exNode {
	s := Store{role: paxos.RoleLearner, visible: disk}
	m := learner.New(learner.Config{
		ID: id, Membership: x.members, PollTicks: 1000, RetryTicks: 1000, ReadTicks: 1000,
		PageBytes: 1 << 20, EntryBytes: 100, BatchBytes: 100, AheadBytes: 1 << 20, BurstBytes: 1 << 20,
	}, s.Learner())
	m.Tick(1, 0)
	for _, a := range x.members.Acceptors {
		m.Step(id, &paxos.PeerUp{ID: a, Role: paxos.RoleAcceptor, Incarnation: 1})
	}
	for n := 1; n <= 2; n++ {
		m.Step(exClientID, &paxos.Attach{Session: exSession(n), From: 1})
	}
	return &exNode{Role: paxos.RoleLearner, Machine: m, Disk: disk.clone(), Now: 1}
}

// exClient appends in its first session to every proposer, and in its second one once
// the first was answered: so the second append was issued after the first was answered.
type exClient struct {
	paxos.Outbox
	Proposers []paxos.NodeID
	Told      [2]paxos.Index // by session: the index that it was answered with
}

// Step implements paxos.Machine.
func (c *exClient) Step(_ paxos.NodeID, m paxos.Message) {
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

func (c *exClient) onResult(m *paxos.Result) {
	for n := range c.Told {
		if m.Kind != paxos.ResultApplied || m.Session != exSession(n+1) || c.Told[n] != 0 {
			continue
		}
		if c.Told[n] = m.Index; n == 0 {
			for _, p := range c.Proposers {
				c.Send(p, exAppend(2))
			}
		}
	}
}

// Tick implements paxos.Machine.
func (c *exClient) Tick(paxos.Ticks, paxos.UnixNanos) {}

// Flush implements paxos.Machine.
func (c *exClient) Flush() paxos.Output { return c.Take() }

// exLog is the log as it must be: a plain walk over what was chosen.
type exLog struct {
	firsts []paxos.Index // by instance-1: the next index before it
	at     map[paxos.SessionID]paxos.Index
	next   paxos.Index
}

// logOf numbers what was chosen, up to the first instance of which nothing was.
func logOf(chosen map[paxos.Instance]paxos.Value) exLog {
	l := exLog{at: map[paxos.SessionID]paxos.Index{}, next: 1}
	for i := paxos.Instance(1); ; i++ {
		v, ok := chosen[i]
		if !ok {
			return l
		}
		l.firsts = append(l.firsts, l.next)
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
			if n.Disk.learner.Applied > 0 {
				e.out.Applied++
			}
		case paxos.RoleClient:
			told := n.Machine.(*exClient).Told
			second := want.at[exSession(2)]
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

func (e *explorer) checkResult(want *exLog, m *paxos.Result) {
	if m.Kind == paxos.ResultApplied && (m.First != 1 || m.Count != 1 || want.at[m.Session] != m.Index) {
		e.violation("L2 violated: command %d of %s was answered with index %d, and its session's entry is at %d", m.First, m.Session, m.Index, want.at[m.Session])
	}
}

// checkDisk says where a learner's log is not a prefix of what it must be: if none is,
// any two are one a prefix of the other.
func (l *exLog) checkDisk(d *contents, chosen map[paxos.Instance]paxos.Value) error {
	for i := paxos.Instance(1); i <= d.top; i++ {
		p := d.applied.at(i)
		v, ok := chosen[i]
		if i > d.learner.Applied || !ok || i > paxos.Instance(len(l.firsts)) || !v.Equal(p.Value) {
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
