package sim

import (
	"fmt"
	"strings"

	"github.com/paxlog/paxlog/paxos"
)

// thief is a client that proves nothing. It has read the ids of sessions in the log, and goes on with
// those of others. It is no node: nobody listens to the answers.
const thief = paxos.NodeID("@thief")

// principalOf is who a client is: every third one proves nothing, and its sessions are anybody's.
func principalOf(id paxos.NodeID) paxos.Principal {
	if name := strings.TrimPrefix(string(id), "@"); !strings.HasSuffix(name, "3") {
		return paxos.Principal(name)
	}
	return paxos.Anonymous
}

// steal sends the next commands of a session that somebody has made, to every proposer, and has every
// learner tell its results; or an operator grants something, which has to be the same everywhere
// from then on. What is stolen is in the log of no run: nobody else has appended it (L4).
func (c *Cluster) steal(r *paxos.Rand) {
	if r.Uint64()%4 == 0 {
		c.grant(r)
		return
	}
	victim := c.Clients[r.Uint64()%uint64(len(c.Clients))]
	if victim.session == nil {
		return
	}
	id := victim.session.ID()
	if (id.Owner() == paxos.Owner{}) {
		return // it is anybody's
	}
	c.Events["session not taken over"]++
	run := paxos.Run{Kind: paxos.RunAppend, Session: id, First: c.Check.Last(id) + 1 + r.Uint64()%2, Count: 1, Entries: paxos.AppendEntry(nil, []byte("stolen"))}
	m := paxos.Append{Session: id, First: run.First, Attempt: 1, Batch: run.AppendTo(nil), Principal: victim.principal()}
	for _, p := range c.Proposers {
		if n := c.nodes[p]; n.Up {
			sent := m
			n.receive(thief, &sent)
		}
	}
	for _, l := range c.Learners {
		if n := c.nodes[l]; n.Up {
			n.receive(thief, &paxos.Attach{Session: id, From: 1})
		}
	}
}

// principal is what a client proves, which a thief says of itself.
func (c *Client) principal() paxos.Principal { return principalOf(c.id) }

// grant has whoever leads grant something to somebody who is no client.
func (c *Cluster) grant(r *paxos.Rand) {
	ask := paxos.Permit{Name: paxos.Principal(fmt.Sprintf("somebody-%d", r.Uint64()%5)), Grant: paxos.Rights(r.Uint64() % 8), Revoke: paxos.Rights(r.Uint64() % 8)}
	c.Events["rights changed"]++
	for _, id := range c.Proposers {
		if n := c.nodes[id]; n.Up {
			sent := ask
			n.receive(operator, &sent)
		}
	}
}

// drawThefts draws when somebody goes on with another's session. It has a source of its own, as
// drawOld has.
func drawThefts(seed uint64, end Micros) (faults []Fault) {
	r := paxos.Rand{State: seed ^ 0x7468656674}
	if r.Uint64()%3 != 0 {
		return nil
	}
	for at := Micros(0); ; {
		if at += between(&r, 20*Millisecond, 400*Millisecond); at >= end {
			return faults
		}
		faults = append(faults, Fault{At: at, Kind: StealSession, Arg: r.Uint64()})
	}
}
