package load

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	mathrand "math/rand/v2"
)

// poolBytes is how many random bytes values are cut from: more than any
// compressor on the way looks back, so that repeats do not flatter.
const poolBytes = 4 << 20

// stampBytes is how many bytes at the front of a value say whose it is.
const stampBytes = 16

// Values makes the values of one run. The same client and number give the
// same value, so a value can be verified without being kept.
type Values struct {
	run  uint64 // tells the values of this run from those of others
	size int
	pool []byte
}

// NewValues makes values of size bytes.
func NewValues(size int) (*Values, error) {
	var seed [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, err
	}
	v := &Values{run: binary.LittleEndian.Uint64(seed[:]), size: size, pool: make([]byte, poolBytes+size)}
	_, err := mathrand.NewChaCha8(seed).Read(v.pool)
	return v, err
}

// Fill makes the value of a place: Config.Fill.
func (v *Values) Fill(dst []byte, p Place) []byte { return v.fill(dst, p.Client, p.N) }

// fill makes value n of a client in dst.
func (v *Values) fill(dst []byte, client int, n uint64) []byte {
	if dst == nil {
		dst = make([]byte, v.size)
	}
	whose := uint64(client)<<40 | n
	at := (whose * 0x9e3779b97f4a7c15) >> 32 % poolBytes
	copy(dst, v.pool[at:])
	var stamp [stampBytes]byte
	binary.LittleEndian.PutUint64(stamp[:], whose)
	binary.LittleEndian.PutUint64(stamp[8:], v.run)
	copy(dst, stamp[:])
	return dst
}

// ours reports whether a value was made by this run. Short ones do not tell.
func (v *Values) ours(value []byte) bool {
	return len(value) >= stampBytes && binary.LittleEndian.Uint64(value[8:]) == v.run
}

// is reports whether value is value n of a client; scratch has room for one.
func (v *Values) is(value, scratch []byte, client int, n uint64) bool {
	return bytes.Equal(value, v.fill(scratch, client, n))
}
