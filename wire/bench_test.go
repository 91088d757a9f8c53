package wire

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// benchBytes are n random bytes.
func benchBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // it cannot fail
	return b
}

// benchMessages are the messages of the hot path, by name.
func benchMessages() (names []string, sent []paxos.Message) {
	add := func(name string, m paxos.Message) { names, sent = append(names, name), append(sent, m) }
	b := paxos.Ballot{Round: 3, Proposer: "p1", Process: 0x1234567890abcdef}
	value := func(n int) paxos.Value {
		return paxos.Value{Origin: b, Time: 1_700_000_000_000_000_000, Batch: benchBytes(n)}
	}
	session := paxos.SessionID{1, 2, 3}
	add("Append-256B", &paxos.Append{Session: session, First: 1000, Attempt: 1000, Batch: benchBytes(256)})
	for _, size := range []int{256, 4 << 10, 64 << 10} {
		add(fmt.Sprintf("Accept-%dB", size), &paxos.Accept{Ballot: b, Instance: 1_000_000, Value: value(size), ChosenUpTo: 999_999})
	}
	add("Accepted", &paxos.Accepted{Runs: []paxos.VoteRun{{First: 1_000_000, Last: 1_000_003, Ballot: b}}, Held: 999_990})
	add("Result", &paxos.Result{Session: session, Kind: paxos.ResultApplied, First: 1000, Count: 1, Index: 1_000_000, Instance: 1_000_000, Origin: b, Time: 1_700_000_000_000_000_000})
	page := &paxos.Page{Nonce: 1, From: 1, Held: 64}
	for i := range paxos.Instance(64) {
		page.Values = append(page.Values, paxos.Vote{Instance: i + 1, Ballot: b, Value: value(1 << 10)})
	}
	add("Page-64x1KiB", page)
	return names, sent
}

func BenchmarkAppend(b *testing.B) {
	names, sent := benchMessages()
	for i, m := range sent {
		b.Run(names[i], func(b *testing.B) {
			frame, err := Append(nil, m)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			for b.Loop() {
				if frame, err = Append(frame[:0], m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	names, sent := benchMessages()
	for i, m := range sent {
		b.Run(names[i], func(b *testing.B) {
			frame, err := Append(nil, m)
			if err != nil {
				b.Fatal(err)
			}
			from := bytes.NewReader(frame)
			in := bufio.NewReaderSize(from, 64<<10)
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			for b.Loop() {
				from.Reset(frame)
				in.Reset(from)
				if _, err := Read(in, 1<<20); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
