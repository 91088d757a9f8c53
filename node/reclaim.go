package node

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// reclaimStep is between acceptors that give space back. They all trim at the same instance,
// and no commit is made for some syncs meanwhile: one after the other they hold up nobody.
const reclaimStep = 2 * time.Second

// reclaiming gives back the space of what was trimmed, in a goroutine of its own.
type reclaiming struct {
	d    *disk
	wake chan struct{}   // holds one
	ctx  context.Context // ends with the process
	end  context.CancelFunc
}

func (r *reclaiming) start(d *disk) {
	r.d, r.wake = d, make(chan struct{}, 1)
	r.ctx, r.end = context.WithCancel(context.Background())
	d.wg.Add(1)
	go r.loop()
	r.look()
}

// stop ends it. What was not given back is at the next start.
func (r *reclaiming) stop() { r.end() }

// look is called after each commit, and at the start.
func (r *reclaiming) look() {
	if r.d.n.store.Reclaimable() {
		signal(r.wake)
	}
}

// loop waits, so that trims in a row are one, and gives back.
func (r *reclaiming) loop() {
	defer r.d.wg.Done()
	after := reclaimStep * time.Duration(1+r.place())
	for {
		select {
		case <-r.wake:
		case <-r.ctx.Done():
			return
		}
		select {
		case <-time.After(after):
		case <-r.ctx.Done():
			return
		}
		if err := r.giveBack(); err != nil {
			r.d.n.fatal(err)
			return
		}
	}
}

// place tells acceptors apart.
func (r *reclaiming) place() int {
	n := r.d.n
	if n.opts.Role != paxos.RoleAcceptor {
		return 0
	}
	return max(0, slices.Index(n.opts.Cluster.Membership().Acceptors, n.opts.ID))
}

func (r *reclaiming) giveBack() error {
	d := r.d
	if d.n.dead.Load() || !d.n.store.Reclaimable() {
		return nil
	}
	if err := d.n.store.Sweep(r.ctx); err != nil {
		if errors.Is(err, context.Canceled) {
			return nil // what is left is for the next start
		}
		return err
	}
	d.applying.Lock() // no commit is made meanwhile
	defer d.applying.Unlock()
	since := time.Now()
	d.setApplying(since)
	defer d.setApplying(time.Time{})
	if err := d.n.store.Reclaim(); err != nil {
		return err
	}
	d.n.log.Info().Dur("commits_waited", time.Since(since)).Msg("the space of what was trimmed is given back")
	return nil
}
