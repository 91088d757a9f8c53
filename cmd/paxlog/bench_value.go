package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	mathrand "math/rand/v2"
)

// benchPool is how many random bytes values are cut from: more than any
// compressor on the way looks back, so that repeats do not flatter.
const benchPool = 4 << 20

// benchStamp is how many bytes at the front of a value say whose it is.
const benchStamp = 16

// benchValues makes the values of one run. The same client and number give the
// same value, so a value can be verified without being kept.
type benchValues struct {
	run  uint64 // tells the values of this run from those of others
	size int
	pool []byte
}

func newBenchValues(size int) (*benchValues, error) {
	var seed [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, err
	}
	v := &benchValues{run: binary.LittleEndian.Uint64(seed[:]), size: size, pool: make([]byte, benchPool+size)}
	_, err := mathrand.NewChaCha8(seed).Read(v.pool)
	return v, err
}

// fill makes value n of a client in dst, which has room for it.
func (v *benchValues) fill(dst []byte, client int, n uint64) []byte {
	dst = dst[:v.size]
	whose := uint64(client)<<40 | n
	at := (whose * 0x9e3779b97f4a7c15) >> 32 % benchPool
	copy(dst, v.pool[at:])
	var stamp [benchStamp]byte
	binary.LittleEndian.PutUint64(stamp[:], whose)
	binary.LittleEndian.PutUint64(stamp[8:], v.run)
	copy(dst, stamp[:])
	return dst
}

// ours reports whether a value was made by this run. Short ones do not tell.
func (v *benchValues) ours(value []byte) bool {
	return len(value) >= benchStamp && binary.LittleEndian.Uint64(value[8:]) == v.run
}

// is reports whether value is value n of a client; scratch has room for one.
func (v *benchValues) is(value, scratch []byte, client int, n uint64) bool {
	return bytes.Equal(value, v.fill(scratch, client, n))
}
