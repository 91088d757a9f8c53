package sim

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim/check"
	"github.com/paxlog/paxlog/sim/picture"
)

// script is a cluster driven by a text file in testdata. Its commands:
//
//	cluster [acceptors=3] [proposers=1] [learners=1] [phase1= phase2=] [sessions=100] [seed=1]
//	                            a new cluster, all started but what down=(a,b) names
//	show NAME...                from now on also messages of these names, which only keep things alive
//	run [ms=N]                  let time pass; prints the messages delivered
//	append to=p1 VALUE...       @c1 sends one request for each value; prints the exchange of 15 ms. With
//	                            answered=true it says that it has the results of all before each
//	resend to=p1 from=N VALUE...  the same under given sequence numbers
//	session N                   @c1 goes on with its N-th session
//	fence to=p1, lookup seq=N, locate                  as resolve and reads do
//	transfer to=p1 [next=p2]    @c1 asks a proposer to hand over
//	drain, undrain NODE         @c1 has a process drained
//	crash, start, pause, resume, hang, unhang NODE...
//	cut A B, join A B           both ways; cut oneway=true A B
//	break A B                   their connection ends under the next message, and is back after 50 ms
//	lose NAME A B...            messages of that name from A to B... are lost from now on; lose none
//	forget NODE keep=N          it crashes, and all but the first N commits of its directory are lost
//	wipe NODE                   it crashes, and its directory is initialised anew
//	stranger NODE of=A          NODE restarts as one that remembers another directory of acceptor A
//	status NODE                 what it says of itself
//	log                         the log as learned
type script struct {
	t      *testing.T
	c      *Cluster
	ladder *picture.Ladder
	client *scriptClient
	next   uint64
}

// scriptClient sends what the script says and shows what comes back.
type scriptClient struct {
	paxos.Outbox
	session paxos.SessionID
	status  *paxos.StatusReply
	now     paxos.Ticks
}

func (c *scriptClient) Step(_ paxos.NodeID, m paxos.Message) {
	if r, ok := m.(*paxos.StatusReply); ok {
		c.status = r
	}
}
func (c *scriptClient) Tick(mono paxos.Ticks, _ paxos.UnixNanos) { c.now = mono }
func (c *scriptClient) Next() paxos.Ticks                        { return c.now + lookEvery } // a script may have something to send
func (c *scriptClient) Flush() paxos.Output                      { return c.Take() }

func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := &script{t: t}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.t = t
			return s.run(d)
		})
	})
}

func (s *script) run(d *datadriven.TestData) (out string) {
	defer func() {
		if v, ok := recover().(*check.Violation); ok {
			out = s.ladder.Take() + v.Error() + "\n"
		}
	}()
	switch d.Cmd {
	case "cluster":
		s.cluster(d)
	case "run":
		ms := 10
		d.MaybeScanArgs(s.t, "ms", &ms)
		s.c.Run(Micros(ms) * Millisecond)
	case "append", "resend":
		s.append(d)
	case "fence":
		s.client.Send(target(s.t, d), &paxos.Append{Session: s.client.session, Batch: paxos.Fence(s.client.session)})
		s.c.Run(15 * Millisecond)
	case "lookup":
		var seq uint64
		d.ScanArgs(s.t, "seq", &seq)
		s.client.Send("l1", &paxos.Lookup{Nonce: 1, Session: s.client.session, Seq: seq})
		s.c.Run(15 * Millisecond)
	case "locate":
		s.client.Send("l1", &paxos.Locate{Nonce: 1})
		s.c.Run(1100 * Millisecond)
	case "transfer":
		var next string
		d.MaybeScanArgs(s.t, "next", &next)
		s.client.Send(target(s.t, d), &paxos.Transfer{Nonce: 1, To: paxos.NodeID(next)})
		s.c.Run(15 * Millisecond)
	case "drain", "undrain":
		s.client.Send(paxos.NodeID(words(d)[0]), &paxos.Drain{Nonce: 1, Undo: d.Cmd == "undrain"})
		s.c.Run(15 * Millisecond)
	case "log":
		for i, e := range s.c.Check.Log {
			out += fmt.Sprintf("%d %s\n", i+1, e.Value)
		}
		return out
	case "cut", "join", "break":
		s.links(d)
	case "show":
		for _, name := range words(d) {
			s.ladder.Also[name] = true
		}
	case "lose":
		s.lose(words(d))
	case "session":
		var n int
		if _, err := fmt.Sscan(words(d)[0], &n); err != nil {
			s.t.Fatalf("%s: %v", d.Pos, err)
		}
		s.attach(paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{byte(n)}))
	case "forget", "wipe", "stranger":
		s.tamper(d, s.c.nodes[paxos.NodeID(words(d)[0])])
	case "status":
		return s.status(paxos.NodeID(words(d)[0]))
	default:
		for _, n := range words(d) {
			s.node(d, s.c.nodes[paxos.NodeID(n)])
		}
	}
	return s.ladder.Take()
}

func (s *script) cluster(d *datadriven.TestData) {
	top := Topology{Acceptors: 3, Proposers: 1, Learners: 1, Sessions: 100, Entries: 0, PageBytes: 1000}
	d.MaybeScanArgs(s.t, "acceptors", &top.Acceptors)
	d.MaybeScanArgs(s.t, "proposers", &top.Proposers)
	d.MaybeScanArgs(s.t, "learners", &top.Learners)
	d.MaybeScanArgs(s.t, "phase1", &top.Phase1)
	d.MaybeScanArgs(s.t, "phase2", &top.Phase2)
	d.MaybeScanArgs(s.t, "sessions", &top.Sessions)
	var down []string
	for _, a := range d.CmdArgs {
		if a.Key == "down" {
			down = a.Vals
		}
	}
	seed := 1
	d.MaybeScanArgs(s.t, "seed", &seed)
	s.c = NewCluster(uint64(seed), top)
	s.client = &scriptClient{}
	s.c.Add(paxos.RoleClient, "@c1", func(*Store) paxos.Machine { return s.client })
	s.ladder = &picture.Ladder{Also: map[string]bool{}}
	s.c.Net.Observe = s.ladder.Observe
	for _, id := range s.c.order {
		if !slices.Contains(down, string(id)) {
			s.c.nodes[id].Start()
		}
	}
	s.attach(paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{1}))
}

// attach begins with a session.
func (s *script) attach(id paxos.SessionID) {
	s.client.session, s.next = id, 1
	for _, l := range s.c.Learners {
		s.client.Send(l, &paxos.Attach{Session: id, From: 1})
	}
	s.c.Run(5 * Millisecond)
}

func target(t *testing.T, d *datadriven.TestData) paxos.NodeID {
	var to string
	d.ScanArgs(t, "to", &to)
	return paxos.NodeID(to)
}

// words are the arguments without a value.
func words(d *datadriven.TestData) (out []string) {
	for _, a := range d.CmdArgs {
		if len(a.Vals) == 0 {
			out = append(out, a.Key)
		}
	}
	return out
}

func (s *script) append(d *datadriven.TestData) {
	to := target(s.t, d)
	answered := false
	d.MaybeScanArgs(s.t, "from", &s.next)
	d.MaybeScanArgs(s.t, "answered", &answered)
	for _, v := range words(d) {
		s.c.Check.Appends("@c1", v)
		r := paxos.Run{Kind: paxos.RunAppend, Session: s.client.session, First: s.next, Count: 1, Entries: paxos.AppendEntry(nil, []byte(v))}
		m := &paxos.Append{Session: s.client.session, First: s.next, Batch: r.AppendTo(nil)}
		if answered {
			m.Answered = s.next
		}
		s.client.Send(to, m)
		s.next++
	}
	s.c.Run(15 * Millisecond)
}

func (s *script) links(d *datadriven.TestData) {
	w := words(d)
	a, b := paxos.NodeID(w[0]), paxos.NodeID(w[1])
	switch {
	case d.Cmd == "join":
		s.c.Net.Join(a, b)
	case d.Cmd == "break":
		s.c.Net.Break(a, b, 50*Millisecond)
	case d.HasArg("oneway"):
		s.c.Net.Cut(a, b)
	default:
		s.c.Net.CutBoth(a, b)
	}
}

func (s *script) node(d *datadriven.TestData, n *Node) {
	switch d.Cmd {
	case "crash":
		n.Crash()
	case "start":
		n.Start()
	case "pause":
		n.Pause()
	case "resume":
		n.Resume()
	case "hang":
		n.Disk.Hung = true
	case "unhang":
		n.Disk.Hung = false
	default:
		s.t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
	}
}

// lose has messages of a name lost from one node to others.
func (s *script) lose(w []string) {
	before := s.c.Net.Filter
	if w[0] == "none" {
		s.c.Net.Filter = nil
		return
	}
	s.c.Net.Filter = func(from, to paxos.NodeID, m paxos.Message) bool {
		if paxos.Messages.Row(m).Name == w[0] && string(from) == w[1] && slices.Contains(w[2:], string(to)) {
			return false
		}
		return before == nil || before(from, to, m)
	}
}

// tamper crashes a node and changes its directory.
func (s *script) tamper(d *datadriven.TestData, n *Node) {
	n.Crash()
	switch d.Cmd {
	case "forget":
		var keep int
		d.ScanArgs(s.t, "keep", &keep)
		n.store.rollBack(keep)
		s.c.Check.Forget(n.watched)
		n.forgot, n.life = true, n.store.durable.Mark.Life
	case "wipe":
		n.store.rollBack(0)
		s.c.Check.Forget(n.watched)
		s.c.incarnations[n.ID] += 100
	case "stranger":
		var of string
		d.ScanArgs(s.t, "of", &of)
		id := paxos.NodeID(of)
		p := n.store.durable.Peers[id]
		p.Incarnation += 100
		n.store.durable.Peers[id], n.store.visible.Peers[id] = p, p
		n.Start()
	}
}

// status asks a process how it is.
func (s *script) status(id paxos.NodeID) string {
	s.client.status = nil
	s.client.Send(id, &paxos.StatusQuery{Nonce: 1})
	s.c.Run(15 * Millisecond)
	r := s.client.status
	switch {
	case r == nil:
		return "it does not answer\n"
	case r.Role == paxos.RoleProposer:
		return fmt.Sprintf("%s %s\n", r.State, r.Reason)
	case r.Role == paxos.RoleLearner:
		return fmt.Sprintf("applied %d\n", r.Applied)
	case r.Voting:
		return fmt.Sprintf("votes, holds %d\n", r.Held)
	}
	return fmt.Sprintf("holds %d, does not vote: %s\n", r.Held, r.Reason)
}
