package daemons

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// heap bounds what garbage takes of memory. The runtime by itself collects when there is as much
// garbage as what is in use: a process whose queues are full for a moment has twice their budgets
// then, and gives it back over minutes. So it is told what the budgets come to: beyond that it
// collects more often, and gives back at once.
//
// What a process needs beside its budgets, such as a million sessions, may be more than was
// thought of. So the bound is never less than a quarter more than what was in use after the
// last collection: a process that has grown collects more often, and not all the time.
type heap struct {
	least int64
	bound int64
	live  []metrics.Sample // one
	set   func(int64) int64
}

// boundHeap bounds what this process takes by least bytes, or what that has to be. Somebody who has
// decided it in the environment of the process is obeyed.
func boundHeap(least int64) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	h := &heap{least: least, live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}, set: debug.SetMemoryLimit}
	h.adapt()
	h.watch()
}

// watch has adapt called after each collection: what nobody refers to is found by one.
func (h *heap) watch() {
	runtime.AddCleanup(new(*heap), func(h *heap) {
		h.adapt()
		h.watch()
	}, h)
}

func (h *heap) adapt() {
	metrics.Read(h.live)
	h.boundFor(int64(h.live[0].Value.Uint64()))
}

// boundFor sets the bound if it has to be another one by more than a little.
func (h *heap) boundFor(live int64) {
	bound := max(h.least, live+live/4+heapBeside)
	if diff := bound - h.bound; diff > bound/16 || -diff > bound/16 {
		h.bound = bound
		h.set(bound)
	}
}

// heapBeside is what the runtime takes beside what is in use: stacks, and its own books.
const heapBeside = 16 << 20
