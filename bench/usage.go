package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clockTicks is how many of the kernel's ticks, in which it tells processor time,
// are a second.
const clockTicks = 100

// usage is what the processes of a system have taken so far.
type usage struct {
	cpu  time.Duration // of all together
	peak int64         // bytes of memory, of the largest
}

// usage reads what the kernel counts of each process.
func (p *processes) usage() (u usage, err error) {
	for _, c := range p.children {
		cpu, peak, err := usageOf(c.Process.Pid)
		if err != nil {
			return u, err
		}
		u.cpu, u.peak = u.cpu+cpu, max(u.peak, peak)
	}
	return u, nil
}

func usageOf(pid int) (cpu time.Duration, peak int64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// The name, in brackets, may hold anything; user and system time are the 12th and
	// 13th field after it.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return 0, 0, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	for _, f := range fields[11:13] {
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, 0, err
		}
		cpu += time.Duration(ticks) * time.Second / clockTicks
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")), 10, 64)
			return cpu, n << 10, err
		}
	}
	return cpu, 0, fmt.Errorf("/proc/%d/status tells no VmHWM", pid)
}

// ownCPU is the processor time of this process, the load generator.
func ownCPU() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0 // it cannot fail for oneself
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
