package node

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// asker is a machine that wants to be told the time at next, and notes what it is told.
type asker struct {
	next paxos.Ticks
	told []string
	late paxos.Ticks
	last paxos.Ticks
}

func (m *asker) Step(_ paxos.NodeID, msg paxos.Message) {
	if l, ok := msg.(*paxos.Late); ok {
		m.late = l.By
	}
	m.told = append(m.told, fmt.Sprintf("%T", msg))
}

func (m *asker) Tick(mono paxos.Ticks, _ paxos.UnixNanos) {
	switch {
	case mono >= m.next:
		m.told = append(m.told, "due")
	case mono == m.next-1:
		m.told = append(m.told, "not due yet")
	}
	m.last = mono
}

func (m *asker) Flush() paxos.Output { return paxos.Output{} }
func (m *asker) Next() paxos.Ticks   { return m.next }

// TestTurn: what has arrived is stepped before timers run out, unless the process was
// paused; and a machine that asked for no time is never late.
func TestTurn(t *testing.T) {
	const hour = paxos.Ticks(3_600_000)
	for name, c := range map[string]struct {
		next paxos.Ticks
		want []string
		late paxos.Ticks
	}{
		"before it is due":     {next: paxos.Never, want: []string{"*paxos.Query"}},
		"a little late":        {next: hour - 10, want: []string{"not due yet", "*paxos.Query", "due"}},
		"after a pause":        {next: hour - 60_000, want: []string{"*paxos.Late", "due", "*paxos.Query"}, late: 60_000},
		"it asked for no time": {next: paxos.Never, want: []string{"*paxos.Query"}},
		"it is busy":           {next: hour - 1000, want: []string{"not due yet", "*paxos.Query", "due"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := &asker{next: c.next}
			turn := turn{
				inbox: newInbox(1 << 20), me: "a1", act: func(paxos.Output) {}, machine: m, pause: 30_000,
				start: time.Now().Add(-time.Duration(hour) * time.Millisecond),
				last:  1, next: c.next, timer: time.NewTimer(time.Hour),
			}
			turn.inbox.putQuiet(item{from: "p1", msg: &paxos.Query{}})
			turn.take()
			if !slices.Equal(m.told, c.want) {
				t.Errorf("told %v, want %v", m.told, c.want)
			}
			if m.late < c.late || m.late > c.late+10_000 {
				t.Errorf("late by %d, want about %d", m.late, c.late)
			}
			if m.last < hour || turn.armed != max(c.next, turn.last+1) {
				t.Errorf("told that it is %d; the timer goes off at %d", m.last, turn.armed)
			}
		})
	}
}
