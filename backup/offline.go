package backup

import (
	"context"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wal"
)

// Directory is the source of a data directory that no process uses: of a learner up to its
// applied instance, of an acceptor up to held.
type Directory struct{ store *wal.Store }

// pageBytes is how many bytes of values are read at once.
const pageBytes = 1 << 20

// OfDirectory reads from a store, which is the caller's.
func OfDirectory(store *wal.Store) *Directory { return &Directory{store} }

// Extent implements Source.
func (d *Directory) Extent(context.Context) (Extent, error) {
	sum, err := d.store.Summary()
	if err != nil {
		return Extent{}, err
	}
	x := Extent{
		Source: sum.Identity.ID, First: 1, To: sum.Held, Control: sum.Control.Encode(), Log: sum.Control.Log,
		Sessions: uint64(sum.Identity.Members.Sessions),
	}
	if sum.Control.Level > 0 {
		x.First = sum.Control.FirstInstance()
	}
	if sum.Identity.Role == paxos.RoleLearner.String() {
		x.To, x.Last, x.Counts = sum.Learner.Applied, max(1, sum.Learner.Next)-1, true
		x.First = max(x.First, sum.Learner.FirstInstance)
		return x, nil
	}
	return x, nil
}

// Values implements Source.
func (d *Directory) Values(_ context.Context, from paxos.Instance) ([]paxos.Vote, error) {
	l, err := d.store.Load(paxos.Load{Kind: paxos.LoadVotes, From: from, To: from + 1<<20, MaxBytes: pageBytes})
	if err != nil {
		return nil, err
	}
	return l.Votes, nil
}
