package backup

import (
	"errors"
	"fmt"
	"io"

	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
)

// Reader reads and checks one backup.
type Reader struct {
	items
	Header Header
	base   []byte
	replay *learner.Replay
	end    End
	value  *pendingValue // read, and not returned yet
}

type pendingValue struct {
	i paxos.Instance
	v paxos.Value
}

// NewReader reads the beginning of a backup: its header and the state that it begins with.
func NewReader(r io.Reader) (*Reader, error) {
	k := &Reader{items: items{r: r}}
	if err := k.begin(); err != nil {
		return nil, err
	}
	kind, rest, err := k.next()
	if err == nil && kind != itemHeader {
		err = damaged("it does not begin with a header")
	}
	if err != nil {
		return nil, err
	}
	if k.Header, err = decodeHeader(rest); err != nil {
		return nil, err
	}
	k.base, kind, rest, err = k.state(itemBase)
	if err != nil {
		return nil, err
	}
	if k.replay, err = replayOf(k.Header.Sessions, k.base); err != nil {
		return nil, fmt.Errorf("%w: the state that it begins with: %w", ErrDamaged, err)
	}
	log, _ := k.replay.Log()
	if log.Applied != k.Header.After || max(1, log.Next) != k.Header.First {
		return nil, damaged("it says to begin after instance %d, index %d, and its state is that of %d, %d", k.Header.After, k.Header.First, log.Applied, log.Next)
	}
	return k, k.take(kind, rest)
}

// state reads the parts of a state and the item behind them.
func (k *Reader) state(part byte) (state []byte, kind byte, rest []byte, err error) {
	for {
		if kind, rest, err = k.next(); err != nil || kind != part {
			return state, kind, rest, err
		}
		if state = append(state, rest...); len(state) > maxState {
			return nil, 0, nil, damaged("its state is larger than any")
		}
	}
}

// take keeps the item at hand: a value, or how the backup ends.
func (k *Reader) take(kind byte, rest []byte) error {
	k.value = nil
	if kind == itemValue {
		i, v, err := decodeValue(rest)
		k.value = &pendingValue{i, v}
		return err
	}
	var state []byte
	var err error
	if kind == itemState {
		state = append(state, rest...)
		var more []byte
		if more, kind, rest, err = k.state(itemState); err != nil {
			return err
		}
		state = append(state, more...)
	}
	if kind != itemEnd {
		return damaged("an item of kind %d where the end should be", kind)
	}
	said, err := decodeEnd(rest)
	if err != nil {
		return err
	}
	log, _ := k.replay.Log()
	k.end.close(log)
	switch {
	case k.replay.Applied() != k.Header.To:
		return damaged("its values end at instance %d, and it says to go up to %d", k.replay.Applied(), k.Header.To)
	case said != k.end:
		return damaged("it says to end with %+v, and ends with %+v", said, k.end)
	}
	if err := fits(state, k.replay); err != nil {
		return err
	}
	return k.items.end()
}

// Next returns the value chosen next and what a learner keeps of it, whose bytes are good until
// the next call; io.EOF after the last one, when all of the backup was found in order.
func (k *Reader) Next() (paxos.PutApplied, error) {
	if k.value == nil {
		return paxos.PutApplied{}, io.EOF
	}
	if k.value.i != 0 { // not returned yet
		return k.apply()
	}
	kind, rest, err := k.next()
	if err == nil {
		err = k.take(kind, rest)
	}
	if err != nil {
		return paxos.PutApplied{}, err
	}
	return k.Next()
}

func (k *Reader) apply() (paxos.PutApplied, error) {
	i, v := k.value.i, k.value.v
	k.value.i = 0
	if i != k.replay.Applied()+1 {
		return paxos.PutApplied{}, damaged("instance %d follows %d", i, k.replay.Applied())
	}
	written, known := k.replay.Apply(v)
	if !known {
		return paxos.PutApplied{}, fmt.Errorf("instance %d has what this version does not know: use a newer version of paxlog", i)
	}
	r := recordOf(written)
	k.end.add(&v, r)
	return paxos.PutApplied{Record: r, Value: v}, nil
}

// All reads the rest.
func (k *Reader) All() error {
	for {
		if _, err := k.Next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// End is what the backup held, once Next has returned io.EOF.
func (k *Reader) End() End { return k.end }

// Sum is its last sum, once Next has returned io.EOF.
func (k *Reader) Sum() Sum { return k.sum }
