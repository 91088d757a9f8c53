package proposer

import (
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

func knowing() Config {
	cfg := config()
	cfg.Knows, cfg.LogID = control.Level, paxos.LogID{9}
	return cfg
}

func genesis(level uint64) []byte {
	return control.Batch(control.Genesis{
		Log: paxos.LogID{1}, Level: level, Sessions: 10, Config: control.ConfigurationOf(members, func(paxos.NodeID) uint64 { return 0 }),
	})
}

// shown is a promise of an acceptor that knows a level and has a state.
func shown(p *Proposer, from paxos.NodeID, m *paxos.Prepare, held paxos.Instance, knows uint64, state paxos.Encoded, votes ...paxos.Vote) {
	p.Step(from, &paxos.Promise{
		Ballot: m.Ballot, Nonce: m.Nonce, Last: true, Held: held, Marks: make([]paxos.Mark, 3), Votes: votes, Knows: knows, Control: state,
	})
}

// TestFirstLeader: the first leader of an empty log begins it, if it and all of its quorum
// know how; else, or where anything may have been chosen at instance 1, it does not.
func TestFirstLeader(t *testing.T) {
	begun := control.State{Level: 1, Log: paxos.LogID{1}, Since: 1, At: 1, FirstIndex: 1, Sessions: 10, Config: control.ConfigurationOf(members, func(paxos.NodeID) uint64 { return 0 })}
	none := func(p *Proposer, prep map[paxos.NodeID]*paxos.Prepare) {
		shown(p, "a1", prep["a1"], 0, 1, "")
		shown(p, "a2", prep["a2"], 0, 1, "")
	}
	for name, test := range map[string]struct {
		cfg     Config
		promise func(p *Proposer, prep map[paxos.NodeID]*paxos.Prepare)
		begins  bool
	}{
		"an empty log":    {knowing(), none, true},
		"an older leader": {config(), none, false},
		"an older acceptor": {knowing(), func(p *Proposer, prep map[paxos.NodeID]*paxos.Prepare) {
			shown(p, "a1", prep["a1"], 0, 1, "")
			shown(p, "a2", prep["a2"], 0, 0, "")
		}, false},
		"a vote at instance 1": {knowing(), func(p *Proposer, prep map[paxos.NodeID]*paxos.Prepare) {
			shown(p, "a1", prep["a1"], 0, 1, "", vote(1, 3, "x"))
			shown(p, "a2", prep["a2"], 0, 1, "")
		}, false},
		"a vote at 2, none at 1": {knowing(), func(p *Proposer, prep map[paxos.NodeID]*paxos.Prepare) {
			shown(p, "a1", prep["a1"], 0, 1, "", vote(2, 3, "x"))
			shown(p, "a2", prep["a2"], 0, 1, "")
		}, true},
		"a log of an older one": {knowing(), func(p *Proposer, prep map[paxos.NodeID]*paxos.Prepare) {
			shown(p, "a1", prep["a1"], 3, 1, "")
			shown(p, "a2", prep["a2"], 0, 1, "")
		}, false},
		"a log that has begun": {knowing(), func(p *Proposer, prep map[paxos.NodeID]*paxos.Prepare) {
			shown(p, "a1", prep["a1"], 1, 1, begun.Encode())
			shown(p, "a2", prep["a2"], 0, 1, "")
		}, false},
	} {
		p, prep := campaigning(t, test.cfg)
		test.promise(p, prep)
		out := p.Flush()
		if leads(p) == nil {
			t.Fatalf("%s: it does not lead", name)
		}
		accepts := sentTo[*paxos.Accept](out, "a1")
		begins := len(accepts) > 0 && accepts[0].Instance == 1 && paxos.IsControl(accepts[0].Value.Batch)
		if begins != test.begins {
			t.Errorf("%s: it proposes %+v", name, accepts)
		}
		if !begins {
			continue
		}
		c, err := control.Parse(accepts[0].Value.Batch)
		if g, ok := c.(control.Genesis); err != nil || !ok || g.Log != test.cfg.LogID || g.Sessions != 10 || len(g.Config.Acceptors) != 3 {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
		for _, id := range []paxos.NodeID{"a1", "a2"} {
			p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: 1, Last: 2, Ballot: leads(p).ballot}}})
		}
		if p.Flush(); p.Report().Control.Log != test.cfg.LogID {
			t.Errorf("%s: once it is chosen the leader has %+v", name, p.Report().Control)
		}
	}
}

// TestStateOfHighestHeld: a leader begins with the state that goes with the highest held of
// its quorum, whoever answers first.
func TestStateOfHighestHeld(t *testing.T) {
	begun := control.State{Level: 1, Log: paxos.LogID{1}, Since: 2, At: 2, FirstIndex: 1, Sessions: 10, Config: control.ConfigurationOf(members, func(paxos.NodeID) uint64 { return 0 })}
	for _, order := range [][2]paxos.NodeID{{"a1", "a2"}, {"a2", "a1"}} {
		p, prep := campaigning(t, knowing())
		for _, id := range order {
			if id == "a1" {
				shown(p, id, prep[id], 3, 1, begun.Encode())
			} else {
				shown(p, id, prep[id], 1, 1, "")
			}
		}
		if p.Flush(); leads(p) == nil || p.control.Log != begun.Log {
			t.Errorf("%v: %+v", order, p.control)
		}
	}
}

// TestUnknownLevel: who does not know the level of a log, or a command that it would have to
// propose again, does not lead (R10).
func TestUnknownLevel(t *testing.T) {
	higher := control.State{Level: control.Level + 1, Log: paxos.LogID{1}, Since: 1, At: 1, FirstIndex: 1, Sessions: 10, Config: control.ConfigurationOf(members, func(paxos.NodeID) uint64 { return 0 })}
	unknown := paxos.Vote{Instance: 2, Ballot: paxos.Ballot{Round: 3, Proposer: "px"}, Value: paxos.Value{Batch: genesis(control.Level + 1)}}
	for name, promise := range map[string]func(p *Proposer, m *paxos.Prepare){
		"a level":   func(p *Proposer, m *paxos.Prepare) { shown(p, "a1", m, 1, 2, higher.Encode()) },
		"a command": func(p *Proposer, m *paxos.Prepare) { shown(p, "a1", m, 1, 2, "", unknown) },
		"nonsense":  func(p *Proposer, m *paxos.Prepare) { shown(p, "a1", m, 1, 2, "nonsense") },
	} {
		p, prep := campaigning(t, knowing())
		promise(p, prep["a1"])
		shown(p, "a2", prep["a2"], 0, 1, "")
		out := p.Flush()
		if leads(p) != nil || len(sent[*paxos.Accept](out)) > 0 || !strings.Contains(p.Report().WhyNot, control.ErrUnknown.Error()) {
			t.Errorf("%s: it leads, or does not say why not: %q", name, p.Report().WhyNot)
		}
	}
}

// TestNoControlFromClients: a client's append that carries a control command is refused
// before anything is proposed.
func TestNoControlFromClients(t *testing.T) {
	p, prep := campaigning(t, knowing())
	shown(p, "a1", prep["a1"], 3, 1, "")
	shown(p, "a2", prep["a2"], 3, 1, "")
	p.Flush()
	fence := paxos.Fence(paxos.SessionID{1})
	for name, batch := range map[string][]byte{"alone": genesis(1), "behind a fence": append(fence, genesis(1)...)} {
		p.Step("@c", &paxos.Append{Session: paxos.SessionID{1}, Batch: batch})
		out := p.Flush()
		refused := sentTo[*paxos.Refused](out, "@c")
		if len(refused) != 1 || refused[0].Reason != paxos.RefuseMalformed || len(sent[*paxos.Accept](out)) > 0 {
			t.Errorf("%s: %+v", name, out)
		}
	}
}
