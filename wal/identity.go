package wal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// Format is the version of the layout that Init makes. Since 2 acceptors count their
// commits, since 3 learners fold what sessions did. Open leaves a directory in the
// format in which it is, so that the version of paxlog that wrote it can go on with it.
const Format = 3

// begunFormat is that of a directory whose log has a level: its control commands mean
// something to whoever applies them. It is Format with that word for earlier releases, which
// refuse it: they would pass over what those commands say.
const begunFormat = 4

// begunUnfolded is that of such a directory of a learner that was made in format 2: what sessions
// did is not folded in it.
const begunUnfolded = 5

// newestFormat is the highest that this program knows.
const newestFormat = begunUnfolded

// folds reports whether what sessions did is folded in a learner's directory.
func (id Identity) folds() bool { return id.Format == Format || id.Format == begunFormat }

// begun is the format of the directory once its log has a level.
func (id Identity) begun() int {
	switch {
	case id.Format >= begunFormat:
		return id.Format
	case id.Role == paxos.RoleLearner.String() && !id.folds():
		return begunUnfolded
	}
	return begunFormat
}

// marksFormat is the least format that is written. A directory of format 1 becomes one
// of this when it is opened: an acceptor that did not keep its mark with each commit
// could not be told from one that lost some, and nothing of format 1 can hold it.
const marksFormat = 2

// Errors of Init and Open. Each comes wrapped in a sentence for people.
var (
	ErrUninitialised = errors.New("not initialised")
	ErrInitialised   = errors.New("initialised already")
	ErrForeign       = errors.New("belongs to another node")
	ErrBusy          = errors.New("in use by another process")
	ErrDamaged       = errors.New("damaged")
)

// Identity says whose data a directory holds.
type Identity struct {
	Format      int              `json:"format"`
	Cluster     string           `json:"cluster"`
	Role        string           `json:"role"`
	ID          paxos.NodeID     `json:"id"`
	Incarnation uint64           `json:"incarnation,string"`
	Members     paxos.Membership `json:"members"`
	// Join is where others dial an acceptor that joins the log, and that the cluster file does
	// not name.
	Join string `json:"join,omitempty"`
	// From is where somebody is dialled who knows the processes of the log, as well as those of the
	// cluster file, of which none may be there any more; "" if nobody is.
	From string `json:"from,omitempty"`
}

// NewIdentity returns the identity of a node, without an incarnation.
func NewIdentity(m paxos.Membership, role paxos.Role, id paxos.NodeID) Identity {
	return Identity{Format: Format, Cluster: m.Cluster, Role: role.String(), ID: id, Members: m}
}

func (id Identity) name() string {
	return fmt.Sprintf("%s %s of cluster %s", id.Role, id.ID, id.Cluster)
}

const (
	identityFile = "IDENTITY"
	dbDir        = "db"
)

// writeIdentity puts the file in place whole or not at all. Its temporary file must be
// empty or missing. That of an Init is not made anew here: while it was missing, who
// looks would take the db beside it for one that was used.
func writeIdentity(fs vfs.FS, dir string, id Identity) error {
	data, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return err
	}
	tmp := fs.PathJoin(dir, identityFile+".tmp")
	f, err := fs.OpenReadWrite(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if err := fill(f, append(data, '\n')); err != nil {
		return err
	}
	if err := fs.Rename(tmp, fs.PathJoin(dir, identityFile)); err != nil {
		return err
	}
	return syncDirs(fs, dir)
}

// replaceIdentity puts another file in place of the one that is there.
func replaceIdentity(fs vfs.FS, dir string, id Identity) error {
	if err := fs.Remove(fs.PathJoin(dir, identityFile+".tmp")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // left by one that was cut off
	}
	return writeIdentity(fs, dir, id)
}

func writeFile(fs vfs.FS, name string, data []byte) error {
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	return fill(f, data)
}

// fill writes an empty file, durably, and closes it.
func fill(f vfs.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDirs makes the names in dir, and dir's own name, durable.
func syncDirs(fs vfs.FS, dir string) error {
	for _, d := range []string{dir, fs.PathDir(dir)} {
		h, err := fs.OpenDir(d)
		if err != nil {
			return err
		}
		if err := errors.Join(h.Sync(), h.Close()); err != nil {
			return err
		}
	}
	return nil
}

// ReadIdentity reads whose data dir holds. It returns an error that wraps
// ErrUninitialised if it was never initialised.
func ReadIdentity(fs vfs.FS, dir string) (Identity, error) {
	id, err := readIdentity(fs, dir)
	if errors.Is(err, errAppeared) {
		id, err = readIdentity(fs, dir)
	}
	return id, err
}

// errAppeared says that IDENTITY was missing, and is not any more: an Init is done.
var errAppeared = errors.New("appeared meanwhile")

// explainMissing says what it means that IDENTITY could not be opened. An Init may
// have put it in place since, renaming what told that the db beside it was never used:
// so whether it is there is looked at last.
func explainMissing(fs vfs.FS, dir string, err error) error {
	entries, lerr := fs.List(fs.PathJoin(dir, dbDir))
	used := lerr == nil && len(entries) > 0 && !hasTemp(fs, dir)
	_, serr := fs.Stat(fs.PathJoin(dir, identityFile))
	switch {
	case serr == nil && errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s: the file %s %w: ask again", dir, identityFile, errAppeared)
	case serr == nil:
		return fmt.Errorf("%s: %w", dir, err)
	case used:
		return fmt.Errorf("%s is %w: it has data but no %s file; restore that file from a copy", dir, ErrDamaged, identityFile)
	}
	return fmt.Errorf("%s is %w", dir, ErrUninitialised)
}

func readIdentity(fs vfs.FS, dir string) (Identity, error) {
	var id Identity
	f, err := fs.Open(fs.PathJoin(dir, identityFile))
	if errors.Is(err, os.ErrPermission) {
		return id, explain(dir, err)
	}
	if err != nil {
		return id, explainMissing(fs, dir, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err = errors.Join(err, f.Close()); err != nil {
		return id, fmt.Errorf("%s: %w", dir, err)
	}
	if err := json.Unmarshal(data, &id); err != nil || id.Incarnation == 0 {
		return id, fmt.Errorf("%s is %w: its %s file cannot be read: restore it from a copy", dir, ErrDamaged, identityFile)
	}
	if id.Format < 1 {
		return id, fmt.Errorf("%s is %w: its %s file names no format: restore it from a copy", dir, ErrDamaged, identityFile)
	}
	if id.Format > newestFormat {
		return id, fmt.Errorf("%s has format %d, this program knows format %d: use the version of paxlog that wrote it", dir, id.Format, newestFormat)
	}
	return id, nil
}

// hasTemp reports whether an Init was cut off before it put IDENTITY in place.
func hasTemp(fs vfs.FS, dir string) bool {
	_, err := fs.Stat(fs.PathJoin(dir, identityFile+".tmp"))
	return err == nil
}

// check returns an error that wraps ErrForeign unless id is whom want says.
func (id Identity) check(dir string, want Identity) error {
	if id.Cluster != want.Cluster || id.Role != want.Role || id.ID != want.ID {
		return fmt.Errorf("%s %w: it is of %s, not of %s; check --data and --id", dir, ErrForeign, id.name(), want.name())
	}
	if d := id.Members.Difference(want.Members); d != "" {
		return fmt.Errorf("%s was initialised with another cluster file (here: what it was initialised with, there: the file given now): %s; "+
			"acceptors, quorum sizes and limits.sessions cannot be changed: use the file that it was initialised with (%w)", dir, d, ErrForeign)
	}
	return nil
}
