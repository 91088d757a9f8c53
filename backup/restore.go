package backup

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// Target is the cluster whose directories are made.
type Target struct {
	FS       vfs.FS
	Dir      string // gets a directory for each process, of its id; it must not be there, or be empty
	Members  paxos.Membership
	Learners []paxos.NodeID
	// What one value, and one entry, may take there.
	BatchBytes, EntryBytes int
	Log                    paxos.LogID // its id, drawn for it
	Now                    paxos.UnixNanos
	Until                  Until
	// Fatal is called when a write failed (wal.Options).
	Fatal func(error)
}

// Restored says what Restore made.
type Restored struct {
	Log         paxos.LogID
	From        control.Ancestor // the log that it was restored from
	First, Last paxos.Index      // Last is First-1 if there are no entries
	Time        paxos.UnixNanos  // of the last entry, 0 if there is none
	Directories []string
}

// plan is what the first reading of the backups says.
type plan struct {
	done   bool // nothing further is restored
	first  paxos.Index
	last   paxos.Index
	time   paxos.UnixNanos // of the log before the first entry
	at     paxos.UnixNanos // of the last entry
	values uint64          // of entries
	end    paxos.Instance  // the last instance restored
	state  control.State   // of the log there
	sum    Sum
}

// ErrNothing is returned when there is nothing to restore up to the point asked for.
var ErrNothing = errors.New("no such index")

// Restore makes the directories of a new cluster out of a series of backups. Everything is read
// and checked before anything is written, and read again while it is.
func Restore(files []Opener, t Target) (Restored, error) {
	p, err := t.survey(files)
	if err != nil {
		return Restored{}, err
	}
	d, since := p.state.Descend(p.end, p.first)
	if since == 0 {
		return Restored{}, fmt.Errorf("log %s was restored from so many logs before it that no instances are left for another one", orNone(p.state.Log))
	}
	d.Upto = since + 1 + firstValues + paxos.Instance(p.values)
	w, err := t.create()
	if err != nil {
		return Restored{}, err
	}
	g := control.Genesis{Log: t.Log, Level: control.Level, Time: t.Now, Sessions: uint64(t.Members.Sessions), Config: w.configuration(), Descent: d}
	err = w.fill(files, p, g, since)
	if err == nil {
		err = w.publish()
	}
	if err != nil {
		return Restored{}, errors.Join(err, w.abandon())
	}
	return Restored{
		Log: t.Log, From: control.Ancestor{Log: p.state.Log, Last: p.end}, First: p.first, Last: p.last, Time: p.at, Directories: w.names(),
	}, nil
}

// survey reads all backups once, and finds what of them is restored.
func (t *Target) survey(files []Opener) (plan, error) {
	s, err := NewSeries(files)
	if err != nil {
		return plan{}, err
	}
	h := s.Header()
	if (h.Since != Sum{}) {
		err := fmt.Errorf("%s: %w: it goes on from an earlier backup: name that before it", files[0].Name, ErrDiffers)
		return plan{}, errors.Join(err, s.Close())
	}
	log, _ := s.Log()
	p := plan{first: h.First, last: h.First - 1, time: log.Time, end: h.After}
	for {
		r, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = t.surveyed(&p, s, r.Record)
		}
		if err != nil {
			return p, errors.Join(err, s.Close())
		}
	}
	p.sum = s.Sum()
	if !p.done {
		_, encoded := s.Log()
		p.state, err = control.Decode(encoded, control.Level)
	}
	if u := t.Until; err == nil && u.Index > p.last {
		err = fmt.Errorf("%w: %d; the backup ends with %d", ErrNothing, u.Index, p.last)
	}
	return p, err
}

// surveyed takes the next record.
func (t *Target) surveyed(p *plan, s *Series, r paxos.LogRecord) error {
	if p.done {
		return nil
	}
	r, more := t.Until.cut(r)
	if r.Count > 0 || more {
		p.end = r.Instance
		p.last = r.First + paxos.Index(r.Count) - 1
	}
	if r.Count > 0 {
		if n := largest(r.Log); n > t.EntryBytes {
			return fmt.Errorf("an entry at or after index %d has %d bytes, and limits.entry_bytes of the new cluster is %d: raise it", r.First, n, t.EntryBytes)
		}
		p.at = r.Time
		p.values += uint64(len(pieces(r.Log, t.BatchBytes)))
	}
	if more {
		return nil
	}
	p.done = true
	_, encoded := s.Log()
	var err error
	p.state, err = control.Decode(encoded, control.Level)
	return err
}

// values calls f with the values of entries that are restored.
func (t *Target) values(files []Opener, p plan, f func(paxos.Value) error) error {
	s, err := NewSeries(files)
	if err != nil {
		return err
	}
	n := uint64(0)
	for done := false; ; {
		r, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.Join(err, s.Close())
		}
		if done {
			continue // to the end: it must be what was read before
		}
		record, more := t.Until.cut(r.Record)
		if done = !more; record.Count == 0 {
			continue
		}
		for _, batch := range pieces(record.Log, t.BatchBytes) {
			n++
			v := paxos.Value{Origin: record.Origin, Time: record.Time, Batch: append([]byte{}, batch...)}
			if err := f(v); err != nil {
				return errors.Join(err, s.Close())
			}
		}
	}
	if n != p.values || s.Sum() != p.sum {
		return fmt.Errorf("%w: the backups are not those that were read a moment ago: somebody changes them", ErrDiffers)
	}
	return nil
}
