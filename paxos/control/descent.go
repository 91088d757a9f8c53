package control

import (
	"encoding/binary"

	"github.com/paxlog/paxlog/paxos"
)

// Descent says what a log was restored from; the zero Descent is that of a log that was not.
//
// # A restored log
//
// A log that is restored from a backup is another log, with an id of its own: the one that
// the backup is of may live on. Its entries have the indexes, times, ballots and append ids that
// they had. Its instances are its own, in a generation of instances above that of its ancestor.
// So where a session was born tells of which log it is: below Since it is an ancestor's. Those
// go on nowhere here (their births are below the floor, too), and what became of their commands
// is known as far as the entries show. What is not among them the ancestor may have appended
// later: nobody says that it never was.
//
// A restored log begins as one that was trimmed up to a checkpoint of a state without entries
// and sessions: its first instances are that checkpoint, and then come the values of the
// ancestor, with nothing but the commands that had been applied there. Learners apply them as
// they stand, without asking whether their sessions may go on. So everybody who begins with
// nothing comes to the same log in the ways that there are for a trimmed one.
//
// Instances of two logs that were restored from the same backup are of one generation: an
// append id of one is told from those of the other by the random bits only.
type Descent struct {
	First     paxos.Index    // of the entries that were restored
	Upto      paxos.Instance // values up to this instance are of ancestors
	Ancestors []Ancestor     // the oldest first
}

// Ancestor is a log, and the last instance of it that was restored. A log of level 0 has no id.
type Ancestor struct {
	Log  paxos.LogID
	Last paxos.Instance
}

// Generation is how many instances a log has before one that is restored from it begins its
// own: those of 30 years with ten thousand a second. Up to MaxInstance there is room for
// hundreds of them.
const Generation paxos.Instance = 1e13

// maxInstance is the last instance at which a restored log may begin. Numbers above it are
// rounded where numbers are floats, as in JavaScript.
const maxInstance paxos.Instance = 1 << 53

// ancestorsLevel is the first level in which a log may have ancestors.
const ancestorsLevel = 2

// maxAncestors bounds the ancestors that are listed; of more the newest stay.
const maxAncestors = 64

// generationOf is the instance with which the generation of i begins.
func generationOf(i paxos.Instance) paxos.Instance { return i / Generation * Generation }

// Descend returns the Descent of a log that is restored from the log of s, of which last is the
// last instance restored and first the index of the first entry; Upto is not set. It also
// returns the instance at which that log begins, 0 if there is none left.
func (s State) Descend(last paxos.Instance, first paxos.Index) (d Descent, since paxos.Instance) {
	d = Descent{First: first, Ancestors: append(append([]Ancestor{}, s.Descent.Ancestors...), Ancestor{s.Log, last})}
	if n := len(d.Ancestors); n > maxAncestors {
		d.Ancestors = d.Ancestors[n-maxAncestors:]
	}
	if since = generationOf(last) + Generation; since > maxInstance {
		return d, 0
	}
	return d, since
}

// AncestorOf returns the ancestor of which a session that was born at an instance is. Its
// Log is zero if that had no id.
func (s *State) AncestorOf(birth paxos.Instance) (paxos.LogID, bool) {
	if birth >= s.Since {
		return paxos.LogID{}, false
	}
	for k := len(s.Descent.Ancestors) - 1; k >= 0; k-- {
		if a := s.Descent.Ancestors[k]; birth >= generationOf(a.Last) {
			return a.Log, true
		}
	}
	return paxos.LogID{}, len(s.Descent.Ancestors) > 0
}

// last is the last instance of the newest ancestor, 0 if there is none.
func (d Descent) last() paxos.Instance {
	if n := len(d.Ancestors); n > 0 {
		return d.Ancestors[n-1].Last
	}
	return 0
}

// A Descent: the ancestors, and if there are any the rest. Levels below ancestorsLevel have none.
func (d Descent) appendTo(b []byte, level uint64) []byte {
	if level < ancestorsLevel {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(d.Ancestors)))
	if len(d.Ancestors) == 0 {
		return b
	}
	for _, a := range d.Ancestors {
		b = binary.AppendUvarint(append(b, a.Log[:]...), uint64(a.Last))
	}
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(d.First)), uint64(d.Upto))
}

func (d *decoder) descent(level uint64) (x Descent) {
	if level < ancestorsLevel || d.Bad {
		return x
	}
	n := d.Number()
	if d.Bad = d.Bad || n > maxAncestors; d.Bad || n == 0 {
		return x
	}
	last := paxos.Instance(0)
	for k := range n {
		a := Ancestor{d.logID(), paxos.Instance(d.Number())}
		if d.Bad = d.Bad || k > 0 && generationOf(a.Last) <= generationOf(last); d.Bad {
			return Descent{}
		}
		last = a.Last
		x.Ancestors = append(x.Ancestors, a)
	}
	x.First, x.Upto = paxos.Index(d.Number()), paxos.Instance(d.Number())
	d.Bad = d.Bad || x.First == 0 || x.Upto <= last
	return x
}
