package node

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wal"
)

const (
	// roomLook is how often it is measured what there is room for on the disk, and roomNear how
	// often where that is less than nearRoom: others may fill the disk, too.
	roomLook = time.Second
	roomNear = 100 * time.Millisecond
	nearRoom = 1 << 30

	// roomNews is by how many bytes that must have changed to be told to the machine, which counts
	// what it takes itself.
	roomNews = 256 << 10

	// blindAgain is how often it is said that nothing is to be seen of the volume.
	blindAgain = time.Minute
)

// rooming tells the machine what there is room for on the disk, in a goroutine of its own: to
// measure it may take long where a disk hangs.
type rooming struct {
	d     *disk
	ended chan struct{}
	told  wal.Room
	ever  bool
	blind time.Time // when it was last said that nothing is to be seen
}

// start measures for the first time, so that the machine knows it before it takes anything.
func (r *rooming) start(d *disk) {
	r.d, r.ended = d, make(chan struct{})
	r.look()
	d.wg.Add(1)
	go r.loop()
}

func (r *rooming) stop() { close(r.ended) }

// look measures, and tells what is news. Where nothing is to be seen of the file system, now or ever,
// what was told stays: the next look may see more.
func (r *rooming) look() {
	n := r.d.n
	now, err := n.store.Room()
	if err != nil {
		if at := time.Now(); !errors.Is(err, vfs.ErrUnsupported) && at.Sub(r.blind) >= blindAgain {
			r.blind = at
			n.log.Warn().Err(err).Msg("the system does not say how much room there is on the disk: it is taken to be what it was; `df` on the data directory should say the same")
		}
		return
	}
	if r.isNews(now) {
		n.inbox.put(item{from: n.opts.ID, msg: &paxos.DiskRoom{Values: paxos.RoomFor(now.Values), Beyond: now.Beyond, Free: now.Free}})
		r.say(now)
		r.told, r.ever = now, true
	}
}

func (r *rooming) loop() {
	defer r.d.wg.Done()
	for {
		wait := roomLook
		if r.ever && r.told.Values < nearRoom {
			wait = roomNear
		}
		select {
		case <-time.After(wait):
		case <-r.ended:
			return
		}
		if r.d.n.dead.Load() {
			return
		}
		r.look()
	}
}

func (r *rooming) isNews(now wal.Room) bool {
	far := func(a, b uint64) bool { return max(a, b)-min(a, b) >= roomNews }
	return !r.ever || now.Short != r.told.Short || far(now.Values, r.told.Values) || far(now.Beyond, r.told.Beyond) || now.Spare != r.told.Spare
}

// say tells the operator.
func (r *rooming) say(now wal.Room) {
	n := r.d.n
	mb := func(bytes uint64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }
	switch {
	case now.Short && !r.told.Short:
		n.log.Warn().Str("free", mb(now.Free)).Str("low", mb(now.Low)).Str("reserve", mb(now.Spare)).Msg("the disk is nearly full: no more entries are taken than are under way; " +
			"trim the log (`paxlog trim`, `paxlog retention set`), or free some space")
	case !now.Short && r.told.Short:
		n.log.Info().Str("free", mb(now.Free)).Str("reserve", mb(now.Spare)).Msg("there is room on the disk again")
	case now.Spare < r.told.Spare:
		n.log.Warn().Str("free", mb(now.Free)).Str("reserve", mb(now.Spare)).Msg("the disk was full: a part of the reserve was given up")
	}
}
