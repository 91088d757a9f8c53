package backup

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
	"github.com/paxlog/paxlog/wal"
)

// directories are those of a new cluster while they are made: beside where they are to be, under
// a name of their own. Each of them is what an init that was cut off leaves until all have their
// log; then each is made usable, and the one that holds them gets its name, at once. So whatever
// ends a restore, nothing is there under that name, or all of it.
type directories struct {
	t       *Target
	partial string // holds them until they are complete
	lock    io.Closer
	all     []*directory
}

// directory is that of one process.
type directory struct {
	role    paxos.Role
	id      paxos.NodeID
	filling *wal.Filling
	number  uint64 // incarnation
	commit  *wal.Commit
	bytes   int // of commit
}

const (
	// marker tells that a directory was made by Restore, which may clear it.
	marker = "RESTORING"
	// commitBytes is how much one commit holds at least, but for the last one.
	commitBytes = 1 << 20
	// recordBytes is about what a record takes beside its value.
	recordBytes = 256
)

// create makes the directories, empty.
func (t *Target) create() (*directories, error) {
	if err := t.isFree(); err != nil {
		return nil, err
	}
	w := &directories{t: t, partial: t.Dir + ".restoring"}
	if err := t.FS.MkdirAll(t.FS.PathDir(t.Dir), 0o700); err != nil {
		return nil, err
	}
	lock, err := wal.Lock(t.FS, w.partial+".lock")
	if errors.Is(err, wal.ErrBusy) {
		return nil, fmt.Errorf("%s: another restore is at it: %w", t.Dir, err)
	}
	if err != nil {
		return nil, err
	}
	w.lock = lock
	err = w.clear()
	for _, id := range t.Members.Acceptors {
		err = w.add(err, paxos.RoleAcceptor, id)
	}
	for _, id := range t.Learners {
		err = w.add(err, paxos.RoleLearner, id)
	}
	if err != nil {
		return nil, errors.Join(err, w.abandon())
	}
	return w, nil
}

// isFree returns an error if there is something where the directories are to be.
func (t *Target) isFree() error {
	entries, err := t.FS.List(t.Dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty (it holds %s): restore makes a new cluster, and writes over nothing; choose another directory", t.Dir, entries[0])
	}
	return nil
}

// clear removes what a restore left that was cut off.
func (w *directories) clear() error {
	fs := w.t.FS
	entries, err := fs.List(w.partial)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	_, serr := fs.Stat(fs.PathJoin(w.partial, marker))
	if len(entries) > 0 && serr != nil {
		return fmt.Errorf("%s is not empty, and no restore made it: remove it", w.partial)
	}
	for _, e := range entries {
		if e == marker {
			continue // last of all
		}
		if err := fs.RemoveAll(fs.PathJoin(w.partial, e)); err != nil {
			return err
		}
	}
	if err := fs.MkdirAll(w.partial, 0o700); err != nil {
		return err
	}
	f, err := fs.Create(fs.PathJoin(w.partial, marker), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), syncDir(fs, w.partial), syncDir(fs, fs.PathDir(w.partial)))
}

// add makes one directory, unless something failed before.
func (w *directories) add(before error, role paxos.Role, id paxos.NodeID) error {
	if before != nil {
		return before
	}
	number, err := wal.NewIncarnation()
	if err != nil {
		return err
	}
	identity := wal.NewIdentity(w.t.Members, role, id)
	identity.Incarnation = number
	f, err := wal.Fill(w.t.FS.PathJoin(w.partial, string(id)), identity, wal.Options{FS: w.t.FS, Fatal: w.t.Fatal})
	if err != nil {
		return err
	}
	w.all = append(w.all, &directory{role: role, id: id, filling: f, number: number})
	return nil
}

// configuration is the first one of the log.
func (w *directories) configuration() control.Configuration {
	return control.ConfigurationOf(w.t.Members, func(id paxos.NodeID) uint64 {
		for _, d := range w.all {
			if d.id == id && d.role == paxos.RoleAcceptor {
				return d.number
			}
		}
		return 0
	})
}

// names are the directories where they are in the end.
func (w *directories) names() (out []string) {
	for _, d := range w.all {
		out = append(out, w.t.FS.PathJoin(w.t.Dir, string(d.id)))
	}
	return out
}

// fill gives each directory the log.
func (w *directories) fill(files []Opener, p plan, g control.Genesis, since paxos.Instance) error {
	b, err := begin(g, since, w.t.Learners, p.time)
	if err != nil {
		return err
	}
	r := b.replay()
	err = errors.Join(w.introduce(), w.write(paxos.RoleLearner, 0, paxos.Install{State: b.state.LearnerState, Control: b.state.Control}))
	put := func(v paxos.Value) error {
		written, known := r.Apply(v)
		if !known {
			return errors.New("a restored log begins with what this version does not know")
		}
		at := r.Applied()
		vote := paxos.PutVote{Vote: paxos.Vote{Instance: at, Ballot: v.Origin, Value: v}}
		return errors.Join(w.write(paxos.RoleAcceptor, len(v.Batch), vote), w.write(paxos.RoleLearner, len(v.Batch), written...))
	}
	for _, v := range b.values {
		if err == nil {
			err = put(v)
		}
	}
	if err == nil {
		err = w.t.values(files, p, put)
	}
	if err != nil {
		return err
	}
	log, state := r.Log()
	if log.Applied != g.Descent.Upto || max(1, log.Next)-1 != p.last {
		return fmt.Errorf("the restored log ends at instance %d with index %d, and should at %d with %d", log.Applied, log.Next-1, g.Descent.Upto, p.last)
	}
	return errors.Join(w.write(paxos.RoleAcceptor, 0, paxos.SetHeld{Held: log.Applied}, paxos.SetControl{State: state}), w.flush())
}

// introduce has everybody remember the acceptors, as if all had vouched for each other: none of
// them may be exchanged for one of another log, not even at the first start.
func (w *directories) introduce() error {
	for _, d := range w.all {
		for _, a := range w.all {
			if a.role != paxos.RoleAcceptor || a == d {
				continue
			}
			if err := d.write(0, paxos.SetPeer{ID: a.id, Peer: paxos.Peer{Incarnation: a.number}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// write adds records to all directories of a role.
func (w *directories) write(role paxos.Role, bytes int, records ...paxos.Record) error {
	for _, d := range w.all {
		if d.role != role {
			continue
		}
		if err := d.write(bytes, records...); err != nil {
			return err
		}
	}
	return nil
}

// write adds records, whose values have so many bytes.
func (d *directory) write(bytes int, records ...paxos.Record) error {
	if d.commit == nil {
		d.commit = d.filling.Store().NewCommit(len(records), bytes)
	}
	if err := d.commit.Add(records); err != nil {
		return err
	}
	if d.bytes += bytes + recordBytes; d.bytes < commitBytes {
		return nil
	}
	return d.apply()
}

// apply makes the commit at hand. It is synced when the directory is closed.
func (d *directory) apply() error {
	if d.commit == nil {
		return nil
	}
	err := d.commit.Apply(false)
	d.commit.Close()
	d.commit, d.bytes = nil, 0
	return err
}

// flush makes everything durable. No directory is usable yet.
func (w *directories) flush() error {
	for _, d := range w.all {
		if err := d.apply(); err != nil {
			return err
		}
		if err := d.filling.Close(); err != nil {
			return err
		}
	}
	return nil
}

// publish makes the directories usable, and gives them their name.
func (w *directories) publish() error {
	fs := w.t.FS
	for _, d := range w.all {
		f := d.filling
		d.filling = nil
		if err := f.Finish(); err != nil {
			return err
		}
	}
	if err := fs.Rename(w.partial, w.t.Dir); err != nil {
		return err
	}
	err := fs.Remove(fs.PathJoin(w.t.Dir, marker))
	err = errors.Join(err, syncDir(fs, w.t.Dir), syncDir(fs, fs.PathDir(w.t.Dir)))
	return errors.Join(err, w.unlock())
}

// unlock ends the lock, and removes its file: whoever comes next finds the directory.
func (w *directories) unlock() error {
	if w.lock == nil {
		return nil
	}
	err := w.t.FS.Remove(w.partial + ".lock")
	err = errors.Join(err, w.lock.Close())
	w.lock = nil
	return err
}

// abandon removes what was made, as far as that is possible: it is of no use.
func (w *directories) abandon() error {
	var failed []error
	for _, d := range w.all {
		if d.filling != nil {
			failed = append(failed, d.filling.Abandon())
		}
	}
	if len(w.all) > 0 {
		failed = append(failed, w.clear(), w.t.FS.RemoveAll(w.partial))
	}
	return errors.Join(append(failed, w.unlock())...)
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
