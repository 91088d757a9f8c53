package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// tracepoint is a place in the kernel whose passing is counted, where a filter on its
// fields holds.
type tracepoint struct {
	name   string // in the tracing file system: "raw_syscalls/sys_enter"
	filter string // "": always
}

// traced are the tracepoints of each figure; the figure is the sum of their counts,
// each times its sign.
var traced = map[metric][]struct {
	sign int64
	tracepoint
}{
	syscalls: {{1, tracepoint{"raw_syscalls/sys_enter", ""}}},
	reads:    {{1, tracepoint{"raw_syscalls/sys_enter", anyOf(readCalls)}}},
	nothing:  {{1, tracepoint{"raw_syscalls/sys_exit", fmt.Sprintf("(%s) && ret == -%d", anyOf(readCalls), int(unix.EAGAIN))}}},
	writes:   {{1, tracepoint{"raw_syscalls/sys_enter", anyOf(writeCalls)}}},
	futexes:  {{1, tracepoint{"raw_syscalls/sys_enter", anyOf([]int{unix.SYS_FUTEX})}}},
	syncs:    {{1, tracepoint{"raw_syscalls/sys_enter", anyOf([]int{unix.SYS_FSYNC, unix.SYS_FDATASYNC})}}},
	// A poll that waits for nothing ends with nothing, too: those are taken off. One of
	// them that found something is taken off without having been counted, so that the
	// figure is a little low.
	timers: {
		{1, tracepoint{"raw_syscalls/sys_exit", fmt.Sprintf("%s || id == %d && ret == -%d || id == %d && ret == 0",
			anyOf([]int{unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP}), unix.SYS_FUTEX, int(unix.ETIMEDOUT), unix.SYS_EPOLL_PWAIT)}},
		{-1, tracepoint{"syscalls/sys_enter_epoll_pwait", "timeout == 0"}},
	},
	// The kernel turns a flush into a request in a thread of its own: it is counted where
	// the process asks for it.
	requests: {{1, tracepoint{"block/block_rq_issue", ""}}, {1, flushing}},
	flushes:  {{1, flushing}},
}

var (
	readCalls  = []int{unix.SYS_READ, unix.SYS_READV, unix.SYS_RECVFROM, unix.SYS_RECVMSG, unix.SYS_RECVMMSG}
	writeCalls = []int{unix.SYS_WRITE, unix.SYS_WRITEV, unix.SYS_PWRITE64, unix.SYS_PWRITEV, unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_SENDMMSG}
	flushing   = tracepoint{"block/block_bio_queue", `rwbs ~ "F*"`}
)

// anyOf is the filter for some system calls.
func anyOf(calls []int) string {
	var each []string
	for _, n := range calls {
		each = append(each, "id == "+strconv.Itoa(n))
	}
	return strings.Join(each, " || ")
}

// traceDirs are where the tracing file system may be.
var traceDirs = []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}

// id is the number by which the kernel knows a tracepoint.
func (t tracepoint) id() (uint64, error) {
	var err error
	for _, dir := range traceDirs {
		var text []byte
		if text, err = os.ReadFile(dir + "/events/" + t.name + "/id"); err == nil {
			return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
		}
	}
	return 0, fmt.Errorf("the tracing file system does not tell of %s: %w", t.name, err)
}

// perfCounter counts a tracepoint in all threads of a process, also later ones.
type perfCounter struct {
	fds []int
}

// openPerf begins to count in the threads given.
func (t tracepoint) openPerf(tids []int) (*perfCounter, error) {
	id, err := t.id()
	if err != nil {
		return nil, err
	}
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Config: id, Bits: unix.PerfBitDisabled | unix.PerfBitInherit}
	attr.Size = uint32(unsafe.Sizeof(attr))
	c := &perfCounter{}
	for _, tid := range tids {
		fd, err := unix.PerfEventOpen(&attr, tid, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
		if err == unix.ESRCH {
			continue // it has ended
		}
		if err != nil {
			c.close()
			return nil, fmt.Errorf("perf_event_open of %s: %w (it needs CAP_PERFMON, or a lower kernel.perf_event_paranoid)", t.name, err)
		}
		c.fds = append(c.fds, fd)
		if t.filter != "" {
			err = setFilter(fd, t.filter)
		}
		if err == nil {
			err = unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_ENABLE, 0)
		}
		if err != nil {
			c.close()
			return nil, fmt.Errorf("counting %s where %s: %w", t.name, t.filter, err)
		}
	}
	return c, nil
}

func setFilter(fd int, filter string) error {
	text, err := unix.BytePtrFromString(filter)
	if err != nil {
		return err
	}
	if _, _, no := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.PERF_EVENT_IOC_SET_FILTER, uintptr(unsafe.Pointer(text))); no != 0 {
		return no
	}
	return nil
}

// read is the count so far.
func (c *perfCounter) read() (sum int64, err error) {
	var buf [8]byte
	for _, fd := range c.fds {
		if _, err := unix.Read(fd, buf[:]); err != nil {
			return 0, fmt.Errorf("reading a counter: %w", err)
		}
		sum += int64(binary.NativeEndian.Uint64(buf[:]))
	}
	return sum, nil
}

func (c *perfCounter) close() {
	for _, fd := range c.fds {
		_ = unix.Close(fd)
	}
}

// perfProcess counts every tracepoint of traced in a process.
type perfProcess map[tracepoint]*perfCounter

// openProcess begins to count. A tracepoint that cannot be counted is left out, and
// why says so.
func openProcess(pid int, why map[metric]string) (perfProcess, error) {
	const tries = 10
	for range tries {
		before, err := threadsOf(pid)
		if err != nil {
			return nil, err
		}
		p := perfProcess{}
		for m, all := range traced {
			for _, t := range all {
				if p[t.tracepoint] != nil || why[m] != "" {
					continue
				}
				c, err := t.openPerf(before)
				if err != nil {
					why[m] = err.Error()
					continue
				}
				p[t.tracepoint] = c
			}
		}
		after, err := threadsOf(pid)
		if err == nil && slices.Equal(before, after) {
			return p, nil
		}
		p.close() // a thread that began meanwhile may be counted twice, or not at all
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("process %d began threads each of %d times that counting began", pid, tries)
}

// read is the count of one figure.
func (p perfProcess) read(m metric) (sum int64, err error) {
	for _, t := range traced[m] {
		n, err := p[t.tracepoint].read()
		if err != nil {
			return 0, err
		}
		sum += t.sign * n
	}
	return sum, nil
}

func (p perfProcess) close() {
	for _, c := range p {
		c.close()
	}
}
