package clients

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/paxos"
)

// startKind says in which way a start is given.
type startKind int

// The kinds of starts.
const (
	startFirst startKind = iota // the first entry that the log still has
	startEnd                    // after the last entry
	startIndex                  // Index
	startLast                   // the last Last entries
	startTime                   // the first entry of Time or later
)

// start is where tail begins.
type start struct {
	Kind  startKind
	Index paxos.Index     // at least 1
	Last  uint64          // at least 1
	Time  paxos.UnixNanos // at least 1
}

// parseIndex reads the index of an entry, or says what is wrong with it.
func parseIndex(text string) (index paxos.Index, problem string) {
	n, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil:
		return 0, "must be the index of an entry, a number from 1"
	case n == 0:
		return 0, "is no index: the first entry has index 1"
	}
	return paxos.Index(n), ""
}

// parseStart reads the value of --from, or says what is wrong with it. now is
// what times such as @-10m count from.
func parseStart(text string, now time.Time) (s start, problem string) {
	switch {
	case text == "start":
		return start{Kind: startFirst}, ""
	case text == "end":
		return start{Kind: startEnd}, ""
	case strings.HasPrefix(text, "@"):
		return parseStartTime(text[1:], now)
	case strings.HasPrefix(text, "-"):
		n, err := strconv.ParseUint(text[1:], 10, 64)
		if err != nil || n == 0 {
			return start{}, "must be - and how many of the last entries to print, such as -10"
		}
		return start{Kind: startLast, Last: n}, ""
	}
	n, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil:
		return start{}, "must be an index, start, end, -N, @TIME or @-10m"
	case n == 0:
		return start{}, "is no index: the first entry has index 1"
	}
	return start{Kind: startIndex, Index: paxos.Index(n)}, ""
}

// parseStartTime reads what follows the @. Times outside the years 1970 to 2262
// are moved to the nearest that the log can hold.
func parseStartTime(text string, now time.Time) (start, string) {
	t, problem := command.ParseTime(text, now)
	if problem != "" {
		return start{}, problem
	}
	nanos := t.UnixNano()
	switch {
	case t.Before(time.Unix(0, 1)):
		nanos = 1
	case t.After(time.Unix(0, math.MaxInt64)):
		nanos = math.MaxInt64
	}
	return start{Kind: startTime, Time: paxos.UnixNanos(nanos)}, ""
}

// position translates s.
func (s start) position() client.Position {
	switch s.Kind {
	case startEnd:
		return client.FromEnd()
	case startIndex:
		return client.FromIndex(s.Index)
	case startLast:
		return client.FromLast(s.Last)
	case startTime:
		return client.FromTime(time.Unix(0, int64(s.Time)))
	}
	return client.FromStart()
}
