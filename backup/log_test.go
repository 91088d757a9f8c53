package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

const sessions = 5 // remembered in the logs of these tests

// random draws numbers by seed.
type random struct{ paxos.Rand }

func (r *random) Below(n uint64) uint64 { return r.Uint64() % n }

// testLog is a log in memory, and a source of it.
type testLog struct {
	rand    random
	values  []paxos.Vote // from instance first on
	records []paxos.LogRecord
	replay  *learner.Replay
	first   paxos.Instance
	log     paxos.LogID
	next    map[paxos.SessionID]uint64
	to      paxos.Instance // what the source has; 0: all
	onPage  func()
}

// newLog begins a log of level 0, or one that has an id.
func newLog(t testing.TB, seed uint64, level uint64) *testLog {
	t.Helper()
	r, err := replayOf(sessions, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &testLog{rand: random{paxos.Rand{State: seed}}, replay: r, first: 1, next: map[paxos.SessionID]uint64{}}
	if level > 0 {
		l.log = paxos.LogID{byte(seed), 7}
		l.choose(t, control.Batch(control.Genesis{Log: l.log, Level: level, Sessions: sessions, Config: configuration("a1", "a2", "a3")}))
	}
	return l
}

func configuration(ids ...paxos.NodeID) control.Configuration {
	return control.ConfigurationOf(members(ids...), func(paxos.NodeID) uint64 { return 3 })
}

func members(ids ...paxos.NodeID) paxos.Membership {
	n := len(ids)/2 + 1
	return paxos.Membership{Cluster: "orders", Acceptors: ids, Phase1: n, Phase2: n, Sessions: sessions}
}

// choose adds a value.
func (l *testLog) choose(t testing.TB, batch []byte) {
	t.Helper()
	i := l.replay.Applied() + 1
	v := paxos.Value{Origin: paxos.Ballot{Round: uint64(i)/10 + 1, Proposer: "p1", Process: l.rand.Uint64()}, Time: paxos.UnixNanos(i) * 1e9, Batch: batch}
	written, known := l.replay.Apply(v)
	if !known {
		t.Fatal("a value is not known")
	}
	l.values = append(l.values, paxos.Vote{Instance: i, Ballot: v.Origin, Value: v})
	l.records = append(l.records, recordOf(written))
}

// grow adds values of every kind: entries of several sessions, some sent twice, some that leave
// a gap, some of sessions that have expired; fences; no-ops.
func (l *testLog) grow(t testing.TB, n int) {
	t.Helper()
	for range n {
		var batch []byte
		for range l.rand.Below(3) {
			s, count := l.session(), 1+l.rand.Below(3)
			switch first := l.next[s] + 1; l.rand.Below(8) {
			case 0:
				batch = append(batch, l.run(s, max(1, first-1), count)...)
			case 1:
				batch = append(batch, l.run(s, first+5, count)...)
			case 2:
				batch = append(batch, paxos.Fence(s)...)
			default:
				batch = append(batch, l.run(s, first, count)...)
				l.next[s] = first + count - 1
			}
		}
		l.choose(t, batch)
	}
}

func (l *testLog) session() paxos.SessionID {
	if ids := len(l.next); ids > 0 && l.rand.Below(4) > 0 {
		k := l.rand.Below(uint64(ids))
		for i := paxos.Instance(0); ; i++ { // in a fixed order
			for b := range byte(20) {
				id := paxos.NewSessionID(i, paxos.Stamp{}, [12]byte{b})
				if _, ok := l.next[id]; ok {
					if k == 0 {
						return id
					}
					k--
				}
			}
		}
	}
	id := paxos.NewSessionID(l.replay.Applied(), paxos.Stamp{}, [12]byte{byte(l.rand.Below(20))})
	l.next[id] += 0
	return id
}

func (l *testLog) run(s paxos.SessionID, first, count uint64) []byte {
	r := paxos.Run{Kind: paxos.RunAppend, Session: s, First: first, Count: count}
	for range count {
		entry := make([]byte, l.rand.Below(40))
		for i := range entry {
			entry[i] = byte(l.rand.Below(256))
		}
		r.Entries = paxos.AppendEntry(r.Entries, entry)
	}
	return r.AppendTo(nil)
}

// checkpoint adds a complete one, and trims up to it.
func (l *testLog) checkpoint(t testing.TB, trim bool) {
	t.Helper()
	learners := []paxos.NodeID{"l1", "l2"}
	l.choose(t, control.Batch(control.Mark{Learners: learners}))
	at, state := l.replay.Applied(), l.replay.State()
	log, _ := l.replay.Log()
	sum := control.Sum(sha256.Sum256(state))
	for offset := 0; offset < len(state); offset += 50 {
		l.grow(t, 1)
		l.choose(t, control.Batch(control.Chunk{T: at, Offset: uint64(offset), Bytes: string(state[offset:min(offset+50, len(state))])}))
	}
	l.choose(t, control.Batch(control.Close{T: at, Size: uint64(len(state)), Sum: sum, Next: log.Next, Time: log.Time, By: "l1"}))
	l.choose(t, control.Batch(control.Confirm{T: at, Sum: sum, By: "l2"}))
	if trim {
		l.choose(t, control.Batch(control.Trim{To: log.Next}))
		l.first = at + 1
	}
}

func (l *testLog) state(t testing.TB) control.State {
	t.Helper()
	_, encoded := l.replay.Log()
	s, err := control.Decode(encoded, control.Level)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Extent implements Source.
func (l *testLog) Extent(context.Context) (Extent, error) {
	x := Extent{Source: "l1", First: l.first, To: l.replay.Applied(), Counts: true, Log: l.log, Sessions: sessions}
	log, encoded := l.replay.Log()
	x.Last = max(1, log.Next) - 1
	if l.to > 0 {
		r := l.records[l.to-1]
		x.To, x.Last = l.to, r.First+paxos.Index(r.Count)-1
	}
	if l.first > 1 {
		x.Control = encoded
	}
	return x, nil
}

// Values implements Source.
func (l *testLog) Values(_ context.Context, from paxos.Instance) ([]paxos.Vote, error) {
	if l.onPage != nil {
		l.onPage()
	}
	if from < l.first || int(from) > len(l.values) {
		return nil, nil
	}
	return l.values[from-1 : min(len(l.values), int(from)+6)], nil
}

// kept are the records that have entries, from an instance on.
func (l *testLog) kept(from, to paxos.Instance) (out []paxos.LogRecord) {
	for _, r := range l.records {
		if r.Count > 0 && r.Instance >= from && r.Instance <= to {
			out = append(out, r)
		}
	}
	return out
}

// take makes a backup with small frames.
func take(t testing.TB, l *testLog, opts Options) ([]byte, Report) {
	t.Helper()
	opts.Cluster = "orders"
	var b bytes.Buffer
	r, err := takeInto(&b, l, opts)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), r
}

func takeInto(w io.Writer, l *testLog, opts Options) (Report, error) {
	opts.frame = 300
	return Take(context.Background(), l, w, opts)
}

// files are backups in memory.
func files(all ...[]byte) (out []Opener) {
	for i, b := range all {
		out = append(out, Opener{Name: fmt.Sprintf("backup %d", i+1), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }})
	}
	return out
}

// readAll reads a series to its end.
func readAll(all ...[]byte) (values []paxos.PutApplied, s *Series, err error) {
	if s, err = NewSeries(files(all...)); err != nil {
		return nil, nil, err
	}
	for {
		p, err := s.Next()
		if errors.Is(err, io.EOF) {
			return values, s, nil
		}
		if err != nil {
			return nil, s, err
		}
		p.Value.Batch = bytes.Clone(p.Value.Batch)
		p.Record.Log = bytes.Clone(p.Record.Log)
		values = append(values, p)
	}
}

// mustRead reads a series and compares it with the log.
func mustRead(t testing.TB, l *testLog, first paxos.Instance, all ...[]byte) *Series {
	t.Helper()
	values, s, err := readAll(all...)
	if err != nil {
		t.Fatal(err)
	}
	if s.To() > 0 && len(values) != int(s.To()-first+1) {
		t.Fatalf("%d values from %d to %d", len(values), first, s.To())
	}
	for k, p := range values {
		i := first + paxos.Instance(k)
		want, r := l.values[i-1].Value, l.records[i-1]
		if p.Record.Instance != i || !p.Value.Equal(want) || p.Record.First != r.First || p.Record.Count != r.Count || !bytes.Equal(p.Record.Log, r.Log) || p.Record.Time != r.Time {
			t.Fatalf("instance %d: %+v, %+v", i, p, r)
		}
	}
	return s
}
