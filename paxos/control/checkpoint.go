package control

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// Mark asks for a checkpoint of the state that learners have after Mark's own instance T. It
// gives up an older one that is not complete. Learners are those that may send and confirm
// it, in the order in which they do.
type Mark struct{ Learners []paxos.NodeID }

// Chunk is a part of the checkpoint of T. It counts if it begins where the parts before it
// end; else nobody takes it. So two learners may send the same checkpoint.
type Chunk struct {
	T      paxos.Instance
	Offset uint64
	Bytes  string
}

// Close says that the chunks of T are all there, and what they come to: By has such a state
// at T, of which Next is the index of the next entry, and Time the time of the log.
type Close struct {
	T     paxos.Instance
	Size  uint64
	Sum   Sum
	Next  paxos.Index
	Time  paxos.UnixNanos
	By    paxos.NodeID
	Bytes uint64 // of the values up to T, counted from LevelRetention on

	Chain paxos.Chain // of T; zero, as in the older form, if it has none
}

// Confirm says that By has the state at T that was closed with Sum, and that the chunks in
// the log are that state.
type Confirm struct {
	T   paxos.Instance
	Sum Sum
	By  paxos.NodeID
}

// Sum is the SHA-256 of a checkpoint.
type Sum [sha256.Size]byte

// Underway is the checkpoint that is being made; its T is 0 if none is.
type Underway struct {
	T        paxos.Instance
	Learners []paxos.NodeID
	From     paxos.Instance // of the first chunk that counts, 0 if there is none yet
	Offset   uint64         // of the next one
	By       paxos.NodeID   // who closed it, "" if nobody has
	Closed   Checkpoint     // what it will be if it is confirmed
}

// Checkpoint is a complete one: the chunks between the instances From and To, those that
// count, are the state of learners after instance T.
type Checkpoint struct {
	T        paxos.Instance
	From, To paxos.Instance // To is of Close
	Size     uint64
	Sum      Sum
	Next     paxos.Index     // of the first entry above T
	Time     paxos.UnixNanos // of the log at T
	Chain    paxos.Chain     // of T, zero if it has none
	Bytes    uint64          // of the values up to T, counted from LevelRetention on
}

// Trim asks that entries below To are kept no more.
type Trim struct{ To paxos.Index }

// trim takes a Trim.
func (s State) trim(c Trim) State {
	s.FirstIndex = max(s.FirstIndex, min(c.To, s.Newest().Next, s.Holds.Lowest()))
	n := 0
	for n < len(s.Complete) && s.Complete[n].Next <= s.FirstIndex {
		n++
	}
	if n > 0 {
		s.Base, s.Complete = s.Complete[n-1], s.Complete[n-1:]
	}
	return s
}

// FirstInstance is the first instance that is kept.
func (s State) FirstInstance() paxos.Instance { return s.Base.T + 1 }

func (c Trim) appendTo(b []byte) []byte { return binary.AppendUvarint(b, uint64(c.To)) }

func (d *decoder) trim() Trim {
	c := Trim{To: paxos.Index(d.Number())}
	d.Bad = d.Bad || c.To == 0
	return c
}

// maxComplete bounds the complete checkpoints that are kept in mind. Beyond it every second
// one is forgotten: the newest stays, and the others lie further apart.
const maxComplete = 16

// MaxCheckpoint bounds the size of a checkpoint, in bytes: 16 million sessions.
const MaxCheckpoint = 1 << 30

// maxLearners bounds the learners that a Mark names.
const maxLearners = 64

// chunk takes a chunk that was chosen at i.
func (u Underway) chunk(i paxos.Instance, c Chunk) Underway {
	if u.T != c.T || u.By != "" || u.Offset != c.Offset || u.Offset+uint64(len(c.Bytes)) > MaxCheckpoint {
		return u
	}
	if u.From == 0 {
		u.From = i
	}
	u.Offset += uint64(len(c.Bytes))
	return u
}

// close takes a Close that was chosen at i.
func (u Underway) close(i paxos.Instance, c Close) Underway {
	if u.T == c.T && u.By == "" && u.Offset == c.Size && slices.Contains(u.Learners, c.By) {
		u.By = c.By
		u.Closed = Checkpoint{T: u.T, From: u.From, To: i, Size: c.Size, Sum: c.Sum, Next: c.Next, Time: c.Time, Chain: c.Chain, Bytes: c.Bytes}
	}
	return u
}

// confirms reports whether c makes the checkpoint complete. The word of one learner does not,
// unless there is no other one: then it has computed the state a second time by then.
func (u Underway) confirms(c Confirm) bool {
	return u.T == c.T && u.By != "" && u.Closed.Sum == c.Sum && slices.Contains(u.Learners, c.By) &&
		(c.By != u.By || len(u.Learners) == 1)
}

// complete notes that a checkpoint is complete.
func (s State) complete(c Checkpoint) State {
	all := append(slices.Clone(s.Complete), c)
	if n := len(all); n > maxComplete {
		kept := all[:0]
		for k := range all {
			if (n-1-k)%2 == 0 || all[k] == s.Base {
				kept = append(kept, all[k])
			}
		}
		all = kept
	}
	s.Complete, s.Under = all, Underway{}
	return s
}

// Newest is the newest complete checkpoint; its T is 0 if there is none.
func (s State) Newest() Checkpoint {
	if n := len(s.Complete); n > 0 {
		return s.Complete[n-1]
	}
	return Checkpoint{}
}

// Chunks collects the chunks of one checkpoint out of the values of the log.
type Chunks struct {
	of    Checkpoint
	next  paxos.Instance
	bytes []byte
}

// NewChunks collects those of c.
func NewChunks(c Checkpoint) *Chunks { return &Chunks{of: c, next: c.From} }

// Next is the instance of the value that Add expects, and whether one is missing.
func (c *Chunks) Next() (paxos.Instance, bool) { return c.next, c.next <= c.of.To }

// Add takes the value chosen at Next.
func (c *Chunks) Add(batch []byte) {
	c.next++
	if !paxos.IsControl(batch) {
		return
	}
	cmd, err := Parse(batch)
	k, ok := cmd.(Chunk)
	// No more than was closed: who shows a checkpoint may show values without an end.
	if err == nil && ok && k.T == c.of.T && k.Offset == uint64(len(c.bytes)) && k.Offset+uint64(len(k.Bytes)) <= c.of.Size {
		c.bytes = append(c.bytes, k.Bytes...)
	}
}

// Bytes returns the checkpoint once nothing is missing, and whether it is what was closed.
func (c *Chunks) Bytes() ([]byte, bool) {
	return c.bytes, uint64(len(c.bytes)) == c.of.Size && sha256.Sum256(c.bytes) == c.of.Sum
}

func (m Mark) appendTo(b []byte) []byte { return appendIDs(b, m.Learners) }

func (c Chunk) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(c.T))
	b = binary.AppendUvarint(b, c.Offset)
	return append(b, c.Bytes...)
}

func (d *decoder) chunk() Chunk {
	c := Chunk{T: paxos.Instance(d.Number()), Offset: d.Number()}
	c.Bytes = string(d.Take(uint64(len(d.Rest))))
	d.Bad = d.Bad || c.T == 0 || c.Bytes == "" || c.Offset > MaxCheckpoint
	return c
}

func (c Close) appendTo(b []byte) []byte {
	if c.Bytes > 0 {
		b = binary.AppendUvarint(b, c.Bytes)
	}
	for _, n := range []uint64{uint64(c.T), c.Size, uint64(c.Next)} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(c.Time))
	b = appendID(append(b, c.Sum[:]...), c.By)
	if c.Bytes > 0 || !c.Chain.IsZero() {
		b = append(b, c.Chain[:]...)
	}
	return b
}

func (d *decoder) close() Close {
	c := Close{T: paxos.Instance(d.Number()), Size: d.Number(), Next: paxos.Index(d.Number()), Time: paxos.UnixNanos(d.Fixed())}
	c.Sum, c.By = d.sum(), d.id()
	d.Bad = d.Bad || c.T == 0 || c.Size == 0 || c.Next == 0
	return c
}

func (c Confirm) appendTo(b []byte) []byte {
	return appendID(append(binary.AppendUvarint(b, uint64(c.T)), c.Sum[:]...), c.By)
}

func (d *decoder) confirm() Confirm {
	c := Confirm{T: paxos.Instance(d.Number()), Sum: d.sum(), By: d.id()}
	d.Bad = d.Bad || c.T == 0
	return c
}

// A checkpoint: its numbers, time and sum; nothing but a zero if there is none.
func (c Checkpoint) appendTo(b []byte) []byte {
	if c.T == 0 {
		return binary.AppendUvarint(b, 0)
	}
	for _, n := range []uint64{uint64(c.T), uint64(c.From), uint64(c.To), c.Size, uint64(c.Next)} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(c.Time))
	return append(b, c.Sum[:]...)
}

func (d *decoder) checkpoint() Checkpoint {
	c := Checkpoint{T: paxos.Instance(d.Number())}
	if c.T == 0 {
		return c
	}
	c.From, c.To = paxos.Instance(d.Number()), paxos.Instance(d.Number())
	c.Size, c.Next, c.Time, c.Sum = d.Number(), paxos.Index(d.Number()), paxos.UnixNanos(d.Fixed()), d.sum()
	d.Bad = d.Bad || c.From <= c.T || c.To <= c.From || c.Size == 0 || c.Size > MaxCheckpoint || c.Next == 0
	return c
}

// What is under way: nothing but a zero if nothing is.
func (u Underway) appendTo(b []byte) []byte {
	if b = binary.AppendUvarint(b, uint64(u.T)); u.T == 0 {
		return b
	}
	b = binary.AppendUvarint(binary.AppendUvarint(appendIDs(b, u.Learners), uint64(u.From)), u.Offset)
	if b = u.Closed.appendTo(b); u.Closed.T != 0 {
		b = appendID(b, u.By)
	}
	return b
}

func (d *decoder) underway() Underway {
	u := Underway{T: paxos.Instance(d.Number())}
	if u.T == 0 {
		return u
	}
	u.Learners, u.From, u.Offset, u.Closed = d.ids(), paxos.Instance(d.Number()), d.Number(), d.checkpoint()
	d.Bad = d.Bad || (u.From == 0) != (u.Offset == 0) || u.From != 0 && u.From <= u.T || u.Offset > MaxCheckpoint
	if u.Closed.T != 0 {
		u.By = d.id()
		d.Bad = d.Bad || u.Closed.T != u.T || u.Closed.From != u.From || u.Closed.Size != u.Offset || !slices.Contains(u.Learners, u.By)
	}
	return u
}

func (d *decoder) sum() (s Sum) {
	copy(s[:], d.Take(uint64(len(s))))
	return s
}

func appendID(b []byte, id paxos.NodeID) []byte {
	return append(binary.AppendUvarint(b, uint64(len(id))), id...)
}

func appendIDs(b []byte, ids []paxos.NodeID) []byte {
	b = binary.AppendUvarint(b, uint64(len(ids)))
	for _, id := range ids {
		b = appendID(b, id)
	}
	return b
}

// ids reads a list of ids that has at least one.
func (d *decoder) ids() (ids []paxos.NodeID) {
	n := d.Number()
	if d.Bad = d.Bad || n == 0 || n > maxLearners; d.Bad {
		return nil
	}
	for range n {
		ids = append(ids, d.id())
	}
	return ids
}
