package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/paxos"
)

// ErrCheck says that the log is not what was answered.
var ErrCheck = errors.New("check failed")

// stream is what was answered in one session, and then how far the log was
// compared with it.
type stream struct {
	client   int
	base     uint64       // command s carries the client's value base+s
	answered uint64       // commands 1 to answered
	last     client.Index // the index of the last of them
	gaps     []byte       // the distance of each index from the one before, as uvarints: a byte or two each

	seen  uint64       // commands found in the log
	index client.Index // answered index of command seen
}

// Answers is a Watcher that keeps what was answered, to hold the log against it.
type Answers []*clientAnswers

// NewAnswers keeps those of so many clients.
func NewAnswers(clients int) Answers {
	all := make(Answers, clients)
	for i := range all {
		all[i] = &clientAnswers{}
	}
	return all
}

// Answered implements Watcher.
func (a Answers) Answered(p Place, _ []byte, r client.Result) error {
	return a[p.Client].add(p.Client, p.N, r)
}

// Failed implements Watcher.
func (a Answers) Failed(p Place, _ []byte, err error) {
	var unknown *client.UnknownOutcomeError
	if errors.As(err, &unknown) {
		a[p.Client].unknown(p.Client, p.N, unknown)
	}
}

// clientAnswers are the sessions of one client. One goroutine uses it.
type clientAnswers struct {
	streams map[paxos.SessionID]*stream
	current *stream
	id      paxos.SessionID
}

// add notes an answer to the client's value n.
func (a *clientAnswers) add(client int, n uint64, r client.Result) error {
	if a.current == nil || a.id != r.AppendID.Session {
		a.begin(client, n, r.AppendID)
	}
	s := a.current
	switch {
	case r.AppendID.Seq != s.answered+1 || s.base+r.AppendID.Seq != n:
		return fmt.Errorf("%w: the answer to append %s came where command %d was due", ErrCheck, r.AppendID, s.answered+1)
	case r.Index <= s.last:
		return fmt.Errorf("%w: append %s was answered with index %d, after an earlier one with %d", ErrCheck, r.AppendID, r.Index, s.last)
	}
	s.gaps = binary.AppendUvarint(s.gaps, uint64(r.Index-s.last))
	s.last = r.Index
	s.answered++
	return nil
}

// unknown notes that the client's value n may turn up.
func (a *clientAnswers) unknown(client int, n uint64, e *client.UnknownOutcomeError) {
	if a.current == nil || a.id != e.Session {
		a.begin(client, n, e.AppendID())
	}
}

func (a *clientAnswers) begin(client int, n uint64, id paxos.AppendID) {
	if a.streams == nil {
		a.streams = map[paxos.SessionID]*stream{}
	}
	a.id = id.Session
	a.current = &stream{client: client, base: n - id.Seq}
	a.streams[a.id] = a.current
}

// Check reads the log, from where it ended before the run. Every answered value must
// be at its index, once; no other may claim to be of this run; and each session's must
// be in order, without a gap. It returns how many answers it found; an error that
// matches ErrCheck says what is wrong.
func (a Answers) Check(values *Values, log iter.Seq2[client.Entry, error]) (found uint64, err error) {
	return newChecker(values, a).check(log)
}

// checker compares the log with what was answered.
type checker struct {
	values  *Values
	streams map[paxos.SessionID]*stream
	scratch []byte
}

func newChecker(values *Values, answers Answers) *checker {
	c := &checker{values: values, streams: map[paxos.SessionID]*stream{}, scratch: make([]byte, values.size)}
	for _, a := range answers {
		for id, s := range a.streams {
			c.streams[id] = s
		}
	}
	return c
}

// check does what Answers.Check says.
func (c *checker) check(log iter.Seq2[client.Entry, error]) (found uint64, err error) {
	for e, err := range log {
		if err != nil {
			return found, err
		}
		ok, err := c.entry(e)
		if err != nil {
			return found, err
		}
		if ok {
			found++
		}
	}
	for id, s := range c.streams {
		if s.seen < s.answered {
			return found, fmt.Errorf("%w: append %s was answered, and is not in the log", ErrCheck, paxos.AppendID{Session: id, Seq: s.seen + 1})
		}
	}
	return found, nil
}

// entry compares one entry; answered reports whether it is one that was answered.
func (c *checker) entry(e client.Entry) (answered bool, err error) {
	s := c.streams[e.AppendID.Session]
	if s == nil {
		if c.values.ours(e.Value) {
			return false, fmt.Errorf("%w: index %d holds a value of this run, appended by nobody of it as %s", ErrCheck, e.Index, e.AppendID)
		}
		return false, nil // somebody else's
	}
	seq := e.AppendID.Seq
	switch {
	case seq <= s.seen:
		return false, fmt.Errorf("%w: append %s is in the log twice, again at index %d", ErrCheck, e.AppendID, e.Index)
	case seq != s.seen+1:
		return false, fmt.Errorf("%w: append %s at index %d stands where %d is due", ErrCheck, e.AppendID, e.Index, s.seen+1)
	case !c.values.is(e.Value, c.scratch, s.client, s.base+seq):
		return false, fmt.Errorf("%w: index %d does not hold the value of append %s", ErrCheck, e.Index, e.AppendID)
	}
	s.seen = seq
	if seq > s.answered {
		return false, nil // its outcome was unknown
	}
	gap, n := binary.Uvarint(s.gaps)
	s.gaps = s.gaps[n:]
	s.index += client.Index(gap)
	if s.index != e.Index {
		return false, fmt.Errorf("%w: append %s was answered with index %d, and is at %d", ErrCheck, e.AppendID, s.index, e.Index)
	}
	return true, nil
}
