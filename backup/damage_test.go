package backup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// framesOf are where the frames of a backup begin, and its end.
func framesOf(b []byte) (at []int) {
	for i := len(magic); i < len(b); {
		at = append(at, i)
		i += 4 + int(binary.BigEndian.Uint32(b[i:])) + len(Sum{})
	}
	return append(at, len(b))
}

// damage harms a backup in one of many ways.
func damage(r *random, b []byte) []byte {
	out := bytes.Clone(b)
	at := framesOf(b)
	frame := func() (from, to int) {
		k := r.Below(uint64(len(at) - 1))
		return at[k], at[k+1]
	}
	pos := func() int { return int(r.Below(uint64(len(b)))) }
	switch r.Below(9) {
	case 0: // bits flip
		for range 1 + r.Below(3) {
			out[pos()] ^= 1 << r.Below(8)
		}
	case 1: // it is cut
		out = out[:pos()]
	case 2: // a frame is left out
		from, to := frame()
		out = append(out[:from], b[to:]...)
	case 3: // a frame is there twice
		from, to := frame()
		out = append(append(out[:to:to], b[from:to]...), b[to:]...)
	case 4: // a frame is at another place as well
		from, to := frame()
		into, _ := frame()
		out = append(append(out[:into:into], b[from:to]...), b[into:]...)
	case 5: // two frames are exchanged
		k := r.Below(uint64(len(at) - 2))
		out = append(append(append(out[:at[k]:at[k]], b[at[k+1]:at[k+2]]...), b[at[k]:at[k+1]]...), b[at[k+2]:]...)
	case 6: // a stretch is overwritten with another one, as by a misplaced write
		n := 1 + int(r.Below(64))
		from, to := pos(), pos()
		copy(out[to:min(len(b), to+n)], b[from:])
	case 7: // a stretch is zero, as a block that was never written
		from := pos()
		clear(out[from:min(len(b), from+1+int(r.Below(512)))])
	case 8: // it goes on
		out = append(out, b[pos():]...)
	}
	return out
}

// TestDamaged: ten thousand backups, each harmed in its way, alone and in a series, are refused
// each.
func TestDamaged(t *testing.T) {
	l := newLog(t, 9, 1)
	l.grow(t, 25)
	l.checkpoint(t, true)
	one, _ := take(t, l, Options{})
	l.grow(t, 25)
	two, _ := take(t, l, Options{Since: earlier(t, one)})
	mustRead(t, l, l.first, one, two)
	harmed := 0
	for seed := uint64(1); harmed < 10_000; seed++ {
		r := random{paxos.Rand{State: seed}}
		a, b := one, two
		if seed%2 == 0 {
			a = damage(&r, one)
		} else {
			b = damage(&r, two)
		}
		if bytes.Equal(a, one) && bytes.Equal(b, two) {
			continue // what was written over was the same
		}
		harmed++
		_, _, err := readAll(a, b)
		if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrDiffers) {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// forge computes the sums of a backup anew.
func forge(b []byte) {
	at := framesOf(b)
	var t items
	t.r = bytes.NewReader(b)
	if t.begin() != nil {
		return
	}
	sum := t.sum
	for k := range len(at) - 1 {
		from, to := at[k], at[k+1]-len(sum)
		sum = sum.after(b[from:from+4], b[from+4:to])
		copy(b[to:], sum[:])
	}
}

// TestForged: what somebody has changed who computes all sums anew is read without harm: it ends
// in an error, or is a backup of other entries.
func TestForged(t *testing.T) {
	l := newLog(t, 9, 1)
	l.grow(t, 25)
	l.checkpoint(t, true)
	l.grow(t, 5)
	whole, _ := take(t, l, Options{})
	at, refused := framesOf(whole), 0
	for seed := uint64(1); seed <= 5000; seed++ {
		r := random{paxos.Rand{State: seed}}
		b := bytes.Clone(whole)
		for range 1 + r.Below(3) {
			k := r.Below(uint64(len(at) - 1))
			from, to := at[k]+4, at[k+1]-len(Sum{})
			b[from+int(r.Below(uint64(to-from)))] = byte(r.Below(256))
		}
		forge(b)
		if _, _, err := readAll(b); err != nil {
			refused++
		}
	}
	if refused < 3000 {
		t.Errorf("only %d of 5000 were refused", refused)
	}
}

// FuzzRead: whatever it is given, a reader ends.
func FuzzRead(f *testing.F) {
	l := newLog(f, 9, 1)
	l.grow(f, 5)
	b, _ := take(f, l, Options{})
	f.Add(b)
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, _ = readAll(b)
		b = bytes.Clone(b)
		for i := len(magic); i < len(b); { // if it has frames
			if i+4 > len(b) {
				return
			}
			n := int(binary.BigEndian.Uint32(b[i:]))
			if i += 4 + n + len(Sum{}); n > len(b) || i > len(b) {
				return
			}
		}
		if len(b) < len(magic) {
			return
		}
		forge(b)
		_, _, _ = readAll(b)
	})
}
