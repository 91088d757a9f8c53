package learner

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// changingLog is the values of a log in which the acceptors a1 to a3 are replaced by b1 to b3, one
// after the other, each in force at the next instance; and its state after them.
func changingLog(t *testing.T) (values [][]byte, state control.State) {
	t.Helper()
	choose := func(batch []byte) {
		var err error
		i := paxos.Instance(len(values) + 1)
		if state, err = state.Apply(i, batch, control.Level); err != nil {
			t.Fatal(err)
		}
		values = append(values, batch)
	}
	choose(genesis(control.Level))
	choose(control.Batch(control.Alpha{Alpha: 1}))
	for i, dead := range members.Acceptors {
		newcomer := configuration.Acceptor{ID: paxos.NodeID("b" + string(dead[1:])), Incarnation: uint64(i + 101), Addr: "h:1"}
		choose(control.Batch(control.Change{Change: state.Members.Now.Replacement(dead, newcomer)}))
	}
	return values, state
}

// TestReadAcrossChange is R6: a read whose point is reached asks again if another configuration is
// in force there. Example: a1 is replaced by b1 while a read asks a1 and a2. Both answer; then
// a3 and b1 choose an entry, which is answered to its client, and of which a1 and a2 know nothing.
func TestReadAcrossChange(t *testing.T) {
	values, _ := changingLog(t)
	l := knowing()
	for tick := paxos.Ticks(2); tick < 2000; tick += 10 { // the learner's own read ends
		l.Tick(tick, 0)
		l.Flush()
	}
	l.Step("l1", &paxos.PeerUp{ID: "b1", Role: paxos.RoleAcceptor, Incarnation: 101})
	l.choose(1, values[0])
	l.choose(2, values[1])
	polls := func(out paxos.Output) map[paxos.NodeID]uint64 {
		nonces := map[paxos.NodeID]uint64{}
		for _, id := range []paxos.NodeID{"a1", "a2", "a3", "b1"} {
			for _, p := range sent[*paxos.Poll](out, id) {
				nonces[id] = p.Nonce
			}
		}
		return nonces
	}
	l.Step("@1", &paxos.Locate{Nonce: 7})
	first := polls(l.Flush())
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		l.Step(id, &paxos.PollReply{Nonce: first[id], Held: 2, Highest: 3})
	}
	out := l.choose(3, values[2]) // a1 is replaced by b1 from instance 4 on
	if len(sent[*paxos.Located](out, "@1")) != 0 {
		t.Fatal("it is answered by what acceptors said of which not all are members any more")
	}
	again := polls(out)
	if again["b1"] == 0 || again["b1"] == first["a2"] {
		t.Fatalf("the new members are not asked: first %v, then %v", first, again)
	}
	l.Step("b1", &paxos.PollReply{Nonce: again["b1"], Held: 3, Highest: 4})
	l.Step("a3", &paxos.PollReply{Nonce: again["a3"], Held: 3, Highest: 3})
	if out := l.Flush(); len(sent[*paxos.Located](out, "@1")) != 0 {
		t.Fatal("answered before instance 4 was learned, where a new member has voted")
	}
	l.Step("a3", &paxos.Relay{Ballot: ballot(1), Instance: 4, Value: paxos.Value{Origin: ballot(1), Batch: run(sessionID(1, 1), 1, "x")}})
	l.votes("b1", ballot(1), 4, 4)
	l.votes("a3", ballot(1), 4, 4)
	if r := sent[*paxos.Located](l.Flush(), "@1"); len(r) != 1 || r[0].Last != 1 {
		t.Fatalf("%+v", r)
	}
}

// TestAllAcceptorsMoved: a learner that was down while each acceptor that it knows was replaced
// learns so from one that took such a place, copies what was chosen from it, and counts the votes
// of the new ones from then on.
func TestAllAcceptorsMoved(t *testing.T) {
	values, state := changingLog(t)
	l := knowing()
	for _, id := range members.Acceptors {
		l.Step("l1", &paxos.PeerDown{ID: id})
	}
	l.Step("l1", &paxos.PeerUp{ID: "b1", Role: paxos.RoleAcceptor, Incarnation: 101})
	l.votes("b1", ballot(1), 1, 9)
	l.Step("b1", &paxos.Configured{State: state.Encode()})
	for tick := paxos.Ticks(10); tick < 2000 && l.state.Applied < 5; tick += 10 {
		l.Tick(tick, 0)
		for _, m := range sent[*paxos.Fetch](l.Flush(), "b1") {
			page := &paxos.Page{Nonce: m.Nonce, From: m.From, Held: 5}
			for i := m.From; i <= 5 && m.Values; i++ {
				page.Values = append(page.Values, paxos.Vote{Instance: i, Ballot: ballot(1), Value: paxos.Value{Origin: ballot(1), Batch: values[i-1]}})
			}
			l.Step("b1", page)
		}
		l.Flush()
	}
	if l.state.Applied != 5 {
		t.Fatalf("applied %d of what the new acceptors hold", l.state.Applied)
	}
	l.Step("l1", &paxos.PeerUp{ID: "b2", Role: paxos.RoleAcceptor, Incarnation: 102})
	l.Step("b1", &paxos.Relay{Ballot: ballot(2), Instance: 6, Value: paxos.Value{Origin: ballot(2)}})
	l.votes("a1", ballot(2), 6, 6)
	l.votes("b1", ballot(2), 6, 6)
	if l.Flush(); l.state.Applied != 5 {
		t.Fatal("the vote of one that was replaced counts")
	}
	l.votes("b2", ballot(2), 6, 6)
	if l.Flush(); l.state.Applied != 6 {
		t.Fatal("the votes of the new acceptors do not count")
	}
}
