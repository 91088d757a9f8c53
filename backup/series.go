package backup

import (
	"errors"
	"fmt"
	"io"

	"github.com/paxlog/paxlog/paxos"
)

// Opener opens one backup of a series, named as people name it.
type Opener struct {
	Name string
	Open func() (io.ReadCloser, error)
}

// Series reads backups that follow each other as if they were one: the first one, and then
// increments of it.
type Series struct {
	files []Opener
	at    int // of the file at hand, from 1
	r     *Reader
	from  io.Closer
	// Of the files before the one at hand:
	to     paxos.Instance
	state  []byte // after it
	joined bool   // the file at hand passes that state
	sum    Sum
	end    End
	first  Header
}

// NewSeries begins with the first file.
func NewSeries(files []Opener) (*Series, error) {
	s := &Series{files: files}
	if len(files) == 0 {
		return nil, errors.New("no backup is named")
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	s.first = s.r.Header
	return s, nil
}

// Header is that of the first file.
func (s *Series) Header() Header { return s.first }

// Log is how far the log goes that was read so far.
func (s *Series) Log() (paxos.LearnerState, paxos.Encoded) { return s.r.replay.Log() }

// State is the encoded state after that.
func (s *Series) State() []byte { return stateOf(s.r.replay) }

// Sum is the last sum of the last file, once Next has returned io.EOF.
func (s *Series) Sum() Sum { return s.sum }

// End is what all of them hold, and To the last instance, once Next has returned io.EOF.
func (s *Series) End() End { return s.end }

// To is the last instance.
func (s *Series) To() paxos.Instance { return s.to }

// named says which file an error is about.
func (s *Series) named(err error) error { return fmt.Errorf("%s: %w", s.files[s.at-1].Name, err) }

// open opens the next file, and checks that it follows those before.
func (s *Series) open() error {
	s.at++
	f, err := s.files[s.at-1].Open()
	if err != nil {
		return s.named(err)
	}
	r, err := NewReader(f)
	if err != nil {
		return errors.Join(s.named(err), f.Close())
	}
	if s.at > 1 {
		err = s.follows(r.Header)
	}
	if err != nil {
		return errors.Join(s.named(err), f.Close())
	}
	s.r, s.from, s.joined = r, f, false
	return nil
}

// follows returns an error unless a backup with this header follows those before.
func (s *Series) follows(h Header) error {
	before := s.files[s.at-2].Name
	switch p := s.r.Header; {
	case h.Cluster == p.Cluster && p.Log.IsZero() && !h.Log.IsZero():
		return fmt.Errorf("%w: it is of log %s, and %s of a log without an id: if the log got its id between them (`paxlog upgrade finalize`), the series begins anew with the backup of all of it that was made after that",
			ErrDiffers, h.Log, before)
	case h.Log != p.Log || h.Cluster != p.Cluster:
		return fmt.Errorf("%w: it is of log %s of cluster %s, and %s of log %s of cluster %s", ErrDiffers, orNone(h.Log), h.Cluster, before, orNone(p.Log), p.Cluster)
	case h.Sessions != p.Sessions:
		return fmt.Errorf("%w: its log remembers %d sessions, and that of %s %d", ErrDiffers, h.Sessions, before, p.Sessions)
	case h.After > s.to:
		return fmt.Errorf("%w: it begins after instance %d, and %s ends with %d: what is between them is missing", ErrDiffers, h.After, before, s.to)
	case h.To < s.to:
		return fmt.Errorf("%w: it ends with instance %d, before %s does, with %d: give the files in the order in which they were made", ErrDiffers, h.To, before, s.to)
	case h.Since != Sum{} && h.Since != s.sum:
		return fmt.Errorf("%w: it was made to go on from another backup than %s", ErrDiffers, before)
	}
	return nil // and Next compares the states
}

func orNone(id paxos.LogID) string {
	if id.IsZero() {
		return "(none)"
	}
	return id.String()
}

// Next returns what is chosen next, as Reader.Next does, over all files; io.EOF after the last
// one.
func (s *Series) Next() (paxos.PutApplied, error) {
	for {
		if s.at > 1 && s.r.replay.Applied() == s.to && !s.joined {
			if err := fits(s.state, s.r.replay); err != nil {
				return paxos.PutApplied{}, s.named(fmt.Errorf("%w, in which %s ends", err, s.files[s.at-2].Name))
			}
			s.joined = true
		}
		p, err := s.r.Next()
		switch {
		case err == nil && p.Record.Instance <= s.to:
			continue // the file before has it
		case err == nil:
			s.end.add(&p.Value, p.Record)
			return p, nil
		case !errors.Is(err, io.EOF):
			return p, s.named(err)
		}
		if err := s.close(); err != nil {
			return p, err
		}
		if s.at == len(s.files) {
			return p, io.EOF
		}
		if err := s.open(); err != nil {
			return p, err
		}
	}
}

// close ends the file at hand.
func (s *Series) close() error {
	if s.from == nil {
		return nil
	}
	err := s.from.Close()
	s.from = nil
	s.to, s.sum = s.r.Header.To, s.r.Sum()
	log, _ := s.r.replay.Log()
	s.end.close(log)
	s.state = stateOf(s.r.replay)
	return err
}

// Close gives up what was not read.
func (s *Series) Close() error {
	if s.from == nil {
		return nil
	}
	err := s.from.Close()
	s.from = nil
	return err
}
