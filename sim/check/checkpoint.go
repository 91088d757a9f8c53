package check

import (
	"bytes"
	"maps"
	"slices"

	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// checkpoints is what is known of the checkpoints in the log, apart from package control.
type checkpoints struct {
	replay   *learner.Replay // of the values chosen, as far as it was needed
	marks    map[paxos.Instance]control.Mark
	words    map[paxos.Instance]map[paxos.NodeID]control.Sum // what each learner said of a state
	all      map[paxos.Instance]control.Checkpoint           // complete ones
	complete int
	trims    int
	holds    map[string]paxos.Index   // where each hold is
	held     int                      // trims that one of them has kept back
	settings map[paxos.Setting]uint64 // by key and name
}

func newCheckpoints() checkpoints {
	return checkpoints{marks: map[paxos.Instance]control.Mark{}, words: map[paxos.Instance]map[paxos.NodeID]control.Sum{}, all: map[paxos.Instance]control.Checkpoint{}, holds: map[string]paxos.Index{}, settings: map[paxos.Setting]uint64{}}
}

// Complete is how many checkpoints were completed.
func (k *checkpoints) Complete() int { return k.complete }

// onCommand takes a control command that was chosen at i, and the state after it.
func (c *Checker) onCommand(i paxos.Instance, cmd control.Command, before, after *control.State) {
	k := &c.checkpoints
	say := func(t paxos.Instance, by paxos.NodeID, sum control.Sum) {
		if k.words[t] == nil {
			k.words[t] = map[paxos.NodeID]control.Sum{}
		}
		k.words[t][by] = sum
	}
	switch cmd := cmd.(type) {
	case control.Mark:
		k.marks[i] = cmd
	case control.Close:
		say(cmd.T, cmd.By, cmd.Sum)
	case control.Confirm:
		say(cmd.T, cmd.By, cmd.Sum)
	case control.SetHold:
		k.hold(cmd, before)
	case control.Adjust:
		c.adjusts(i, cmd, before, after)
	case control.Trim:
		if after.FirstIndex < min(cmd.To, before.Newest().Next) {
			k.held++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.holds)) {
		at := k.holds[name]
		if after.FirstIndex > at {
			c.Fail("hold", "at instance %d %T makes %d the first index, and hold %s is at %d", i, cmd, after.FirstIndex, name, at)
		}
		if !slices.ContainsFunc(after.Holds, func(h paxos.Hold) bool { return h.Name == name && h.At == at }) {
			c.Fail("hold", "at instance %d hold %s is to be at %d, and the log says %v", i, name, at, after.Holds)
		}
	}
	if newest := after.Newest(); newest.T != before.Newest().T {
		c.isCheckpoint(newest)
	}
}

// hold takes a hold, apart from package control: it holds what is there, and nothing that was
// deleted.
func (k *checkpoints) hold(c control.SetHold, before *control.State) {
	switch {
	case before.Level < control.LevelHolds:
	case c.At == 0:
		delete(k.holds, c.Name)
	case c.At >= before.FirstIndex:
		k.holds[c.Name] = c.At
	}
}

// adjusts takes a setting, apart from package control: the log has it from then on, and all others as before.
func (c *Checker) adjusts(i paxos.Instance, cmd control.Adjust, before, after *control.State) {
	all := c.checkpoints.settings
	of := paxos.Setting{Key: cmd.Key, Name: cmd.Name}
	switch {
	case before.Level < control.LevelSettings:
	case cmd.Unset:
		delete(all, of)
	default:
		all[of] = cmd.Value
	}
	if len(after.Settings) != len(all) {
		c.Fail("settings", "at instance %d %d were decided, and the log says %v", i, len(all), after.Settings)
	}
	for _, s := range after.Settings {
		if value, is := all[paxos.Setting{Key: s.Key, Name: s.Name}]; !is || value != s.Value {
			c.Fail("settings", "at instance %d the log says %s %d, and %d was decided (%t)", i, s.KeyText(), s.Value, value, is)
		}
	}
}

// HeldBack is how often a hold has kept a trim back.
func (k *checkpoints) HeldBack() int { return k.held }

// isCheckpoint checks one that is complete: two learners have said that it is their state,
// the chunks in the log are that, and it is the state that follows from the values chosen.
func (c *Checker) isCheckpoint(p control.Checkpoint) {
	k := &c.checkpoints
	k.complete++
	k.all[p.T] = p
	agree := 0
	for _, sum := range k.words[p.T] {
		if sum == p.Sum {
			agree++
		}
	}
	if agree < min(2, len(k.marks[p.T].Learners)) {
		c.Fail("D3", "the checkpoint of instance %d is complete, and %d learners have that state", p.T, agree)
	}
	chunks := control.NewChunks(p)
	for i, missing := chunks.Next(); missing; i, missing = chunks.Next() {
		v, _ := c.known(i)
		chunks.Add(v.Batch)
	}
	state, whole := chunks.Bytes()
	if !whole {
		c.Fail("D3", "the chunks of the checkpoint of instance %d are not what was closed", p.T)
	}
	if k.replay == nil {
		r, err := learner.NewReplay(learner.Config{Membership: c.members, Knows: Newest}, nil)
		if err != nil {
			c.Fail("D3", "%v", err)
		}
		k.replay = r
	}
	for k.replay.Applied() < p.T {
		v, _ := c.known(k.replay.Applied() + 1)
		k.replay.Apply(v)
	}
	if !bytes.Equal(k.replay.State(), state) {
		c.Fail("R2", "the checkpoint of instance %d is not the state that follows from what was chosen", p.T)
	}
}

// trims checks R9 where a process deletes what is below an instance, and returns that: the
// checkpoint of the instance before is complete, and a Phase 2 quorum of acceptors has each part
// of it on disk, or has deleted it since for a later one. One of the configuration in force at
// that part is enough (package control, "Trim"), and so is one of the newest two.
func (c *Checker) trims(n *Process, writes []paxos.Record) (first paxos.Instance) {
	for _, r := range writes {
		if t, ok := r.(paxos.Trimmed); ok {
			first = max(first, t.Instance)
		}
	}
	if first == 0 {
		return 0
	}
	c.catchUp()
	k := &c.checkpoints
	p, ok := k.all[first-1]
	if !ok {
		c.Fail("R9", "%s deletes what is below instance %d, and there is no complete checkpoint of %d", n.ID, first, first-1)
	}
	for _, name := range slices.Sorted(maps.Keys(k.holds)) { // whoever set it above the trim did so where something is left
		if at := k.holds[name]; p.Next > at {
			c.Fail("hold", "%s deletes what is below instance %d, index %d, and hold %s is at %d", n.ID, first, p.Next, name, at)
		}
	}
	k.trims++
	for i := p.From; i <= p.To; i++ {
		if h := c.Members(); !c.isKept(i, h.Replaced, c.configAt(i), h.Before, h.Now) {
			c.Fail("R9", "%s deletes what is below instance %d, and no Phase 2 quorum has instance %d of the checkpoint that stands in its place", n.ID, first, i)
		}
	}
	return first
}

// isKept reports whether a Phase 2 quorum of one of the configurations, without a member that was
// replaced, has instance i on disk, or had it and has deleted it.
func (c *Checker) isKept(i paxos.Instance, without paxos.NodeID, configs ...configuration.Configuration) bool {
	var have paxos.Set
	for _, a := range c.processes {
		if a.Role != paxos.RoleAcceptor || a.ID == without {
			continue
		}
		// One whose directory was rolled back had it, or may have had it.
		if disk := a.Disk.Durable(); c.toldBy(a).forgot || disk.Votes.At(i).Instance != 0 || disk.First > i {
			have = have.With(c.place(a.ID))
		}
	}
	return slices.ContainsFunc(configs, func(x configuration.Configuration) bool {
		return !x.IsZero() && c.among(have, x) >= int(x.Phase2)
	})
}

// Trims is how often a process has deleted a part of the log.
func (k *checkpoints) Trims() int { return k.trims }
