package configuration

import (
	"encoding/binary"

	"github.com/paxlog/paxlog/paxos"
)

// maxText bounds an id or an address that is decoded, in bytes.
const maxText = 300

// AppendTo appends c in its one form.
func (c Configuration) AppendTo(b []byte) []byte {
	for _, n := range []uint64{c.Epoch, c.Phase1, c.Phase2, uint64(len(c.Acceptors))} {
		b = binary.AppendUvarint(b, n)
	}
	for _, a := range c.Acceptors {
		b = appendText(appendAcceptor(b, a), a.Addr)
	}
	return b
}

func appendAcceptor(b []byte, a Acceptor) []byte {
	return binary.BigEndian.AppendUint64(appendText(b, string(a.ID)), a.Incarnation)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// Read reads what AppendTo wrote.
func Read(d *paxos.Canonical) Configuration {
	c := Configuration{Epoch: d.Number(), Phase1: d.Number(), Phase2: d.Number()}
	n := d.Number()
	if d.Bad = d.Bad || n > paxos.MaxAcceptors || c.Phase1 > n || c.Phase2 > n; d.Bad {
		return Configuration{}
	}
	for range n {
		a := readAcceptor(d)
		a.Addr = readText(d)
		c.Acceptors = append(c.Acceptors, a)
	}
	d.Bad = d.Bad || c.Valid() != nil
	return c
}

func readAcceptor(d *paxos.Canonical) Acceptor {
	a := Acceptor{ID: paxos.NodeID(readText(d))}
	a.Incarnation = d.Fixed()
	d.Bad = d.Bad || a.ID == ""
	return a
}

func readText(d *paxos.Canonical) string {
	n := d.Number()
	if d.Bad = d.Bad || n > maxText; d.Bad {
		return ""
	}
	return string(d.Take(n))
}

// AppendTo appends x in its one form.
func (x Change) AppendTo(b []byte) []byte {
	return appendText(x.Config.AppendTo(b), string(x.Replaces))
}

// ReadChange reads what AppendTo wrote.
func ReadChange(d *paxos.Canonical) Change {
	x := Change{Config: Read(d)}
	x.Replaces = paxos.NodeID(readText(d))
	return x
}

// AppendTo appends h in its one form, which does not tell Now before the first change: that is
// known from elsewhere.
func (h *History) AppendTo(b []byte) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(h.Alpha)), uint64(h.At))
	if h.At == 0 {
		return b
	}
	b = binary.AppendUvarint(b, uint64(h.Since))
	b = appendText(h.Now.AppendTo(h.Before.AppendTo(b)), string(h.Replaced))
	b = binary.AppendUvarint(b, uint64(len(h.Gone)))
	for _, a := range h.Gone {
		b = appendText(appendAcceptor(b, a), a.Addr)
	}
	return b
}

// ReadHistory reads what AppendTo wrote of the history of a log whose first configuration is
// first.
func ReadHistory(d *paxos.Canonical, first Configuration) History {
	h := Begin(first)
	h.Alpha, h.At = paxos.Instance(d.Number()), paxos.Instance(d.Number())
	if d.Bad = d.Bad || h.Alpha > MaxAlpha; d.Bad || h.At == 0 {
		return h
	}
	h.Since, h.From = paxos.Instance(d.Number()), h.At+h.Alpha
	h.Before, h.Now = Read(d), Read(d)
	h.Replaced = paxos.NodeID(readText(d))
	n := d.Number()
	if d.Bad = d.Bad || n > maxGone || h.Alpha == 0 || h.Since > h.At || h.Now.Epoch != h.Before.Epoch+1; d.Bad {
		return History{}
	}
	for range n {
		a := readAcceptor(d)
		a.Addr = readText(d)
		h.Gone = append(h.Gone, a)
	}
	d.Bad = d.Bad || (Change{Config: h.Now, Replaces: h.Replaced}).follows(h.Before) != nil
	return h
}
