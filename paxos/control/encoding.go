package control

import (
	"encoding/binary"
	"fmt"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/rights"
)

// The kinds of commands. Their values are part of the stored format.
const (
	kindGenesis = 1
	kindMark    = 2
	kindChunk   = 3
	kindClose   = 4
	kindConfirm = 5
	kindTrim    = 6
	kindRaise   = 7
	kindChained = 9 // a Close that has a chain
	// From LevelRetention on:
	kindSetRetention  = 10
	kindCloseMeasured = 11 // a Close with Bytes, and with a chain
	kindAlpha         = 20
	kindChange        = 21
	kindSetRoster     = 22
	kindSetGrant      = 30
	kindSetHold       = 40
	kindAdjust        = 50
)

// maxID bounds an id that is decoded, in bytes.
const maxID = 64

func (Genesis) kind() byte { return kindGenesis }
func (Mark) kind() byte    { return kindMark }
func (Chunk) kind() byte   { return kindChunk }
func (Confirm) kind() byte { return kindConfirm }
func (Trim) kind() byte    { return kindTrim }
func (Raise) kind() byte   { return kindRaise }
func (Alpha) kind() byte   { return kindAlpha }
func (Change) kind() byte  { return kindChange }

func (SetRoster) kind() byte { return kindSetRoster }

func (c Close) kind() byte {
	switch {
	case c.Bytes > 0:
		return kindCloseMeasured
	case c.Chain.IsZero():
		return kindClose
	}
	return kindChained
}

// Batch is the value that carries c.
func Batch(c Command) []byte {
	body := c.appendTo([]byte{c.kind()})
	b := binary.AppendUvarint([]byte{byte(paxos.RunControl)}, uint64(len(body)))
	return append(b, body...)
}

// Parse returns the command of a control value. Its error wraps ErrUnknown: what is not
// in the one form that Batch makes is not known either, and nobody may skip it.
func Parse(batch []byte) (Command, error) {
	if !paxos.IsControl(batch) {
		return nil, fmt.Errorf("%w: it is no control value", ErrUnknown)
	}
	d := decoder{paxos.Canonical{Rest: batch[1:]}}
	n := d.Number()
	if d.Bad || n != uint64(len(d.Rest)) || n == 0 {
		return nil, fmt.Errorf("%w: %d bytes, of which it says to be %d", ErrUnknown, len(d.Rest), n)
	}
	kind := d.Rest[0]
	d.Rest = d.Rest[1:]
	var c Command
	switch kind {
	case kindGenesis:
		c = d.genesis()
	case kindMark:
		c = Mark{Learners: d.ids()}
	case kindChunk:
		c = d.chunk()
	case kindClose:
		c = d.close()
	case kindChained:
		c = d.chained()
	case kindCloseMeasured:
		c = d.measured()
	case kindConfirm:
		c = d.confirm()
	case kindTrim:
		c = d.trim()
	case kindRaise:
		c = d.raise()
	case kindSetRetention:
		c = SetRetention{d.retention()}
	case kindAlpha:
		c = d.alpha()
	case kindChange:
		c = Change{configuration.ReadChange(&d.Canonical)}
	case kindSetGrant:
		c = SetGrant{rights.ReadPermission(&d.Canonical)}
	case kindSetRoster:
		c = d.roster()
	case kindSetHold:
		c = SetHold{d.hold()}
	case kindAdjust:
		c = d.adjust()
	default:
		return nil, fmt.Errorf("%w: kind %d", ErrUnknown, kind)
	}
	if !d.Whole() {
		return nil, fmt.Errorf("%w: kind %d in another form than this version writes", ErrUnknown, kind)
	}
	return c, nil
}

func (g Genesis) appendTo(b []byte) []byte {
	b = append(b, g.Log[:]...)
	b = binary.AppendUvarint(b, g.Level)
	b = binary.BigEndian.AppendUint64(b, uint64(g.Time))
	b = binary.AppendUvarint(b, g.Sessions)
	return g.Descent.appendTo(appendConfiguration(b, g.Config), g.Level)
}

func (d *decoder) genesis() Genesis {
	g := Genesis{Log: d.logID(), Level: d.Number(), Time: paxos.UnixNanos(d.Fixed()), Sessions: d.Number(), Config: d.configuration()}
	g.Descent = d.descent(g.Level)
	d.Bad = d.Bad || g.Log.IsZero() || g.Level == 0 || g.Sessions == 0
	return g
}

// appendConfiguration appends the first configuration of a log, whose addresses are in the
// cluster file.
func appendConfiguration(b []byte, c Configuration) []byte {
	for _, n := range []uint64{c.Epoch, c.Phase1, c.Phase2, uint64(len(c.Acceptors))} {
		b = binary.AppendUvarint(b, n)
	}
	for _, a := range c.Acceptors {
		b = binary.BigEndian.AppendUint64(appendID(b, a.ID), a.Incarnation)
	}
	return b
}

func (d *decoder) configuration() Configuration {
	c := Configuration{Epoch: d.Number(), Phase1: d.Number(), Phase2: d.Number()}
	n := d.Number()
	if d.Bad = d.Bad || n > paxos.MaxAcceptors || c.Phase1 > n || c.Phase2 > n; d.Bad {
		return c
	}
	for range n {
		c.Acceptors = append(c.Acceptors, Acceptor{ID: d.id(), Incarnation: d.Fixed()})
	}
	d.Bad = d.Bad || c.Valid() != nil
	return c
}

// Encode is s in the one form that it has at its level, "" if it is the zero State.
func (s State) Encode() paxos.Encoded {
	if s.Level == 0 {
		return ""
	}
	b := binary.AppendUvarint(nil, s.Level)
	b = append(b, s.Log[:]...)
	b = binary.AppendUvarint(b, uint64(s.Since))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Begun))
	b = binary.AppendUvarint(b, s.Sessions)
	b = appendConfiguration(b, s.Config)
	b = s.Under.appendTo(binary.AppendUvarint(b, uint64(s.At)))
	b = binary.AppendUvarint(b, uint64(len(s.Complete)))
	for _, c := range s.Complete {
		b = c.appendTo(b)
	}
	b = binary.AppendUvarint(s.Base.appendTo(b), uint64(s.FirstIndex))
	if b = s.appendMeasures(s.appendChains(s.Descent.appendTo(b, s.Level))); s.Level >= LevelMembers {
		b = s.Members.AppendTo(b)
	}
	b = s.appendGrants(b)
	if s.Level >= LevelRoster {
		b = s.Roster.AppendTo(b)
	}
	return paxos.Encoded(s.appendSettings(s.appendHolds(b)))
}

// Decode returns the state that Encode made e of. Its error wraps ErrUnknown: who knows levels
// up to knows cannot tell what the state of a higher one means.
func Decode(e paxos.Encoded, knows uint64) (State, error) {
	if e == "" {
		return State{}, nil
	}
	d := decoder{paxos.Canonical{Rest: []byte(e)}}
	s := State{Level: d.Number()}
	if !d.Bad && s.Level > knows {
		return State{}, fmt.Errorf("%w: the log has level %d, and this version knows level %d: use a newer version of paxlog", ErrUnknown, s.Level, knows)
	}
	s.Log, s.Since, s.Begun = d.logID(), paxos.Instance(d.Number()), paxos.UnixNanos(d.Fixed())
	s.Sessions, s.Config = d.Number(), d.configuration()
	d.checkpoints(&s)
	s.Descent = d.descent(s.Level)
	d.chains(&s)
	d.measures(&s)
	if s.Members = configuration.Begin(s.Config); s.Level >= LevelMembers {
		s.Members = configuration.ReadHistory(&d.Canonical, s.Config)
	}
	d.grants(&s)
	if s.Level >= LevelRoster {
		s.Roster = configuration.ReadRoster(&d.Canonical)
	}
	d.holds(&s)
	d.settings(&s)
	if !d.Whole() || s.Level == 0 || s.Log.IsZero() || s.Since == 0 || s.Sessions == 0 || s.Descent.last() >= s.Since || s.Members.At > s.At {
		return State{}, fmt.Errorf("%w: a log's state in another form than this version writes", ErrUnknown)
	}
	return s, nil
}

// checkpoints reads what a state says of checkpoints.
func (d *decoder) checkpoints(s *State) {
	s.At, s.Under = paxos.Instance(d.Number()), d.underway()
	n := d.Number()
	if d.Bad = d.Bad || n > maxComplete || s.At < s.Since || s.Under.T > s.At; d.Bad {
		return
	}
	last := paxos.Instance(0)
	all := make([]Checkpoint, 0, n)
	for range n {
		c := d.checkpoint()
		if d.Bad = d.Bad || c.T <= last || c.To > s.At; d.Bad {
			return
		}
		last = c.To
		all = append(all, c)
	}
	if n > 0 {
		s.Complete = all
	}
	s.Base, s.FirstIndex = d.checkpoint(), paxos.Index(d.Number())
	d.Bad = d.Bad || s.FirstIndex < 1 || s.Base.T != 0 && (s.FirstIndex < s.Base.Next || n == 0)
}

// decoder reads what the append methods wrote.
type decoder struct{ paxos.Canonical }

func (d *decoder) logID() (id paxos.LogID) {
	copy(id[:], d.Take(uint64(len(id))))
	return id
}

func (d *decoder) id() paxos.NodeID {
	n := d.Number()
	if n == 0 || n > maxID {
		d.Bad = true
		return ""
	}
	return paxos.NodeID(d.Take(n))
}
