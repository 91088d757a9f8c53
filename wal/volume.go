package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Usage says what a data directory takes of its volume.
type Usage struct {
	Bytes uint64 // blocks of its files, with those made ready for what is written next
	Free  uint64 // bytes of the volume that this user may still take
}

// UsageOf sums a directory's blocks. It looks at each file's, since Pebble's own figure
// leaves out the log that is being written. Files may come and go meanwhile.
func UsageOf(dir string) (u Usage, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != dir {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) && path != dir {
			return nil
		}
		if err == nil {
			u.Bytes += blocks(info)
		}
		return err
	})
	if err != nil {
		return u, err
	}
	volume, err := vfs.Default.GetDiskUsage(dir)
	u.Free = volume.AvailBytes
	return u, err
}

// Room is what a store may still write. A store that is short takes no values but those that
// others wait for; see the package doc, "A disk that is full".
type Room struct {
	Free   uint64 // bytes of the volume that this user may take, as the system says
	Low    uint64 // below so many the store is short
	Short  bool
	Values uint64 // bytes of values that may be taken before the store is short, 0 if it is
	Beyond uint64 // and after that
	Spare  uint64 // bytes of the reserve that are there
}

// The reserve is two files of blocks that nobody has written to. The first is given up when a
// write finds no room, and the second when another one does, or when a start needs it.
var reserveFiles = [...]string{"RESERVE-1", "RESERVE-2"}

const probeFile = "RESERVE-PROBE"

const (
	// startFree is what a start needs of free space, beside a copy in tables of what the
	// logs hold: for a log, a MANIFEST, and the first commits. On a small volume it is a part of it,
	// since memtables are smaller there.
	startFree      = 8 << 20
	leastStartFree = 2 << 20
	startShare     = 32

	// spareMost is the first file of the reserve: two checkpoints of all sessions, a trim, and
	// what was under way.
	spareMost  = 8 << 20
	spareShare = 32

	// lowShare bounds what Options.LowBytes keeps free on a small volume.
	lowShare = 8

	// How many bytes of a volume go for a byte of a value: to a log and to a table, at least, and
	// several stores may be on one volume. It is measured; before that it is taken for firstCost.
	leastCost, firstCost, mostCost = 2.0, 8.0, 16.0
	// costFrom is how much must have been written to measure that.
	costFrom = 256 << 10
)

// startNeed is what a start needs beside what the logs hold.
func startNeed(total uint64) uint64 {
	if total == 0 {
		return startFree
	}
	return min(startFree, max(leastStartFree, total/startShare))
}

// noSpace reports whether an error says that there is no more space to be had.
func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// volume is the volume of a store's directory, and what the store has laid by there.
type volume struct {
	fs    vfs.FS
	dir   string
	total uint64 // its size when it was first seen; 0: not known, and nothing is laid by

	mu     sync.Mutex
	spare  [len(reserveFiles)]uint64 // bytes that the files have, 0 if one is not there
	gaveUp int                       // how often one was given up
	short  bool
	// met says that a write found no room since the reserve was whole. What the system says is
	// free may not be this user's then: there are quotas.
	met bool

	cost     float64 // bytes of the volume that go for a byte of a value
	free0    uint64  // what was free
	written0 uint64  // when so much had been written
}

// newVolume looks at the volume of dir. Where that cannot be done, it is taken for a large one until it can.
func newVolume(fs vfs.FS, dir string) *volume {
	v := &volume{fs: fs, dir: dir, cost: firstCost, short: true} // until it is known not to be
	if usage, err := fs.GetDiskUsage(dir); err == nil {
		v.begin(usage)
	}
	return v
}

// begin notes how large the volume is, and what is laid by there.
func (v *volume) begin(usage vfs.DiskUsage) {
	v.total = usage.TotalBytes
	for i := range reserveFiles {
		if info, err := v.fs.Stat(v.path(i)); err == nil {
			v.spare[i] = blocks(info)
		}
	}
}

func (v *volume) path(i int) string { return v.fs.PathJoin(v.dir, reserveFiles[i]) }

// measure finds out what a byte of a value costs; mu is held. written counts all that was written
// to logs, and at least is how much of it is needed to tell.
func (v *volume) measure(free, written, least uint64) {
	if v.free0 == 0 {
		v.free0, v.written0 = free, written
	}
	n := written - v.written0
	if n < max(least, costFrom) {
		return
	}
	seen := float64(v.free0-min(free, v.free0)) / float64(n)
	v.cost = min(max(seen, (3*v.cost+seen)/4, leastCost), mostCost)
	v.free0, v.written0 = free, written
}

// values is for how many bytes of values there is room in some bytes of the volume.
func (v *volume) values(bytes uint64) uint64 { return uint64(float64(bytes) / v.cost) }

// free is what this user may take, as the system says.
func (v *volume) free() (uint64, error) {
	usage, err := v.fs.GetDiskUsage(v.dir)
	if err == nil && v.total == 0 {
		v.begin(usage)
	}
	return usage.AvailBytes, err
}

// checkFree returns an error, of a full disk, unless there is room for a start, which copies
// what the logs hold into tables. Where others have filled the volume the reserve makes room;
// where that is not enough it is kept.
func (v *volume) checkFree(logged uint64) error {
	free, err := v.free()
	need := startNeed(v.total) + logged
	if err != nil || free >= need { // what cannot be seen may be plenty
		return nil
	}
	if free+v.spare[0]+v.spare[1] < need {
		return explain(v.dir, fmt.Errorf("%.1f MB are free, and a start needs %.1f MB: %w", float64(free)/1e6, float64(need)/1e6, syscall.ENOSPC))
	}
	for i := len(reserveFiles) - 1; i >= 0 && free < need; i-- {
		free += v.spare[i]
		if err := v.drop(i); err != nil {
			return explain(v.dir, err)
		}
	}
	return nil
}

// drop gives up a file of the reserve; mu is held, or nobody else knows v.
func (v *volume) drop(i int) error {
	v.spare[i] = 0
	if err := v.fs.Remove(v.path(i)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// giveUp makes room for a write that found none, and reports whether there is some. before is
// how often that had been done when the write began: another one may have made room meanwhile.
func (v *volume) giveUp(before int) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.short, v.met = true, true
	if v.gaveUp > before {
		return true
	}
	for i := range v.spare {
		if v.spare[i] > 0 && v.drop(i) == nil {
			v.gaveUp++
			return true
		}
	}
	return false
}

// times is how often a part of the reserve was given up.
func (v *volume) times() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.gaveUp
}

// inLogs is what a store has in its logs.
type inLogs struct {
	written    uint64 // to all logs so far
	unflushed  uint64 // bytes that are not in tables
	mostLogged uint64 // and what they may come to be: a start would have to copy them
	memTable   uint64 // the size of the next one
}

// look measures, and lays by what belongs into the reserve as soon as there is plenty. It is an
// error where the system does not say what is free.
func (v *volume) look(lowBytes uint64, now inLogs) (r Room, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	free, err := v.free()
	if err != nil {
		return r, err
	}
	if v.total == 0 {
		return r, fmt.Errorf("the system says that the volume of %s has no bytes", v.dir)
	}
	v.measure(free, now.written, now.memTable/2)
	low := min(lowBytes, v.total/lowShare)
	behind := now.unflushed + now.memTable
	want := [len(reserveFiles)]uint64{min(spareMost, v.total/spareShare), startNeed(v.total) + now.mostLogged}
	lacks := uint64(0)
	for i := range want {
		lacks += want[i] - min(want[i], v.spare[i])
	}
	mark := low + behind
	again := mark + lacks // from there on a store is not short any more
	if v.short {
		again += max(low/2, spareMost/spareShare)
	}
	if free <= mark {
		v.short = true
	}
	enough := free >= again
	if enough && lacks > 0 {
		enough = v.lay(want, mark)
	}
	if enough {
		v.short, v.met = false, false
	}
	if free, err = v.free(); err != nil {
		return r, err
	}
	r = Room{Free: free, Low: mark, Short: v.short, Spare: v.spare[0] + v.spare[1]}
	switch {
	case !v.short:
		r.Values = max(v.values(free-min(free, mark)), 1)
		r.Beyond = v.values(low)
	case v.met && free > mark: // a quota: the system does not say what is left of it
		r.Beyond = v.spare[1] / mostCost
	default:
		r.Beyond = v.values(min(free, mark) - min(free, behind))
	}
	return r, nil
}

// lay makes the files of the reserve as large as is wanted, and reports whether they are; mu is
// held. After a write that found no room it first makes sure that there is plenty for this user.
func (v *volume) lay(want [len(reserveFiles)]uint64, plenty uint64) bool {
	if v.met {
		probe := v.fs.PathJoin(v.dir, probeFile)
		_, err := v.allocate(probe, plenty+want[0]+want[1])
		if gone := v.fs.Remove(probe); err != nil || gone != nil {
			return false
		}
	}
	for i := range want {
		if v.spare[i] >= want[i] {
			continue
		}
		var err error
		if v.spare[i], err = v.allocate(v.path(i), want[i]); err != nil {
			_ = v.drop(i) // what is left of it is worth nothing
			return false
		}
	}
	return true
}

// allocate gives a file blocks. Where the file system cannot do that without writing, it writes.
func (v *volume) allocate(path string, size uint64) (have uint64, err error) {
	f, err := v.fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return 0, err
	}
	if err := f.Preallocate(0, int64(size)); noSpace(err) {
		return 0, errors.Join(err, f.Close())
	}
	info, err := f.Stat()
	if err == nil && blocks(info) < size {
		err = writeAll(f, size)
	}
	return size, errors.Join(err, f.Close())
}

// writeAll writes a file of zeros.
func writeAll(f vfs.File, size uint64) error {
	block := make([]byte, 64<<10)
	for at := uint64(0); at < size; at += uint64(len(block)) {
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
	return f.Sync()
}

// SetLow sets anew what Options.LowBytes has set.
func (s *Store) SetLow(bytes uint64) { s.low.Store(bytes) }

// Room measures what the store may still write; it is an error where the system does not say
// what is free, one that wraps vfs.ErrUnsupported where it never does. One goroutine calls it, again and
// again: it also keeps the reserve.
func (s *Store) Room() (r Room, err error) {
	r, err = s.volume.look(s.low.Load(), s.writes.logged())
	s.writes.tight.Store(err == nil && r.Short)
	return r, err
}
