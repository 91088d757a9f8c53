package paxos

// Rand is a seeded source of randomness for machines, so that what a machine did can be
// replayed (splitmix64; Steele, Lea and Flood, OOPSLA 2014). Not for secrets.
type Rand struct{ State uint64 }

// Uint64 returns the next number.
func (r *Rand) Uint64() uint64 {
	r.State += 0x9e3779b97f4a7c15
	z := r.State
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Between returns a number in [lo, hi]; lo if hi is not above it.
func (r *Rand) Between(lo, hi Ticks) Ticks {
	if hi <= lo {
		return lo
	}
	return lo + Ticks(r.Uint64()%uint64(hi-lo+1))
}
