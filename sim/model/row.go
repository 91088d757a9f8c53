package model

import "github.com/paxlog/paxlog/paxos"

// Row holds something for each instance, the zero value where there is nothing.
type Row[T any] []T

func (r *Row[T]) set(i paxos.Instance, x T) {
	for paxos.Instance(len(*r)) < i {
		var none T
		*r = append(*r, none)
	}
	(*r)[i-1] = x
}

func (r *Row[T]) clear(i paxos.Instance) {
	if i <= paxos.Instance(len(*r)) {
		var none T
		(*r)[i-1] = none
	}
}

// At is what stands at i; what it points to must not be changed.
func (r Row[T]) At(i paxos.Instance) *T {
	if i == 0 || i > paxos.Instance(len(r)) {
		return new(T)
	}
	return &r[i-1]
}
