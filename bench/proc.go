package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cpuOf is the processor time that a process took, its ended threads included, to the
// nanosecond.
func cpuOf(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED: what the scheduler counts
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil {
		return 0, fmt.Errorf("the processor clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// ownCPU is the processor time of this process, the load generator.
func ownCPU() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0 // it cannot fail for oneself
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// procFile reads a file of a process.
func procFile(pid int, name string) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	return string(text), err
}

// fieldsOf parses "name: 12 kB" lines, as status and io have them; kB become bytes. A
// wanted name that is missing is an error.
func fieldsOf(text string, wanted ...string) (map[string]int64, error) {
	found := map[string]int64{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		value, kilo := strings.CutSuffix(strings.TrimSpace(value), " kB")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			continue // names and masks, which nobody wants
		}
		if kilo {
			n <<= 10
		}
		found[name] = n
	}
	for _, w := range wanted {
		if _, ok := found[w]; !ok {
			return nil, fmt.Errorf("there is no number %q", w)
		}
	}
	return found, nil
}

// held is what a process holds.
type held struct {
	RSS     int64 `json:"rss"`
	Anon    int64 `json:"anonymous"` // of RSS: what is no file's, as its program is
	Peak    int64 `json:"peak_rss"`
	Threads int64 `json:"threads"`
	Disk    int64 `json:"disk"` // blocks that its directory has, reserved ones included
}

// heldBy is what a process holds in memory.
func heldBy(pid int) (held, error) {
	text, err := procFile(pid, "status")
	if err != nil {
		return held{}, err
	}
	f, err := fieldsOf(text, "VmRSS", "RssAnon", "VmHWM", "Threads")
	if err != nil {
		return held{}, fmt.Errorf("/proc/%d/status: %w", pid, err)
	}
	return held{RSS: f["VmRSS"], Anon: f["RssAnon"], Peak: f["VmHWM"], Threads: f["Threads"]}, nil
}

// blocksOf is how many bytes of disk the files below a directory hold. A file that
// goes away meanwhile holds none.
func blocksOf(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				sum += info.Sys().(*syscall.Stat_t).Blocks << 9
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return sum, err
}

// threadsOf lists the threads of a process.
func threadsOf(pid int) ([]int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil, err
	}
	var tids []int
	for _, e := range entries {
		if tid, err := strconv.Atoi(e.Name()); err == nil {
			tids = append(tids, tid)
		}
	}
	return tids, nil
}

// switchesOf counts how often the threads of a process that live gave their processor
// up, or lost it.
func switchesOf(pid int) (sum int64, err error) {
	tids, err := threadsOf(pid)
	if err != nil {
		return 0, err
	}
	for _, tid := range tids {
		text, err := procFile(pid, fmt.Sprintf("task/%d/status", tid))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue
		}
		if err != nil {
			return 0, err
		}
		f, err := fieldsOf(text, "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/task/%d/status: %w", pid, tid, err)
		}
		sum += f["voluntary_ctxt_switches"] + f["nonvoluntary_ctxt_switches"]
	}
	return sum, nil
}

// writtenBy is how many bytes a process handed to write calls, of files and sockets.
func writtenBy(pid int) (int64, error) {
	text, err := procFile(pid, "io")
	if err != nil {
		return 0, err
	}
	f, err := fieldsOf(text, "wchar")
	if err != nil {
		return 0, fmt.Errorf("/proc/%d/io: %w", pid, err)
	}
	return f["wchar"], nil
}

// sent is what went out on one socket.
type sent struct{ segments, bytes int64 }

// socketsOf reads what went out on each TCP connection of a process, by the socket's
// name. It borrows the sockets for a moment, which disturbs no one.
func socketsOf(pid int) (map[string]sent, error) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("pidfd_open: %w", err)
	}
	defer unix.Close(pidfd)
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	all := map[string]sent{}
	for _, e := range entries {
		name, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil || !strings.HasPrefix(name, "socket:") {
			continue // closed meanwhile, or a file
		}
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		s, ok, err := socketOf(pidfd, n)
		if err != nil {
			return nil, err
		}
		if ok {
			all[name] = s
		}
	}
	return all, nil
}

// socketOf reads one socket; ok is false if it is no TCP connection, or was closed.
func socketOf(pidfd, n int) (s sent, ok bool, err error) {
	fd, err := unix.PidfdGetfd(pidfd, n, 0)
	if errors.Is(err, unix.EBADF) {
		return s, false, nil
	}
	if err != nil {
		return s, false, fmt.Errorf("pidfd_getfd: %w", err)
	}
	defer unix.Close(fd)
	const listens = 10 // TCP_LISTEN, whose figures mean something else
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil || info.State == listens {
		return s, false, nil
	}
	return sent{int64(info.Data_segs_out), int64(info.Bytes_sent)}, true, nil
}
