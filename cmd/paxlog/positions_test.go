package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/cluster"
)

// extremes are numbers around which arithmetic goes wrong; some lie in the log of the
// test, or just past its end.
func extremes(last uint64) []uint64 {
	all := []uint64{1, 2, 3, last - 1, last, last + 1, last + 2, 100}
	for _, at := range []uint64{1 << 31, 1 << 32, 1 << 62, 1 << 63} {
		all = append(all, at-1, at, at+1)
	}
	return append(all, math.MaxUint64-1, math.MaxUint64)
}

// TestPositions holds what tail and read print, for positions and counts of every size,
// against a model that cannot overflow: a slice.
func TestPositions(t *testing.T) {
	k := cluster.New(t, 1, 1, 1)
	const last = 10
	k.Must(append([]string{"append"}, strings.Fields(numbers(last))...)...)
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(allowNone bool) (n uint64, given bool) {
		if allowNone && rng.IntN(3) == 0 {
			return math.MaxUint64, false
		}
		all := extremes(last)
		return all[rng.IntN(len(all))], true
	}
	for range 300 {
		args := []string{"tail", "--config", k.File}
		from, given := pick(true)
		to, toGiven := pick(true)
		count, countGiven := pick(true)
		switch {
		case !given:
			from = 1
		case rng.IntN(4) == 0: // the last so many
			args = append(args, "--from", "-"+strconv.FormatUint(from, 10))
			from = last + 1 - min(from, last)
		default:
			args = append(args, "--from", strconv.FormatUint(from, 10))
		}
		if toGiven {
			args = append(args, "--to", strconv.FormatUint(to, 10))
		}
		if countGiven {
			args = append(args, "-n", strconv.FormatUint(count, 10))
		}
		if rng.IntN(4) == 0 {
			args = append(args, "--stale")
		}
		want, code := "", command.ExitDone
		ended := uint64(0) // how many the bounds allow
		if from > last+1 {
			code = command.ExitNoIndex
		} else {
			for i := from; i <= min(last, to) && ended < count; i++ {
				want += fmt.Sprintln(i)
				ended++
			}
		}
		if code != command.ExitDone || toGiven && to <= last || countGiven && ended == count {
			if rng.IntN(2) == 0 { // it ends also if it follows
				args = append(args, "-f")
			}
		}
		got := paxlog(args...)
		if got.code != code || got.out != want || code != command.ExitDone && !strings.Contains(got.errors, strconv.FormatUint(from, 10)+" is ahead") {
			t.Errorf("%v: %+v, want %d %q", args[3:], got, code, want)
		}
	}
	for _, n := range extremes(last) {
		want := result{code: command.ExitDone, out: fmt.Sprintln(n)}
		if n > last {
			want = result{code: command.ExitNoIndex}
		}
		for _, more := range []string{"--stale=false", "--stale"} {
			got := paxlog("read", strconv.FormatUint(n, 10), more, "--config", k.File)
			if got.code != want.code || got.out != want.out {
				t.Errorf("read %d %s: %+v", n, more, got)
			}
		}
	}
}
