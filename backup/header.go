package backup

import (
	"encoding/binary"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// Header says what a backup is of. Counts and the end are in End.
type Header struct {
	Cluster   string
	Source    paxos.NodeID // the process that it was made from
	Log       paxos.LogID  // zero if the log has no id
	Sessions  uint64       // remembered by learners of that cluster
	Ancestors []control.Ancestor
	After     paxos.Instance // its values are those of the instances after this one
	To        paxos.Instance // up to this one
	First     paxos.Index    // of the first entry, if there is one
	Since     Sum            // the last sum of the backup that it goes on from, zero if it does not
}

// End says what a backup held.
type End struct {
	Instances uint64 // values
	Entries   uint64
	Bytes     uint64 // of values
	Last      paxos.Index
	Time      paxos.UnixNanos // of the log
}

const (
	maxName      = 256
	maxAncestors = 1024
)

func (h Header) encode() []byte {
	b := appendText(nil, h.Cluster)
	b = appendText(b, string(h.Source))
	b = append(b, h.Log[:]...)
	for _, n := range []uint64{h.Sessions, uint64(h.After), uint64(h.To), uint64(h.First), uint64(len(h.Ancestors))} {
		b = binary.AppendUvarint(b, n)
	}
	for _, a := range h.Ancestors {
		b = binary.AppendUvarint(append(b, a.Log[:]...), uint64(a.Last))
	}
	return append(b, h.Since[:]...)
}

func decodeHeader(b []byte) (Header, error) {
	d := paxos.Canonical{Rest: b}
	h := Header{Cluster: text(&d), Source: paxos.NodeID(text(&d))}
	copy(h.Log[:], d.Take(uint64(len(h.Log))))
	h.Sessions = d.Number()
	h.After, h.To, h.First = paxos.Instance(d.Number()), paxos.Instance(d.Number()), paxos.Index(d.Number())
	n := d.Number()
	if d.Bad || n > maxAncestors {
		return h, damaged("its header cannot be read")
	}
	for range n {
		var a control.Ancestor
		copy(a.Log[:], d.Take(uint64(len(a.Log))))
		if a.Last = paxos.Instance(d.Number()); d.Bad {
			break
		}
		h.Ancestors = append(h.Ancestors, a)
	}
	copy(h.Since[:], d.Take(uint64(len(h.Since))))
	if !d.Whole() || h.Cluster == "" || h.Sessions == 0 || h.To < h.After || h.First == 0 {
		return h, damaged("its header cannot be read")
	}
	return h, nil
}

func (e End) encode() []byte {
	var b []byte
	for _, n := range []uint64{e.Instances, e.Entries, e.Bytes, uint64(e.Last)} {
		b = binary.AppendUvarint(b, n)
	}
	return binary.BigEndian.AppendUint64(b, uint64(e.Time))
}

func decodeEnd(b []byte) (End, error) {
	d := paxos.Canonical{Rest: b}
	e := End{Instances: d.Number(), Entries: d.Number(), Bytes: d.Number(), Last: paxos.Index(d.Number()), Time: paxos.UnixNanos(d.Fixed())}
	if !d.Whole() {
		return e, damaged("its end cannot be read")
	}
	return e, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func text(d *paxos.Canonical) string {
	n := d.Number()
	if n > maxName {
		d.Bad = true
		return ""
	}
	return string(d.Take(n))
}

// appendValueHead encodes all of a value but its batch.
func appendValueHead(b []byte, i paxos.Instance, v *paxos.Value) []byte {
	b = binary.AppendUvarint(b, uint64(i))
	b = binary.AppendUvarint(b, v.Origin.Round)
	b = binary.BigEndian.AppendUint64(b, v.Origin.Process)
	b = appendText(b, string(v.Origin.Proposer))
	return binary.BigEndian.AppendUint64(b, uint64(v.Time))
}

// decodeValue decodes a value, whose batch aliases b.
func decodeValue(b []byte) (i paxos.Instance, v paxos.Value, err error) {
	d := paxos.Canonical{Rest: b}
	i = paxos.Instance(d.Number())
	v.Origin = paxos.Ballot{Round: d.Number(), Process: d.Fixed(), Proposer: paxos.NodeID(text(&d))}
	v.Time = paxos.UnixNanos(d.Fixed())
	v.Batch = d.Take(uint64(len(d.Rest)))
	if d.Bad || i == 0 || v.Time >= paxos.Bound {
		return 0, v, damaged("a value cannot be read")
	}
	return i, v, nil
}
