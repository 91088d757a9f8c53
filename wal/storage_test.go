package wal

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// storageOf is the version of Pebble's files in the directory.
func storageOf(t *testing.T, fs vfs.FS) pebble.FormatMajorVersion {
	t.Helper()
	desc, err := pebble.Peek(fs.PathJoin(dir, dbDir), fs)
	if err != nil || !desc.Exists {
		t.Fatalf("%+v, %v", desc, err)
	}
	return desc.FormatMajorVersion
}

// TestStorageFormat: Init makes Pebble's files in the version that is pinned, whatever
// the newest is, and Open leaves them in the version in which they are.
func TestStorageFormat(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleAcceptor)
	if got := storageOf(t, fs); got != 24 {
		t.Errorf("Init makes version %d", uint64(got))
	}

	older, db := vfs.NewMem(), fs.PathJoin(dir, dbDir)
	if err := Init(older, dir, identity(paxos.RoleAcceptor)); err != nil {
		t.Fatal(err)
	}
	id, err := ReadIdentity(older, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := older.RemoveAll(db); err != nil {
		t.Fatal(err)
	}
	d, err := pebble.Open(db, &pebble.Options{FS: older, FormatMajorVersion: 19, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Set([]byte{keyMeta}, binary.BigEndian.AppendUint64(nil, id.Incarnation), pebble.Sync), d.Close()); err != nil {
		t.Fatal(err)
	}
	for round := range uint64(3) {
		s := mustOpen(t, older, paxos.RoleAcceptor)
		raise(t, s, round+1, "p1")
		mustClose(t, s)
		if got := storageOf(t, older); got != 19 {
			t.Fatalf("after start %d it has version %d", round+1, uint64(got))
		}
	}
}

// TestNewerStorage: what a later version of paxlog has converted is left alone.
func TestNewerStorage(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleAcceptor)
	name := marker(t, fs, "marker.format-version")
	if err := fs.Rename(name, strings.TrimSuffix(name, ".024")+".025"); err != nil {
		t.Fatal(err)
	}
	before := files(t, fs, dir)
	_, err := Open(dir, identity(paxos.RoleAcceptor), Options{FS: fs, Fatal: neverFatal})
	if err == nil || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "format") {
		t.Errorf("got %v", err)
	}
	if after := files(t, fs, dir); !slices.Equal(before, after) {
		t.Errorf("files were %v, are %v", before, after)
	}
}

// marker is the path of Pebble's one file whose name begins so.
func marker(t *testing.T, fs vfs.FS, prefix string) string {
	t.Helper()
	db := fs.PathJoin(dir, dbDir)
	names, err := fs.List(db)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if strings.HasPrefix(n, prefix) {
			return fs.PathJoin(db, n)
		}
	}
	t.Fatalf("no %s in %v", prefix, names)
	return ""
}

// TestUnknownTag: an edit of a MANIFEST with a field that this program does not know may
// say anything, also how far writes had come. It is no damage.
func TestUnknownTag(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleAcceptor)
	s := mustOpen(t, fs, paxos.RoleAcceptor)
	raise(t, s, 1, "p1")
	mustClose(t, s)
	manifest := newestManifest(t, fs)
	f, err := fs.OpenReadWrite(manifest, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	old := readFile(t, fs, manifest)
	var edits [][]byte
	r := record.NewReader(strings.NewReader(string(old)), 0)
	for {
		next, err := r.Next()
		if err != nil {
			break
		}
		edit := make([]byte, 1<<10)
		n, _ := next.Read(edit)
		edits = append(edits, edit[:n])
	}
	w := record.NewWriter(f)
	for _, edit := range append(edits, binary.AppendUvarint(nil, 109)) {
		if _, err := w.WriteRecord(edit); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = Open(dir, identity(paxos.RoleAcceptor), Options{FS: fs, Fatal: neverFatal})
	want := "data: its MANIFEST holds a field that this program does not know: use the version of paxlog that wrote it (109)"
	if err == nil || err.Error() != want || errors.Is(err, ErrDamaged) {
		t.Errorf("got %v\nwant %s", err, want)
	}
	for tag := range uint64(300) {
		known := tag >= 1 && tag <= 7 || tag == 9 || tag >= 100 && tag <= 108 && tag != 101
		if _, _, err := readEdit(binary.AppendUvarint(nil, tag), 0, 0); (err == nil) != known {
			t.Errorf("tag %d: %v", tag, err)
		}
	}
}

// TestFirstVotesAreInTheNewerForm: Pebble writes the first log of a new database in an
// older form of chunks, whatever its version, since it raises the version later. In that
// form damage in the middle of the log passes for its end. Init closes the database, so
// the first votes are in the second log, where damage is told from an end.
func TestFirstVotesAreInTheNewerForm(t *testing.T) {
	const recyclableFull, withSyncFull = 5, 9 // record.go of Pebble: the type of a chunk
	chunk := func(fs vfs.FS) byte {
		logs := named(t, fs, ".log")
		return readFile(t, fs, logs[len(logs)-1])[6]
	}
	fs := vfs.NewMem()
	d, err := pebble.Open(fs.PathJoin(dir, dbDir), &pebble.Options{FS: fs, FormatMajorVersion: storageFormat, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Set([]byte("k"), nil, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if got := chunk(fs); got != recyclableFull {
		t.Errorf("the first log of a database has chunks of type %d: Init need not close it any more", got)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	fs = vfs.NewMem()
	initDir(t, fs, paxos.RoleAcceptor)
	s := mustOpen(t, fs, paxos.RoleAcceptor)
	raise(t, s, 1, "p1")
	if got := chunk(fs); got != withSyncFull {
		t.Errorf("the first vote is in a chunk of type %d", got)
	}
	mustClose(t, s)
}

// crowded is a file system with so many bytes free.
type crowded struct {
	vfs.FS
	free uint64
}

func (c crowded) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: c.free}, nil
}

// TestFreeSpace: a start that has no room is refused before anything is written, as a
// full disk; what its logs hold counts, since it copies that into tables. Reading needs
// no room.
func TestFreeSpace(t *testing.T) {
	mem := vfs.NewCrashableMem()
	initDir(t, mem, paxos.RoleAcceptor)
	open := func(fs vfs.FS, free uint64) error {
		s, err := Open(dir, identity(paxos.RoleAcceptor), Options{FS: crowded{fs, free}, Fatal: neverFatal})
		if err == nil {
			err = s.Close()
		}
		return err
	}
	const want = "the disk of data is full: free some space and start again, nothing acknowledged is lost (1.0 MB are free, and a start needs 8.4 MB: "
	if err := open(mem, 1e6); !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if err := open(mem, 9e6); err != nil {
		t.Error(err)
	}
	s := mustOpen(t, mem, paxos.RoleAcceptor)
	b := paxos.Ballot{Round: 1, Proposer: "p1"}
	mustCommit(t, s, []paxos.Record{paxos.SetPromised{Ballot: b}, paxos.PutVote{Vote: paxos.Vote{Instance: 1, Ballot: b, Value: paxos.Value{Batch: make([]byte, 1<<20)}}}}, true)
	left := mem.CrashClone(vfs.CrashCloneCfg{})
	mustClose(t, s)
	if err := open(left, 9e6); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("with a log of 1 MiB: %v", err)
	}
	r, err := Inspect(crowded{left, 0}, dir)
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, r)
	if err := open(left, 10e6); err != nil {
		t.Error(err)
	}
}
