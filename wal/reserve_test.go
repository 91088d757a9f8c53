package wal

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// bounded is a volume of some size, of which others take a part, with a quota.
type bounded struct {
	vfs.FS
	mu      sync.Mutex
	total   int64
	foreign int64
	quota   int64 // 0: none
	files   map[string]int64
}

func bound(fs vfs.FS, total int64) *bounded {
	return &bounded{FS: fs, total: total, files: map[string]int64{}}
}

func (b *bounded) used() (n int64) {
	for _, size := range b.files {
		n += size
	}
	return n
}

func (b *bounded) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// grow makes a file so large at least, if there is room.
func (b *bounded) grow(path string, size int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	more := max(size-b.files[path], 0)
	switch used := b.used() + more; {
	case more == 0:
	case used > b.total-b.foreign:
		return syscall.ENOSPC
	case b.quota > 0 && used > b.quota:
		return syscall.EDQUOT
	}
	b.files[path] += more
	return nil
}

func (b *bounded) GetDiskUsage(string) (vfs.DiskUsage, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return vfs.DiskUsage{TotalBytes: uint64(b.total), AvailBytes: uint64(max(b.total-b.foreign-b.used(), 0))}, nil
}

func (b *bounded) wrap(path string, f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &boundedFile{f, b, path, 0}, nil
}

func (b *bounded) Create(path string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := b.FS.Create(path, c)
	b.set(func() { b.files[path] = 0 })
	return b.wrap(path, f, err)
}

func (b *bounded) ReuseForWrite(old, path string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := b.FS.ReuseForWrite(old, path, c)
	b.set(func() { b.files[path] = b.files[old]; delete(b.files, old) })
	return b.wrap(path, f, err)
}

func (b *bounded) OpenReadWrite(path string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := b.FS.OpenReadWrite(path, c, o...)
	return b.wrap(path, f, err)
}

// Lock takes some space of a quota, as creating or cutting a file does in some file systems.
func (b *bounded) Lock(path string) (io.Closer, error) {
	if b.quota > 0 {
		if err := b.grow(path, b.size(path)+1); err != nil {
			return nil, err
		}
	}
	return b.FS.Lock(path)
}

func (b *bounded) size(path string) (n int64) {
	b.set(func() { n = b.files[path] })
	return n
}

func (b *bounded) Remove(path string) error {
	b.set(func() { delete(b.files, path) })
	return b.FS.Remove(path)
}

func (b *bounded) Rename(old, path string) error {
	b.set(func() { b.files[path] = b.files[old]; delete(b.files, old) })
	return b.FS.Rename(old, path)
}

type boundedFile struct {
	vfs.File
	b    *bounded
	path string
	at   int64
}

func (f *boundedFile) Write(p []byte) (int, error) {
	if err := f.b.grow(f.path, f.at+int64(len(p))); err != nil {
		return 0, err
	}
	f.at += int64(len(p))
	return f.File.Write(p)
}

func (f *boundedFile) Preallocate(at, n int64) error { return f.b.grow(f.path, at+n) }

// TestStartWithAFullQuota: a store is opened although its quota has nothing left, on what is laid by.
func TestStartWithAFullQuota(t *testing.T) {
	b := bound(vfs.NewMem(), 200<<20)
	if err := Init(b, dir, identity(paxos.RoleAcceptor)); err != nil {
		t.Fatal(err)
	}
	f, err := fillingOf(t, b)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.s.Room()
	if err := errors.Join(err, f.s.Close()); err != nil || r.Spare == 0 {
		t.Fatalf("laid by: %d; %v", r.Spare, err)
	}
	b.set(func() { b.quota = b.used() })
	if f, err = fillingOf(t, b); err != nil {
		t.Fatal(err)
	}
	now, err := f.s.Room()
	if err := errors.Join(err, f.s.Close()); err != nil || !now.Short || now.Spare >= r.Spare {
		t.Errorf("laid by: %d, and %d before; short: %t; %v", now.Spare, r.Spare, now.Short, err)
	}
}

// filling appends votes to a store, and returns why it could not.
type filling struct {
	t    *testing.T
	s    *Store
	next paxos.Instance
	died error
}

func fillingOf(t *testing.T, fs vfs.FS) (*filling, error) {
	f := &filling{t: t}
	s, err := Open(dir, identity(paxos.RoleAcceptor), Options{FS: fs, LowBytes: 1 << 40, Fatal: func(err error) {
		f.died = err
		panic(err) // which Pebble's commits recover
	}})
	f.s = s
	return f, err
}

func (f *filling) vote(bytes int) (err error) {
	f.next++
	f.t.Helper()
	b := paxos.Ballot{Round: 1, Proposer: "p1"}
	c := f.s.NewCommit(1, bytes)
	defer c.Close()
	v := make([]byte, bytes)
	for i := range v {
		v[i] = byte(i * i >> 8 * int(f.next))
	}
	if err := c.Add([]paxos.Record{paxos.PutVote{Vote: paxos.Vote{Instance: f.next, Ballot: b, Value: paxos.Value{Batch: v}}}}); err != nil {
		return err
	}
	if err := c.Apply(true); err != nil {
		return err
	}
	return c.Wait()
}

func (f *filling) room() Room {
	f.t.Helper()
	r, err := f.s.Room()
	if err != nil {
		f.t.Fatal("what there is room for is not known: ", err)
	}
	return r
}

// TestReserve: a store lays by a reserve as soon as there is plenty. When others fill its volume
// it says that it is short and goes on writing; when that is too little it is started on what is
// left of the reserve; and with space again it lays by what it had.
func TestReserve(t *testing.T) {
	mem := bound(vfs.NewMem(), 256<<20)
	initDir(t, mem, paxos.RoleAcceptor)
	f, err := fillingOf(t, mem)
	if err != nil {
		t.Fatal(err)
	}
	r := f.room()
	whole := r.Spare
	if r.Short || whole < 8<<20 || r.Values == 0 || r.Low < 256<<20/lowShare {
		t.Fatalf("with plenty of space: %+v", r)
	}
	for range 8 {
		if err := f.vote(256 << 10); err != nil {
			t.Fatal(err)
		}
	}
	mem.set(func() { mem.foreign = mem.total - mem.used() })
	if r = f.room(); !r.Short || r.Values != 0 || r.Free != 0 || r.Spare < whole {
		t.Errorf("filled by others: %+v", r)
	}
	for range 24 { // beyond what the log has ready
		if err := f.vote(256 << 10); err != nil {
			t.Fatalf("what is under way is not written on the reserve: %v, %+v", err, f.room())
		}
	}
	r = f.room()
	if !r.Short || r.Spare == 0 || r.Spare >= whole {
		t.Errorf("after writing on the reserve: %+v", r)
	}
	mustClose(t, f.s)
	mem.set(func() { mem.foreign = mem.total - mem.used() })
	if f, err = fillingOf(t, mem); err != nil {
		t.Fatalf("not started on its reserve: %v", err)
	}
	if r = f.room(); !r.Short {
		t.Errorf("started on its reserve: %+v", r)
	}
	mustClose(t, f.s)
	mem.set(func() { mem.foreign = mem.total - mem.used() })
	for i := range reserveFiles {
		_ = mem.Remove(filepath.Join(dir, reserveFiles[i]))
	}
	mem.set(func() { mem.foreign = mem.total - mem.used() })
	if _, err := fillingOf(t, mem); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "a start needs") {
		t.Errorf("without a reserve: %v", err)
	}
	mem.set(func() { mem.foreign = 0 })
	if f, err = fillingOf(t, mem); err != nil {
		t.Fatal(err)
	}
	if r = f.room(); r.Short || r.Values == 0 || r.Spare < 8<<20 {
		t.Errorf("with space again: %+v", r)
	}
	mustClose(t, f.s)
}

// TestQuota: where a quota is used up although the volume has space, a store is short until as
// much as it wants can be had.
func TestQuota(t *testing.T) {
	mem := bound(vfs.NewMem(), 1<<30)
	initDir(t, mem, paxos.RoleAcceptor)
	f, err := fillingOf(t, mem)
	if err != nil {
		t.Fatal(err)
	}
	f.room()
	mem.set(func() { mem.quota = mem.used() + 1<<20 })
	for n := 0; !f.room().Short; n++ {
		if n > 1000 {
			t.Fatal("it is never short")
		}
		if err := f.vote(256 << 10); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		if err := f.vote(64 << 10); err != nil {
			t.Fatal(err)
		}
		if r := f.room(); !r.Short || r.Values != 0 || r.Free == 0 {
			t.Fatalf("%+v", r)
		}
	}
	mem.set(func() { mem.quota = mem.used() + spareMost + 1<<20 }) // enough for what was given up, and for little more
	if r := f.room(); !r.Short || r.Values != 0 {
		t.Fatalf("with a little more: %+v", r)
	}
	mem.set(func() { mem.quota = 0 })
	if r := f.room(); r.Short || r.Values == 0 {
		t.Errorf("the quota is gone: %+v", r)
	}
	mustClose(t, f.s)
}

// TestCostIsMeasured: what there is room for depends on what a byte of a value has cost: other
// stores on the volume count.
func TestCostIsMeasured(t *testing.T) {
	v := &volume{cost: firstCost}
	v.measure(1<<30, 0, 1<<20)
	for i, c := range []struct {
		free, written uint64
		want          string
	}{
		{1<<30 - 1000, 1000, "8.0"}, // too little to tell
		{1<<30 - 20<<20, 2 << 20, "10.0"},
		{1<<30 - 22<<20, 4 << 20, "7.8"},
		{1<<30 - 900<<20, 5 << 20, "16.0"},
		{1 << 30, 9 << 20, "12.0"}, // something was given back
	} {
		if v.measure(c.free, c.written, 1<<20); fmt.Sprintf("%.1f", v.cost) != c.want {
			t.Errorf("%d: %.2f, want %s", i, v.cost, c.want)
		}
	}
}

// blind is a file system that does not say what is free, from some time on.
type blind struct {
	vfs.FS
	is    atomic.Bool
	asked atomic.Int64
}

func (b *blind) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	if b.is.Load() {
		b.asked.Add(1)
		return vfs.DiskUsage{}, syscall.EIO
	}
	return b.FS.GetDiskUsage(path)
}

// TestRoomThatCannotBeSeen: that the system does not say what is free ends no store, however it asks, and
// Pebble does; who looks is told; and a store that could not see it when it began sees it later.
func TestRoomThatCannotBeSeen(t *testing.T) {
	for _, first := range []bool{true, false} {
		volume := &blind{FS: bound(vfs.NewMem(), 256<<20)}
		initDir(t, volume, paxos.RoleAcceptor)
		volume.is.Store(first)
		f, err := fillingOf(t, volume)
		if err != nil {
			t.Fatal(err)
		}
		volume.is.Store(true)
		asked := volume.asked.Load()
		if err := f.vote(1000); err != nil {
			t.Fatal(err)
		}
		if err := f.s.db.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := f.s.db.Compact(t.Context(), []byte{0}, []byte{255}, false); err != nil {
			t.Fatal(err)
		}
		if volume.asked.Load() == asked {
			t.Error("Pebble does not ask")
		}
		if _, err := f.s.Room(); !errors.Is(err, syscall.EIO) {
			t.Errorf("who looks is told %v", err)
		}
		volume.is.Store(false)
		if r := f.room(); r.Free == 0 || r.Values == 0 {
			t.Errorf("then it sees %+v", r)
		}
		mustClose(t, f.s)
	}
}
