package explore

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
	"github.com/paxlog/paxlog/sim/model"
)

// Around a change of the acceptors the log has begun, and its alpha is decided: all acceptors
// hold that, newcomers too, which have copied so much. Alpha is 1 or 2, far less than leaders
// decide, so that what lies between a change and where it is in force is a state or two.

// newcomers are the acceptors that join: the last ones.
func (x Config) newcomers() []paxos.NodeID { return ids("a", x.acceptors())[x.Acceptors:] }

// acceptors is how many there are.
func (x Config) acceptors() int { return x.Acceptors + x.Newcomers }

// membership is that of the cluster file.
func (x Config) membership() paxos.Membership {
	m := paxos.Membership{
		Cluster: "explore", Acceptors: ids("a", x.Acceptors), Phase1: x.Acceptors/2 + 1, Phase2: x.Acceptors/2 + 1, Sessions: 1 + x.Learners,
	}
	if x.Phase1 > 0 {
		m.Phase1, m.Phase2 = x.Phase1, x.Phase2
	}
	return m
}

// begin makes the directory of a log that has begun and has decided alpha.
func (x *cluster) begin() {
	x.begun, x.chosen = model.New(), map[paxos.Instance]paxos.Value{}
	if x.cfg.Alpha == 0 {
		return
	}
	ballot := paxos.Ballot{Round: 1, Proposer: "p1"}
	x.begun.Apply([]paxos.Record{paxos.SetPromised{Ballot: ballot}})
	for i, c := range []control.Command{
		control.Genesis{
			Log: paxos.LogID{1}, Level: control.Level, Sessions: uint64(x.members.Sessions),
			Config: control.ConfigurationOf(x.members, func(paxos.NodeID) uint64 { return 1 }),
		},
		control.Alpha{Alpha: x.cfg.Alpha},
	} {
		at, v := paxos.Instance(i+1), paxos.Value{Origin: ballot, Batch: control.Batch(c)}
		x.chosen[at] = v
		var err error
		if x.state, err = x.state.Apply(at, v.Batch, control.Level); err != nil {
			panic(err)
		}
		x.begun.Apply([]paxos.Record{
			paxos.PutVote{Vote: paxos.Vote{Instance: at, Ballot: ballot, Value: v}},
			paxos.SetHeld{Held: at}, paxos.SetControl{State: x.state.Encode()},
		})
	}
}

// base is the last instance that was chosen before the beginning.
func (x *cluster) base() paxos.Instance { return paxos.Instance(len(x.chosen)) }

// told are the proposers that acceptors tell of a newer configuration.
func (x *cluster) told() []paxos.NodeID {
	if x.cfg.Alpha == 0 {
		return nil
	}
	return ids("p", x.cfg.Proposers)
}

// patience is how often an acceptor's retry time may pass: a newcomer copies once more.
func (x *cluster) patience(id paxos.NodeID) int {
	if x.members.Place(id) < 0 {
		return x.cfg.Patience + 1
	}
	return x.cfg.Patience
}

// join has a proposer know the newcomers, which are connected to it.
func (x *cluster) join(id paxos.NodeID, m paxos.Machine) {
	for _, a := range x.cfg.newcomers() {
		m.Step(id, &paxos.PeerUp{ID: a, Role: paxos.RoleAcceptor, Incarnation: 1})
		m.Step(a, &paxos.Join{Held: x.base()})
	}
}

// vouchFor admits an acceptor whose directory is an old one, which peers vouched for before,
// or a copy of it.
func (x *cluster) vouchFor(id paxos.NodeID, n *process) {
	for _, o := range others(x.members.Acceptors, id) {
		n.Machine.Step(o, &paxos.Vouched{Asked: paxos.Mark{Commits: n.Disk.Mark.Commits, Process: n.Runs, Life: n.Disk.Mark.Life}})
	}
}

// placeOf is an acceptor's place among all of them, newcomers too.
func (e *explorer) placeOf(id paxos.NodeID) int { return slices.Index(e.procs[:e.cfg.acceptors()], id) }

// reign is a configuration, and from where on it is in force.
type reign struct {
	from   paxos.Instance
	config configuration.Configuration
}

// reigns are the configurations that follow from what is chosen up to an instance: a plain walk,
// which knows nothing of how the machines keep them.
type reigns []reign

func (e *explorer) firstReign() reigns {
	return reigns{{1, configuration.Of(e.members, func(paxos.NodeID) uint64 { return 1 })}}
}

// take goes on with what is chosen at i, the next instance.
func (r reigns) take(i, alpha paxos.Instance, v paxos.Value) reigns {
	if !paxos.IsControl(v.Batch) {
		return r
	}
	c, err := control.Parse(v.Batch)
	x, is := c.(control.Change)
	if last := r[len(r)-1]; err != nil || !is || x.Config.Epoch != last.config.Epoch+1 || i < last.from {
		return r
	}
	return append(r, reign{i + alpha, x.Config})
}

// at is the configuration in force at i.
func (r reigns) at(i paxos.Instance) configuration.Configuration {
	for k := len(r) - 1; k > 0; k-- {
		if i >= r[k].from {
			return r[k].config
		}
	}
	return r[0].config
}

// among are the places of those in s that are members.
func (e *explorer) among(s paxos.Set, c configuration.Configuration) (n int) {
	for _, a := range c.Acceptors {
		if s.Has(e.placeOf(a.ID)) {
			n++
		}
	}
	return n
}

// isReplaced reports whether a change that replaces id is chosen in a state. From then on the
// directory of id is anybody's (R7).
func (e *explorer) isReplaced(id paxos.NodeID, s []uint32) bool {
	if o, then := e.cfg.Order, e.cfg.Then; (o.Order != paxos.MemberReplace || o.ID != id) && (then.With == "" || then.ID != id) {
		return false
	}
	return slices.ContainsFunc(e.reignsOf(e.chosenBy(e.toldIn(s))), func(r reign) bool {
		_, is := r.config.Find(id)
		return !is && r.config.Epoch > 1
	})
}

// isNewer reports whether m tells a newer configuration than o.
func isNewer(m, o *paxos.Configured) bool {
	if m.State == o.State {
		return false
	}
	s, err := control.Decode(m.State, control.Level)
	old, errOld := control.Decode(o.State, control.Level)
	return err == nil && errOld == nil && s.Members.Now.Epoch > old.Members.Now.Epoch
}

// reignsOf are the configurations of a log, up to the first instance of which nothing is chosen.
func (e *explorer) reignsOf(chosen map[paxos.Instance]paxos.Value) reigns {
	r := e.firstReign()
	for i := e.base() + 1; ; i++ {
		v, ok := chosen[i]
		if !ok {
			return r
		}
		r = r.take(i, e.cfg.Alpha, v)
	}
}

// checkChange checks R3 and R4 on what was proposed and voted for in a state: nobody proposes
// alpha beyond what is chosen, and who votes at an instance is a member there.
func (e *explorer) checkChange(t *ballots, chosen map[paxos.Instance]paxos.Value) {
	upTo, r := e.base(), e.reignsOf(chosen)
	for isChosen := true; isChosen; {
		if _, isChosen = chosen[upTo+1]; isChosen {
			upTo++
		}
	}
	if last := len(r) - 1; last > 0 && (e.cfg.Then.Order == 0 || last > 1) {
		e.out.Changed++
		if _, isChosen := chosen[r[last].from]; isChosen {
			e.out.After++
		}
	}
	for k := range t.proposed {
		if k.instance > upTo+e.cfg.Alpha {
			e.violation("R3 violated: %v proposes at instance %d, all is chosen up to %d only, and alpha is %d", k.ballot, k.instance, upTo, e.cfg.Alpha)
		}
	}
	for k, set := range t.votes {
		if in := r.at(k.instance); e.among(set, in) < set.Len() {
			e.violation("R4 violated: %s is voted for at instance %d by somebody who is no member there: of %v only %d are", k.ballot, k.instance, set, e.among(set, in))
		}
	}
}

func (k at) String() string { return fmt.Sprintf("instance %d under %v", k.instance, k.ballot) }
