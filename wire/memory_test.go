package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/paxlog/paxlog/paxos"
)

const (
	kHello Kind = 1
	kPage  Kind = 29
)

// hostile are frames whose body is at most limit bytes and that cost as much
// memory as they can; those named legal must be read.
func hostile(t *testing.T, limit int) map[string][]byte {
	t.Helper()
	unit := func(element string, n int) string { return strings.Repeat(element, n) }
	votes := func(n int) string { // a page of n no-ops
		return "92 dd" + hex32(n) + unit("00", n) + "95 00 00 00 c0 dd" + hex32(n) + unit("93 01 93 01 a2 7031 01 92 93 01 a2 7031 01 01", n)
	}
	lens := min(limit/3, maxItems)
	frames := map[string][]byte{
		"a value, legal":              encode(t, &paxos.Accept{Value: paxos.Value{Batch: make([]byte, limit-1000)}}),
		"a text as long as the frame": encode(t, &Refusal{Text: strings.Repeat("x", limit-1000)}),
		"ids as long as the frame":    encode(t, &Hello{Members: paxos.Membership{Acceptors: []paxos.NodeID{paxos.NodeID(strings.Repeat("x", limit/2-1000)), paxos.NodeID(strings.Repeat("y", limit/2-1000))}}}),
		"many short ids":              frame(kHello, unhex(t, "92 c0 97 01 95 a1 63 dd"+hex32(lens)+unit("a1 61", lens)+"01 01 01 01 a0 01 01 a0"), nil),
		"many lengths":                frame(kQuery, unhex(t, "92 dd"+hex32(lens)+unit("00", lens)+"91 07"), nil),
		"many runs":                   fitting(t, limit, func(n int) []byte { return encode(t, &paxos.Accepted{Runs: make([]paxos.VoteRun, n)}) }),
		"many votes": fitting(t, limit, func(n int) []byte {
			return frame(kPage, unhex(t, votes(n)), nil)
		}),
		"many records": fitting(t, limit, func(n int) []byte { return encode(t, &paxos.LogPage{Records: make([]paxos.LogRecord, n)}) }),
		"a frame of lists": fitting(t, limit, func(n int) []byte {
			return encode(t, &paxos.Page{Runs: make([]paxos.VoteRun, n), Values: make([]paxos.Vote, n)})
		}),
		"deep nesting":              frame(kPage, unhex(t, "92 c0 95 00 00 00"+unit("91", limit-100)), nil),
		"a body that does not come": append(binary.BigEndian.AppendUint32(nil, uint32(limit)), make([]byte, limit/4+100)...),
		"a body that ends early":    append(binary.BigEndian.AppendUint32(nil, uint32(limit)), make([]byte, limit-1)...),
	}
	// As a node with this limit makes it at most: a page is a fifth of what is left
	// without the overhead, and a no-op counts 64 bytes.
	id := paxos.NodeID(strings.Repeat("p", 32))
	ballot := paxos.Ballot{Round: 1 << 40, Proposer: id, Process: 1 << 63}
	frames["a page of no-ops, legal"] = encode(t, &paxos.Page{
		Runs:   slices.Repeat([]paxos.VoteRun{{First: 1 << 40, Last: 1 << 40, Ballot: ballot}}, min(max(limit-Overhead, 0)/64, 4096)),
		Values: slices.Repeat([]paxos.Vote{{Instance: 1 << 40, Ballot: ballot, Value: paxos.Value{Origin: ballot, Time: 1 << 60}}}, min(max(limit-Overhead, 0)/5/64, maxItems)),
	})
	// As many small elements as are taken, and a value that fills the rest; with ids
	// that take more memory than their length, also.
	for name, id := range map[string]paxos.NodeID{"all that is taken, legal": "", "all that is taken, with ids, legal": "nine-byte"} {
		one := paxos.Vote{Ballot: paxos.Ballot{Proposer: id}, Value: paxos.Value{Origin: paxos.Ballot{Proposer: id}}}
		n := min(roomFor(limit)/(int(unsafe.Sizeof(one))+4+2*len(id)), maxItems)
		most := &paxos.Page{Values: slices.Repeat([]paxos.Vote{one}, n)}
		most.Values[0].Value.Batch = make([]byte, limit-len(encode(t, most))-100)
		frames[name] = encode(t, most)
	}
	// As many as would be taken if ids took nothing: the ids are more than there is room for.
	one := paxos.Vote{Ballot: paxos.Ballot{Proposer: "nine-byte"}, Value: paxos.Value{Origin: paxos.Ballot{Proposer: "nine-byte"}}}
	if n := roomFor(limit) / int(unsafe.Sizeof(one)+4); n <= maxItems {
		frames["ids beyond the room, refused"] = encode(t, &paxos.Page{Values: slices.Repeat([]paxos.Vote{one}, n)})
	}
	return frames
}

func hex32(n int) string { return fmt.Sprintf("%08x", n) }

// fitting is the frame of the most elements that keeps within limit and maxItems.
func fitting(t *testing.T, limit int, build func(n int) []byte) []byte {
	t.Helper()
	one, two := len(build(1000)), len(build(2000))
	n := min((limit-one)*1000/(two-one)+900, maxItems)
	for ; n > 0; n -= n/100 + 1 {
		if b := build(n); len(b)-prefix <= limit {
			return b
		}
	}
	t.Fatal("no element fits")
	return nil
}

// TestMemoryOfDecoding is hazard 23: whatever a frame says, reading it allocates
// at most twice as much as the largest frame takes.
func TestMemoryOfDecoding(t *testing.T) {
	for _, limit := range []int{128 << 10, 5*100_000 + Overhead, 10<<20 + Overhead} {
		for name, b := range hostile(t, limit) {
			if n := len(b) - prefix; n > limit && !strings.Contains(name, "body") {
				t.Errorf("%s: %d bytes, over the limit of %d", name, n, limit)
			}
			m, n, err := allocated(b, limit, 2*uint64(limit))
			t.Logf("%9d: %-28s %8d bytes, %.2f of the limit, %v", limit, name, len(b), float64(n)/float64(limit), err)
			if n > 2*uint64(limit) {
				t.Errorf("limit %d, %s: %d bytes allocated, %.2f times the limit", limit, name, n, float64(n)/float64(limit))
			}
			if err != nil && (!errors.Is(err, ErrFrame) || strings.Contains(name, "legal")) {
				t.Errorf("limit %d, %s: %v", limit, name, err)
			}
			if err == nil && strings.Contains(name, "refused") {
				t.Errorf("limit %d, %s: it was read", limit, name)
			}
			runtime.KeepAlive(m)
		}
	}
}
