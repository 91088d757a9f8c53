package daemons

import (
	"fmt"
	"syscall"
)

// addressSpace is what a process needs of it, and one of dev. Go reserves most of it at
// once, and uses a part of that.
const (
	addressSpace    = 3 << 30
	devAddressSpace = 4 << 30
)

// checkAddressSpace returns an error if the limit of this process is below need. Without
// it the process would start and end later, with a trace of the Go runtime that cannot be
// caught. Below about 0.7 GB the runtime ends before this is reached.
func checkAddressSpace(need uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &limit); err != nil || limit.Cur >= need {
		return nil // or not known: then what is missing shows when it is missed
	}
	return fmt.Errorf("too little address space: the limit (ulimit -v, LimitAS=) is %.1f GB and %.1f GB are needed, most of it only reserved: "+
		"raise it, and limit memory with a control group (MemoryMax=) instead", float64(limit.Cur)/1e9, float64(need)/1e9)
}
