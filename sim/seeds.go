package sim

import (
	"iter"
	"runtime"
)

// ahead bounds the reports that wait for that of an earlier seed: a run on real stores
// takes as long as many others.
const ahead = 256

// InOrder runs n seeds from first on, several at a time, and yields their reports in
// the order of the seeds.
func InOrder(first, n uint64, run func(seed uint64) Report) iter.Seq[Report] {
	return func(yield func(Report) bool) {
		begun := make(chan chan Report, ahead)
		room := make(chan struct{}, runtime.GOMAXPROCS(0))
		stop := make(chan struct{})
		go func() {
			defer close(begun)
			for seed := first; seed < first+n; seed++ {
				done := make(chan Report, 1)
				select {
				case begun <- done:
				case <-stop:
					return
				}
				room <- struct{}{}
				go func() {
					done <- run(seed)
					<-room
				}()
			}
		}()
		for done := range begun {
			if !yield(<-done) {
				close(stop)
				for range begun { // none begins after this
				}
				return
			}
		}
	}
}
