package check

import (
	"bytes"

	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// checkpoints is what is known of the checkpoints in the log, apart from package control.
type checkpoints struct {
	replay   *learner.Replay // of the values chosen, as far as it was needed
	marks    map[paxos.Instance]control.Mark
	words    map[paxos.Instance]map[paxos.NodeID]control.Sum // what each learner said of a state
	complete int
}

func newCheckpoints() checkpoints {
	return checkpoints{marks: map[paxos.Instance]control.Mark{}, words: map[paxos.Instance]map[paxos.NodeID]control.Sum{}}
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
	}
	if newest := after.Newest(); newest.T != before.Newest().T {
		c.isCheckpoint(newest)
	}
}

// isCheckpoint checks one that is complete: two learners have said that it is their state (D3),
// the chunks in the log are that, and it is the state that follows from the values chosen.
func (c *Checker) isCheckpoint(p control.Checkpoint) {
	k := &c.checkpoints
	k.complete++
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
		r, err := learner.NewReplay(learner.Config{Membership: c.members, Knows: control.Level}, nil)
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
