package node

import (
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wal"
)

// usage adds to answers about this process what its directory takes, and what is free on
// its volume. It looks when somebody asks: that may take long where a disk hangs, so nobody
// else waits for it, and an answer leaves without the figures, or with those of before,
// when it has waited usagePatience.
type usage struct {
	n *Node

	mu      sync.Mutex
	last    wal.Usage
	looking bool
	looked  time.Time        // when it was found out last
	answers []paxos.Envelope // that wait
}

// answer sends an answer about this process.
func (u *usage) answer(e paxos.Envelope) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answers = append(u.answers, e)
	if time.Since(u.looked) < usageEach {
		u.sendLocked()
		return
	}
	if len(u.answers) == 1 {
		time.AfterFunc(usagePatience, u.send)
	}
	if !u.looking {
		u.looking = true
		go u.look()
	} else if len(u.answers) > maxAnswers {
		go u.send()
	}
}

func (u *usage) look() {
	now, err := wal.UsageOf(u.n.opts.Dir)
	u.mu.Lock()
	u.looking = false
	if err == nil {
		u.last, u.looked = now, time.Now()
	}
	u.mu.Unlock()
	u.send()
}

// send sends the answers that wait.
func (u *usage) send() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sendLocked()
}

func (u *usage) sendLocked() {
	answers, last := u.answers, u.last
	u.answers = nil
	for i := range answers {
		r := *answers[i].Msg.(*paxos.StatusReply)
		r.DiskBytes, r.DiskFree = last.Bytes, last.Free
		now, begun := u.n.store.Formats()
		r.Format, r.Converts = uint64(now), uint64(begun)
		if r.DiskHangs == 0 {
			r.DiskHangs = u.n.disk.hangs()
		}
		answers[i].Msg = &r
	}
	u.n.send(answers)
}

// withClock adds to answers about this process what its clock shows.
func withClock(envelopes []paxos.Envelope) []paxos.Envelope {
	for i, e := range envelopes {
		if r, ok := e.Msg.(*paxos.StatusReply); ok {
			told := *r
			told.Clock = paxos.UnixNanos(time.Now().UnixNano())
			envelopes[i].Msg = &told
		}
	}
	return envelopes
}

// withoutAnswers gives answers about this process to usage, and returns the rest. There is
// nothing to be seen of a file system that is not the operating system's.
func (n *Node) withoutAnswers(envelopes []paxos.Envelope) []paxos.Envelope {
	if n.disk == nil || n.opts.FS != vfs.Default {
		return envelopes
	}
	for i, e := range envelopes {
		if _, ok := e.Msg.(*paxos.StatusReply); !ok {
			continue
		}
		rest := envelopes[:i:i]
		for _, e := range envelopes[i:] {
			if _, ok := e.Msg.(*paxos.StatusReply); ok {
				n.usage.answer(e)
			} else {
				rest = append(rest, e)
			}
		}
		return rest
	}
	return envelopes
}
