package wal

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// Format is the version of the layout of data directories. Since 2 acceptors count
// their commits, since 3 learners fold what sessions did; a directory of an earlier
// format becomes one of this when it is opened.
const Format = 3

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

// Init initialises dir for id with a fresh incarnation. It returns an error that
// wraps ErrInitialised if dir holds a node's data, and another if it is not empty.
func Init(fs vfs.FS, dir string, id Identity) error {
	old, err := ReadIdentity(fs, dir)
	switch {
	case err == nil:
		return fmt.Errorf("%s is %w, for %s; a data directory is initialised once", dir, ErrInitialised, old.name())
	case !errors.Is(err, ErrUninitialised):
		return err
	}
	if info, err := fs.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is a file: a data directory is needed", dir)
	}
	if entries, err := fs.List(dir); err == nil {
		for _, e := range entries {
			if e != dbDir && !strings.HasPrefix(e, identityFile) { // left by an Init that was cut off
				return fmt.Errorf("%s is not empty (it holds %s) and holds no paxlog data: choose another directory", dir, e)
			}
		}
	}
	if err := fs.RemoveAll(fs.PathJoin(dir, dbDir)); err != nil {
		return explain(dir, err)
	}
	if err := mkdirAll(fs, dir); err != nil {
		return explain(dir, err)
	}
	// From here until IDENTITY is in place, its temporary file tells that a db
	// beside it was never used.
	if err := writeFile(fs, fs.PathJoin(dir, identityFile+".tmp"), nil); err != nil {
		return explain(dir, err)
	}
	if err := syncDirs(fs, dir); err != nil {
		return explain(dir, err)
	}
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	id.Incarnation = binary.BigEndian.Uint64(random[:]) | 1 // never 0
	if err := initDB(fs, fs.PathJoin(dir, dbDir), id.Incarnation); err != nil {
		return explain(dir, err)
	}
	if err := writeIdentity(fs, dir, id); err != nil {
		return explain(dir, err)
	}
	return nil
}

// mkdirAll makes dir and the directories above it that are missing, durably.
func mkdirAll(fs vfs.FS, dir string) error {
	var made []string
	for d := dir; d != fs.PathDir(d); d = fs.PathDir(d) {
		if _, err := fs.Stat(d); err == nil {
			break
		}
		made = append(made, d)
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, d := range made {
		if err := syncDirs(fs, d); err != nil {
			return err
		}
	}
	return nil
}

func initDB(fs vfs.FS, dir string, incarnation uint64) (err error) {
	// Pebble panics when some of its writes fail. Here that is an error like any
	// other: nothing has been promised yet.
	defer func() {
		if v := recover(); v != nil {
			err = errors.Join(err, panicked(v))
		}
	}()
	db, err := pebble.Open(dir, &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatNewest, ErrorIfExists: true, Logger: quiet{}})
	if err != nil {
		return err
	}
	err = db.Set([]byte{keyMeta}, binary.BigEndian.AppendUint64(nil, incarnation), pebble.Sync)
	return errors.Join(err, db.Close())
}

// writeIdentity puts the file in place whole or not at all.
func writeIdentity(fs vfs.FS, dir string, id Identity) error {
	data, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return err
	}
	tmp := fs.PathJoin(dir, identityFile+".tmp")
	if err := writeFile(fs, tmp, append(data, '\n')); err != nil {
		return err
	}
	if err := fs.Rename(tmp, fs.PathJoin(dir, identityFile)); err != nil {
		return err
	}
	return syncDirs(fs, dir)
}

func writeFile(fs vfs.FS, name string, data []byte) error {
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
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
	var id Identity
	f, err := fs.Open(fs.PathJoin(dir, identityFile))
	if errors.Is(err, os.ErrPermission) {
		return id, explain(dir, err)
	}
	if err != nil {
		if entries, lerr := fs.List(fs.PathJoin(dir, dbDir)); lerr == nil && len(entries) > 0 && !hasTemp(fs, dir) {
			return id, fmt.Errorf("%s is %w: it has data but no %s file; restore that file from a copy", dir, ErrDamaged, identityFile)
		}
		if _, serr := fs.Stat(fs.PathJoin(dir, identityFile)); serr == nil {
			return id, fmt.Errorf("%s: %w", dir, err)
		}
		return id, fmt.Errorf("%s is %w", dir, ErrUninitialised)
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
	if id.Format > Format {
		return id, fmt.Errorf("%s has format %d, this program knows format %d: use the version of paxlog that wrote it", dir, id.Format, Format)
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
