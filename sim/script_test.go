package sim

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/paxlog/paxlog/paxos"
)

// script is a cluster driven by a text file in testdata. Its commands:
//
//	cluster [acceptors=3] [proposers=1] [learners=1]   a new cluster, all started but what down= names
//	run [ms=N]                  let time pass; prints the messages delivered
//	append to=p1 VALUE...       @c1 sends one request for each value; prints the exchange of 5 ms
//	resend to=p1 from=N VALUE...  the same under given sequence numbers
//	fence to=p1, lookup seq=N, locate                  as resolve and reads do
//	crash, start, pause, resume, hang, unhang NODE...
//	cut A B, join A B           both ways; cut oneway=true A B
//	log                         the log as learned
type script struct {
	t      *testing.T
	c      *Cluster
	ladder *Ladder
	client *scriptClient
	next   uint64
}

// scriptClient sends what the script says and shows what comes back.
type scriptClient struct {
	paxos.Outbox
	session paxos.SessionID
}

func (c *scriptClient) Step(paxos.NodeID, paxos.Message)  {}
func (c *scriptClient) Tick(paxos.Ticks, paxos.UnixNanos) {}
func (c *scriptClient) Flush() paxos.Output               { return c.Take() }

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
		if v, ok := recover().(*Violation); ok {
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
		s.client.Now(target(s.t, d), &paxos.Append{Session: s.client.session, Batch: paxos.Fence(s.client.session)})
		s.c.Run(15 * Millisecond)
	case "lookup":
		var seq uint64
		d.ScanArgs(s.t, "seq", &seq)
		s.client.Now("l1", &paxos.Lookup{Nonce: 1, Session: s.client.session, Seq: seq})
		s.c.Run(15 * Millisecond)
	case "locate":
		s.client.Now("l1", &paxos.Locate{Nonce: 1})
		s.c.Run(1100 * Millisecond)
	case "log":
		for i, e := range s.c.Check.entries {
			out += fmt.Sprintf("%d %s\n", i+1, e.value)
		}
		return out
	case "cut", "join":
		s.links(d)
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
	var down string
	d.MaybeScanArgs(s.t, "down", &down)
	s.c = NewCluster(1, top)
	s.client = &scriptClient{session: paxos.NewSessionID(0, [12]byte{1})}
	s.c.Add(paxos.RoleClient, "@c1", func(*Store) paxos.Machine { return s.client })
	s.ladder = &Ladder{}
	s.c.Net.Observe = s.ladder.Observe
	s.next = 1
	for _, id := range s.c.order {
		if string(id) != down {
			s.c.nodes[id].Start()
		}
	}
	for _, l := range s.c.Learners {
		s.client.Now(l, &paxos.Attach{Session: s.client.session, From: 1})
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
	d.MaybeScanArgs(s.t, "from", &s.next)
	for _, v := range words(d) {
		s.c.Check.history.begin(operation{kind: opAppend, client: "@c1", value: v})
		r := paxos.Run{Kind: paxos.RunAppend, Session: s.client.session, First: s.next, Count: 1, Entries: paxos.AppendEntry(nil, []byte(v))}
		s.client.Now(to, &paxos.Append{Session: s.client.session, First: s.next, Batch: r.AppendTo(nil)})
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
