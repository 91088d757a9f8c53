package paxos

import "encoding/binary"

// Canonical reads an encoding that has one form only, so that equal things have equal bytes
// and one hash: numbers are the shortest uvarints, below Bound, and nothing follows. After a
// failure it returns zeros; Bad tells. Who reads sets Bad, too, where values contradict each
// other.
type Canonical struct {
	Rest []byte // not read yet
	Bad  bool
}

// Take returns the next n bytes, which alias what is read.
func (c *Canonical) Take(n uint64) []byte {
	if n > uint64(len(c.Rest)) {
		c.fail()
		return nil
	}
	t := c.Rest[:n:n]
	c.Rest = c.Rest[n:]
	return t
}

// Number reads a uvarint.
func (c *Canonical) Number() uint64 {
	v, n := binary.Uvarint(c.Rest)
	if n <= 0 || n > 1 && c.Rest[n-1] == 0 || v >= Bound {
		c.fail()
		return 0
	}
	c.Rest = c.Rest[n:]
	return v
}

// Fixed reads 8 bytes, big endian: a number that may have any value.
func (c *Canonical) Fixed() uint64 {
	if t := c.Take(8); t != nil {
		return binary.BigEndian.Uint64(t)
	}
	return 0
}

// Whole reports whether all was read, and is as it must be.
func (c *Canonical) Whole() bool { return !c.Bad && len(c.Rest) == 0 }

func (c *Canonical) fail() { c.Bad, c.Rest = true, nil }
