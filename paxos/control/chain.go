package control

import "github.com/paxlog/paxlog/paxos"

// ChainLevel is the level from which on values have a chain (paxos.Chain), and a state that is
// closed has that of its instance; package learner says what for. The first one is that of
// the instance whose command makes the level so high. Before it the chain is zero.
const ChainLevel = 3

// chained reads a Close of a state that has a chain. One without it is of the older kind,
// which Marks of a lower level need.
func (d *decoder) chained() Close {
	c := d.close()
	c.Chain = d.chain()
	d.Bad = d.Bad || c.Chain.IsZero()
	return c
}

// appendChains appends the chains of the checkpoints of s, as Encode has the checkpoints.
func (s *State) appendChains(b []byte) []byte {
	if s.Level < ChainLevel {
		return b
	}
	if s.Under.Closed.T != 0 {
		b = append(b, s.Under.Closed.Chain[:]...)
	}
	for i := range s.Complete {
		b = append(b, s.Complete[i].Chain[:]...)
	}
	if s.Base.T != 0 {
		b = append(b, s.Base.Chain[:]...)
	}
	return b
}

// chains reads what appendChains wrote.
func (d *decoder) chains(s *State) {
	if d.Bad || s.Level < ChainLevel {
		return
	}
	if s.Under.Closed.T != 0 {
		s.Under.Closed.Chain = d.chain()
	}
	for i := range s.Complete {
		s.Complete[i].Chain = d.chain()
	}
	if s.Base.T != 0 {
		s.Base.Chain = d.chain()
	}
}

func (d *decoder) chain() (c paxos.Chain) {
	copy(c[:], d.Take(uint64(len(c))))
	return c
}
