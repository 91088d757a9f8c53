package wire

import (
	"bufio"
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// parcel is a message that only this test has: one struct, and one row.
type parcel struct {
	Number uint64
	Body   []byte `codec:"-"`
	Marks  []uint64
	Note   string `since:"3"`
}

func (*parcel) MessageKind() Kind { return 250 }

func parcelRow() paxos.Row {
	return paxos.NewRow[parcel](paxos.RolesOf(proposer), paxos.RolesOf(learner, client), "goes nowhere",
		paxos.OneValue(func(m paxos.Message) *[]byte { return &m.(*parcel).Body }), paxos.Elements(func(m paxos.Message) int { return len(m.(*parcel).Marks) }))
}

// TestOneStructOneRow: nothing but its row is needed for a message to be framed, judged,
// weighed and cut to what an older version has of it.
func TestOneStructOneRow(t *testing.T) {
	row := parcelRow()
	table := paxos.NewTable(row)
	b := newBook(table.Rows())
	m := &parcel{Number: 7, Body: []byte("a value"), Marks: []uint64{1, 2}, Note: "new"}
	for version, want := range map[uint64]*parcel{
		3: m,
		2: {Number: 7, Body: []byte("a value"), Marks: []uint64{1, 2}},
	} {
		frame, err := b.append(nil, m, version)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.read(bufio.NewReader(bytes.NewReader(frame)), 1<<20, version)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("version %d: %+v, %v", version, got, err)
		}
		if n := table.Row(m).Size(m); n < len(frame) {
			t.Errorf("a frame of %d bytes counts as %d", len(frame), n)
		}
		// The shape is that of the version: neither more nor fewer fields.
		for other := uint64(Oldest); other <= Version; other++ {
			if _, err := b.read(bufio.NewReader(bytes.NewReader(frame)), 1<<20, other); other != version && !errors.Is(err, ErrFrame) {
				t.Errorf("a frame of version %d was read as one of %d: %v", version, other, err)
			}
		}
	}
	if !table.MayStep(proposer, client, m) || table.MayStep(client, proposer, m) || table.Row(m).Urgent {
		t.Error("its row says who may send it, and whether it is urgent")
	}
	if n := paxos.Messages.Row(m).Size(m); n != ItemOverhead || MayStep(proposer, client, m) {
		t.Error("a message that is in no table may go nowhere")
	}
}

// rowOf is a row of a message with these fields.
type (
	misplaced struct {
		A uint64 `since:"3"`
		B uint64
	}
	unborn struct {
		A uint64 `since:"99"`
	}
	vague struct {
		A uint64 `since:"soon"`
	}
)

func (*misplaced) MessageKind() Kind { return 251 }
func (*unborn) MessageKind() Kind    { return 251 }
func (*vague) MessageKind() Kind     { return 251 }

// TestRowsThatCannotBe: a mistake in a row ends every process at its start, and so every test.
func TestRowsThatCannotBe(t *testing.T) {
	for want, make := range map[string]func(){
		"misplaced.B stands behind": func() { newBook(paxos.NewTable(paxos.NewRow[misplaced](0, 0, "")).Rows()) },
		`is since version "99"`:     func() { newBook(paxos.NewTable(paxos.NewRow[unborn](0, 0, "")).Rows()) },
		`is since version "soon"`:   func() { newBook(paxos.NewTable(paxos.NewRow[vague](0, 0, "")).Rows()) },
		"is not its own":            func() { paxos.NewTable(paxos.NewRow[unborn](0, 0, ""), paxos.NewRow[vague](0, 0, "")) },
	} {
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.Contains(got, want) {
					t.Errorf("it says %q, not %q", got, want)
				}
			}()
			make()
		}()
	}
}

// TestOlderVersion: what version 2 lacks is neither encoded for it nor taken from it, and
// all else is as it was.
func TestOlderVersion(t *testing.T) {
	for _, k := range kinds() {
		row := messages[k].row
		m := instances(k)["filled"]
		frame, err := AppendFor(nil, m, 2)
		if row.Since > 2 {
			if err == nil {
				t.Errorf("%s was encoded for version 2", row.Name)
			}
			_, err := ReadFrom(bufio.NewReader(bytes.NewReader(encode(t, m))), 1<<20, 2)
			if !errors.Is(err, ErrFrame) || !strings.Contains(err.Error(), "newer than version 2") {
				t.Errorf("%s was read from version 2: %v", row.Name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadFrom(bufio.NewReader(bytes.NewReader(frame)), 1<<20, 2); err != nil {
			t.Errorf("%s: %v", row.Name, err)
		}
	}
	for _, version := range []uint64{0, 1, Version + 1} {
		if _, err := AppendFor(nil, &Ping{}, version); err == nil {
			t.Errorf("version %d was encoded", version)
		}
	}
}

func BenchmarkTable(b *testing.B) {
	_, sent := benchMessages()
	sent = append(sent, &paxos.Heartbeat{}, &paxos.HeartbeatAck{}, &paxos.StatusReply{})
	b.Run("Size", func(b *testing.B) {
		for b.Loop() {
			for _, m := range sent {
				_ = Size(m)
			}
		}
	})
	b.Run("Urgent", func(b *testing.B) {
		for b.Loop() {
			for _, m := range sent {
				_ = Urgent(m)
			}
		}
	})
	b.Run("MayStep", func(b *testing.B) {
		for b.Loop() {
			for _, m := range sent {
				_ = MayStep(acceptor, learner, m)
			}
		}
	})
}
