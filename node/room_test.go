package node

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// fickle is a volume that cannot be looked at now and then.
type fickle struct {
	vfs.FS
	free   atomic.Uint64 // 0: it cannot be looked at
	failed atomic.Int64
}

func (f *fickle) GetDiskUsage(string) (vfs.DiskUsage, error) {
	free := f.free.Load()
	if free == 0 {
		f.failed.Add(1)
		return vfs.DiskUsage{}, errors.New("an interrupted call")
	}
	return vfs.DiskUsage{TotalBytes: 1 << 40, AvailBytes: free}, nil
}

// TestRoomIsLookedAtAgain: a look at the volume that fails is not the last one. Else a process that
// was short then would be short for ever.
func TestRoomIsLookedAtAgain(t *testing.T) {
	volume := &fickle{}
	volume.free.Store(9 << 20)
	k := newRigOn(t, func(fs vfs.FS) vfs.FS { volume.FS = fs; return volume })
	var free uint64
	k.each = func(m paxos.Message) {
		if r, is := m.(*paxos.DiskRoom); is {
			free = r.Free
		}
	}
	k.awaitInbox(func() bool { return free == 9<<20 })
	volume.free.Store(0)
	k.awaitInbox(func() bool { return volume.failed.Load() > 0 })
	volume.free.Store(1 << 39)
	k.awaitInbox(func() bool { return free == 1<<39 })
	k.close()
}
