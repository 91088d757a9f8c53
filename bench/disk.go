package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/paxlog/paxlog/internal/load"
)

// disk is what the bare disk does, measured in the same run.
type disk struct {
	SyncP50 float64 `json:"sync_p50_ms"` // a 512-byte write and fdatasync, three writers at once
	SyncP99 float64 `json:"sync_p99_ms"`
	MBPerS  float64 `json:"sequential_mb_per_s"` // one writer, one fdatasync at the end
}

const (
	diskWriters = 3
	diskRecord  = 512
	diskBlock   = 1 << 20
	diskMost    = 3 * time.Second // of synced writes, which are thousands
)

// measureDisk appends to files in dir, as the logs of three servers would.
func measureDisk(dir string, duration time.Duration, sequential int64) (disk, error) {
	var wg sync.WaitGroup
	var errs [diskWriters]error
	all, parts := load.NewHistogram(), [diskWriters]*hdrhistogram.Histogram{}
	for i := range diskWriters {
		parts[i] = load.NewHistogram()
		wg.Go(func() {
			errs[i] = syncedWrites(filepath.Join(dir, "synced"+string(rune('0'+i))), duration, parts[i])
		})
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			return disk{}, err
		}
		all.Merge(parts[i])
	}
	d := disk{SyncP50: millis(all, 50), SyncP99: millis(all, 99)}
	took, err := sequentialWrite(filepath.Join(dir, "sequential"), sequential)
	d.MBPerS = float64(sequential) / 1e6 / took.Seconds()
	return d, err
}

// syncedWrites writes small records and syncs each.
func syncedWrites(path string, duration time.Duration, h *hdrhistogram.Histogram) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	record := make([]byte, diskRecord)
	for start := time.Now(); time.Since(start) < duration; {
		began := time.Now()
		if _, err := f.Write(record); err != nil {
			return err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return err
		}
		_ = h.RecordValue(max(int64(time.Since(began)), int64(time.Microsecond))) // within its bounds
	}
	return nil
}

// sequentialWrite writes so many random bytes in blocks, and syncs them once.
func sequentialWrite(path string, bytes int64) (time.Duration, error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	block := make([]byte, diskBlock)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(block) // it cannot fail
	start := time.Now()
	for n := int64(0); n < bytes; n += diskBlock {
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
	}
	err = syscall.Fdatasync(int(f.Fd()))
	return time.Since(start), err
}
