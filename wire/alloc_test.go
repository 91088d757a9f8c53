package wire

import (
	"bufio"
	"bytes"
	"io"
	"reflect"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestValuesAreTheirOwn: what is read later from a connection does not change the
// values read before, and nothing of a message is in the connection's buffer.
func TestValuesAreTheirOwn(t *testing.T) {
	var stream []byte
	for _, k := range kinds() {
		stream = append(stream, encode(t, instances(k)["filled"])...)
	}
	stream = append(stream, encode(t, &paxos.Append{Batch: make([]byte, 100)})...)
	noise := bytes.Repeat([]byte{0xff}, 4096)
	r := bufio.NewReader(io.MultiReader(bytes.NewReader(stream), bytes.NewReader(noise)))
	var got []any
	for range len(kinds()) + 1 {
		m, err := Read(r, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m)
	}
	_, _ = r.Peek(4096) // fills the buffer
	b, _ := r.Peek(r.Buffered())
	clear(b)
	for i, k := range kinds() {
		if !reflect.DeepEqual(got[i], instances(k)["filled"]) {
			t.Errorf("%s became %+v", messages[k].row.Name, got[i])
		}
	}
	last := got[len(got)-1].(*paxos.Append)
	_ = append(last.Batch, 1)
	if !bytes.Equal(last.Batch, make([]byte, 100)) {
		t.Errorf("the value became %x", last.Batch)
	}
}

// TestAllocations: a small message costs its own memory, its value's and its
// texts', and nothing to encode.
func TestAllocations(t *testing.T) {
	names, sent := benchMessages()
	most := map[string]float64{"Append-256B": 2, "Accept-256B": 4, "Accept-4096B": 4, "Accepted": 2, "Result": 2}
	for i, name := range names {
		frame := encode(t, sent[i])
		if n := fewest(func() { frame, _ = Append(frame[:0], sent[i]) }); n > 0 {
			t.Errorf("%s: encoding makes %v allocations", name, n)
		}
		want, ok := most[name]
		if !ok {
			continue
		}
		from := bytes.NewReader(nil)
		r := bufio.NewReaderSize(from, 64<<10)
		if n := fewest(func() {
			from.Reset(frame)
			r.Reset(from)
			_, _ = Read(r, 1<<20)
		}); n > want {
			t.Errorf("%s: decoding makes %v allocations, not %v", name, n, want)
		}
	}
}

// fewest is how many allocations f makes, at least: a pool may be found empty, and
// with the race detector often is.
func fewest(f func()) float64 {
	least := testing.AllocsPerRun(1, f)
	for range 50 {
		least = min(least, testing.AllocsPerRun(1, f))
	}
	return least
}
