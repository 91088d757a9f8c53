package client

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
)

// TestFalseLeader: behind a cut a proposer has heard of a candidate with a higher
// ballot than the leader's. The candidate never led, and says so when it is asked.
func TestFalseLeader(t *testing.T) {
	c, s := begun()
	for _, id := range []string{"p1", "p2", "p3", "p4"} {
		c.opts.proposers = append(c.opts.proposers, Peer{ID: id})
		c.up[paxos.NodeID(id)] = paxos.RoleProposer
	}
	leads := func(from paxos.NodeID, round uint64, leader paxos.NodeID) {
		c.Receive(from, &paxos.Leader{Ballot: paxos.Ballot{Round: round, Proposer: leader}}, 0)
	}
	refuses := func(from paxos.NodeID) {
		c.Receive(from, &paxos.Refused{Session: s.core.id, Reason: paxos.RefuseNoLeader}, 0)
	}
	asked := func(when string, want paxos.NodeID) {
		t.Helper()
		if got := c.proposerID(); got != want {
			t.Errorf("%s: %s is asked, not %s", when, got, want)
		}
	}
	asked("nothing is known", "p1")
	refuses("p1")
	asked("refused", "p2")
	refuses("p1")
	asked("refused by the same one, for another session", "p2")
	leads("p3", 6, "p3")
	asked("one leads", "p3")
	leads("p1", 6, "p4")
	asked("there is a higher ballot", "p4")
	refuses("p4")
	asked("it is not the leader's", "p3")
	leads("p1", 7, "p4")
	leads("p1", 6, "p3")
	asked("it is forgotten", "p3")
	leads("p4", 8, "p4")
	asked("it leads now", "p4")
	c.PeerDown("p4", paxos.RoleProposer, nil)
	asked("it is not connected", "p3")
	c.PeerDown("p3", paxos.RoleProposer, nil)
	leads("p1", 0, "")
	asked("no leader is known", "p2")
	refuses("p2")
	asked("the next one is not connected", "p1")
}

// withLearners is a client to which learners l1 and l2 are connected, as it believes.
func withLearners() (*Client, *Session) {
	c, s := begun()
	for _, id := range []string{"l1", "l2"} {
		c.opts.learners = append(c.opts.learners, Peer{ID: id})
		c.up[paxos.NodeID(id)] = paxos.RoleLearner
	}
	return c, s
}

// TestSilentLearnerAtBirth: a session that waits for its birth asks another learner
// if one that is connected does not answer, and leaves no call behind.
func TestSilentLearnerAtBirth(t *testing.T) {
	c, _ := withLearners()
	s := c.NewSession()
	for _, want := range []paxos.NodeID{"l1", "l2", "l1"} {
		c.mu.Lock()
		if s.asked != want || len(c.calls) != 1 {
			t.Fatalf("%s is asked, not %s; %d calls wait", s.asked, want, len(c.calls))
		}
		c.start = c.start.Add(-birthWait * time.Millisecond) // time passes
		c.tickOpening(c.now(), "")
		c.mu.Unlock()
	}
}

// TestStuckTogether: sessions that are not answered leave the learner once for all of
// them, and not to come back to it.
func TestStuckTogether(t *testing.T) {
	c, _ := withLearners()
	c.opts.proposers = []Peer{{ID: "p1"}}
	c.up["p1"] = paxos.RoleProposer
	for n := range byte(6) {
		s := c.begun(n + 2)
		c.mu.Lock()
		s.core.add(c.now(), &Pending{value: []byte("x"), session: s})
		s.act()
		c.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, want := range []paxos.NodeID{"l2", "l1"} {
		c.start = c.start.Add(-resendMax * time.Millisecond)
		for _, s := range c.sessions {
			s.core.tick(c.now())
			s.act()
		}
		if got := c.learnerID(); got != want {
			t.Errorf("%s is in use, not %s", got, want)
		}
	}
}

// fake is a process that answers as it is told.
type fake struct {
	net    *transport.Network
	answer func(m paxos.Message) paxos.Message
}

func startFake(t *testing.T, role paxos.Role, id paxos.NodeID, answer func(m paxos.Message) paxos.Message) Peer {
	t.Helper()
	f := &fake{answer: answer}
	f.net = transport.New(transport.Config{
		Members: paxos.Membership{Cluster: "c"}, Role: role, ID: id, FrameBytes: 1 << 20, QueueBytes: 1 << 20,
		Connections: 100, Dial: time.Second, Handshake: 3 * time.Second, Idle: time.Minute,
	}, f)
	if err := f.net.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.net.Close)
	return Peer{ID: string(id), Addr: f.net.Addr().String()}
}

func (f *fake) Receive(from paxos.NodeID, m paxos.Message, _ int) {
	if a := f.answer(m); a != nil {
		f.net.Send(from, a)
	}
}
func (f *fake) Rest()                                    {}
func (f *fake) PeerUp(paxos.NodeID, paxos.Role, uint64)  {}
func (f *fake) PeerDown(paxos.NodeID, paxos.Role, error) {}
func (f *fake) Refused(paxos.NodeID, string, error)      {}

// ofFakes is a client of two learners that answer so, and of a silent proposer.
func ofFakes(t *testing.T, l1, l2 func(paxos.Message) paxos.Message) *Client {
	t.Helper()
	silent := func(paxos.Message) paxos.Message { return nil }
	c, err := New(context.Background(), WithCluster("c"), WithTimeout(time.Minute),
		WithProposers(startFake(t, paxos.RoleProposer, "p1", silent)),
		WithLearners(startFake(t, paxos.RoleLearner, "l1", l1), startFake(t, paxos.RoleLearner, "l2", l2)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestResolveElsewhere: a learner that answers, but does not come to know that the
// fence was chosen, is left for another one.
func TestResolveElsewhere(t *testing.T) {
	t.Parallel()
	found := func(closed bool, index paxos.Index) func(paxos.Message) paxos.Message {
		return func(m paxos.Message) paxos.Message {
			switch q := m.(type) {
			case *paxos.Lookup:
				return &paxos.Found{Nonce: q.Nonce, Closed: closed, Index: index}
			case *paxos.Attach:
				return &paxos.Attached{Nonce: q.Nonce}
			}
			return nil
		}
	}
	c := ofFakes(t, found(false, 0), found(true, 7))
	if r, err := c.Resolve(context.Background(), paxos.AppendID{Session: paxos.NewSessionID(0, [12]byte{1}), Seq: 3}); err != nil || !r.Chosen || r.Index != 7 {
		t.Errorf("got %+v, %v", r, err)
	}
}

// TestResolveFuture: that no such append was ever sent is said only by a learner that
// has what a quorum has chosen.
func TestResolveFuture(t *testing.T) {
	t.Parallel()
	learner := func(future bool, open paxos.Instance) func(paxos.Message) paxos.Message {
		return func(m paxos.Message) paxos.Message {
			switch q := m.(type) {
			case *paxos.Lookup:
				return &paxos.Found{Nonce: q.Nonce, Future: future, Closed: !future}
			case *paxos.Locate:
				return &paxos.Located{Nonce: q.Nonce, Open: open}
			}
			return nil
		}
	}
	id := paxos.AppendID{Session: paxos.NewSessionID(9, [12]byte{1}), Seq: 3}
	for name, test := range map[string]struct {
		second func(paxos.Message) paxos.Message
		future bool
	}{
		"only the first is behind": {learner(false, 0), false},
		"nobody knows it":          {learner(true, 0), true},
	} {
		c := ofFakes(t, learner(true, 3), test.second)
		if _, err := c.Resolve(context.Background(), id); errors.Is(err, ErrFutureAppend) != test.future || !test.future && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
