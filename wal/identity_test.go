package wal

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/paxlog/paxlog/paxos"
)

func readFile(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mustWriteFile(t *testing.T, fs vfs.FS, name string, data []byte) {
	t.Helper()
	if err := writeFile(fs, name, data); err != nil {
		t.Fatal(err)
	}
}

// edit replaces text in a directory's IDENTITY.
func edit(t *testing.T, fs vfs.FS, from, to string) {
	t.Helper()
	name := fs.PathJoin(dir, identityFile)
	data := string(readFile(t, fs, name))
	if !strings.Contains(data, from) {
		t.Fatalf("no %q in %s", from, data)
	}
	mustWriteFile(t, fs, name, []byte(strings.Replace(data, from, to, 1)))
}

// TestOpenErrors has every way in which a directory is not what was asked for,
// and what people read then.
func TestOpenErrors(t *testing.T) {
	other := func(f func(*paxos.Membership)) Identity {
		id := identity(paxos.RoleAcceptor)
		id.Members.Acceptors = append([]paxos.NodeID(nil), id.Members.Acceptors...)
		f(&id.Members)
		id.Cluster = id.Members.Cluster
		return id
	}
	same := identity(paxos.RoleAcceptor)
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, fs *vfs.MemFS)
		want    Identity
		is      error
		text    string
	}{
		{"uninitialised", func(t *testing.T, fs *vfs.MemFS) { _ = fs.RemoveAll(dir) }, same, ErrUninitialised,
			"data is not initialised"},
		{"empty", func(t *testing.T, fs *vfs.MemFS) { _ = fs.RemoveAll(dir); _ = fs.MkdirAll(dir, 0o755) }, same, ErrUninitialised,
			"data is not initialised"},
		{"another id", nil, NewIdentity(members, paxos.RoleAcceptor, "a2"), ErrForeign,
			"data belongs to another node: it is of acceptor a1 of cluster c, not of acceptor a2 of cluster c; check --data and --id"},
		{"another role", nil, NewIdentity(members, paxos.RoleLearner, "a1"), ErrForeign,
			"data belongs to another node: it is of acceptor a1 of cluster c, not of learner a1 of cluster c; check --data and --id"},
		{"another cluster", nil, other(func(m *paxos.Membership) { m.Cluster = "d" }), ErrForeign,
			"data belongs to another node: it is of acceptor a1 of cluster c, not of acceptor a1 of cluster d; check --data and --id"},
		{"other acceptors", nil, other(func(m *paxos.Membership) { m.Acceptors[2] = "a4" }), ErrForeign,
			"data was initialised with another cluster file (here: what it was initialised with, there: the file given now): acceptors [a1 a2 a3] here, [a1 a2 a4] there; " +
				"acceptors, quorum sizes and limits.sessions cannot be changed: use the file that it was initialised with (belongs to another node)"},
		{"other quorums", nil, other(func(m *paxos.Membership) { m.Phase1 = 3 }), ErrForeign,
			"data was initialised with another cluster file (here: what it was initialised with, there: the file given now): quorums phase1=2 phase2=2 here, phase1=3 phase2=2 there; " +
				"acceptors, quorum sizes and limits.sessions cannot be changed: use the file that it was initialised with (belongs to another node)"},
		{"other sessions", nil, other(func(m *paxos.Membership) { m.Sessions = 7 }), ErrForeign,
			"data was initialised with another cluster file (here: what it was initialised with, there: the file given now): limits.sessions 100 here, 7 there; " +
				"acceptors, quorum sizes and limits.sessions cannot be changed: use the file that it was initialised with (belongs to another node)"},
		{"several differences", nil, other(func(m *paxos.Membership) { m.Acceptors = m.Acceptors[:2]; m.Sessions = 7 }), ErrForeign,
			"data was initialised with another cluster file (here: what it was initialised with, there: the file given now): acceptors [a1 a2 a3] here, [a1 a2] there; limits.sessions 100 here, 7 there; " +
				"acceptors, quorum sizes and limits.sessions cannot be changed: use the file that it was initialised with (belongs to another node)"},
		{"damaged IDENTITY", func(t *testing.T, fs *vfs.MemFS) { mustWriteFile(t, fs, "data/IDENTITY", []byte(`{"format": 1, `)) }, same, ErrDamaged,
			"data is damaged: its IDENTITY file cannot be read: restore it from a copy"},
		{"empty IDENTITY", func(t *testing.T, fs *vfs.MemFS) { mustWriteFile(t, fs, "data/IDENTITY", nil) }, same, ErrDamaged,
			"data is damaged: its IDENTITY file cannot be read: restore it from a copy"},
		{"no incarnation", func(t *testing.T, fs *vfs.MemFS) { edit(t, fs, `"incarnation"`, `"incarnatiom"`) }, same, ErrDamaged,
			"data is damaged: its IDENTITY file cannot be read: restore it from a copy"},
		{"missing IDENTITY", func(t *testing.T, fs *vfs.MemFS) { _ = fs.Remove("data/IDENTITY") }, same, ErrDamaged,
			"data is damaged: it has data but no IDENTITY file; restore that file from a copy"},
		{"missing db", func(t *testing.T, fs *vfs.MemFS) { _ = fs.RemoveAll("data/db") }, same, ErrDamaged,
			"data is damaged: it has no db directory; restore it from a copy"},
		{"newer format", func(t *testing.T, fs *vfs.MemFS) { edit(t, fs, `"format": 3`, `"format": 6`) }, same, nil,
			"data has format 6, this program knows format 5: use the version of paxlog that wrote it"},
		{"another incarnation", func(t *testing.T, fs *vfs.MemFS) {
			edit(t, fs, `"incarnation": "`, `"incarnation": "0`) // the same number
			edit(t, fs, `"incarnation": "`, `"incarnation": "1`)
		}, same, ErrDamaged, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := vfs.NewMem()
			initDir(t, fs, paxos.RoleAcceptor)
			if c.prepare != nil {
				c.prepare(t, fs)
			}
			_, err := Open(dir, c.want, Options{FS: fs, Fatal: neverFatal})
			if err == nil {
				t.Fatal("Open succeeded")
			}
			if c.text != "" && err.Error() != c.text {
				t.Errorf("Open:\n got %s\nwant %s", err, c.text)
			}
			for _, is := range []error{ErrUninitialised, ErrInitialised, ErrForeign, ErrBusy, ErrDamaged} {
				if got, want := errors.Is(err, is), is == c.is; got != want {
					t.Errorf("%v: is %q: %v", err, is, got)
				}
			}
			// Nothing is held after a refusal, and asking again is told the same.
			if _, again := Open(dir, c.want, Options{FS: fs, Fatal: neverFatal}); again == nil || again.Error() != err.Error() {
				t.Errorf("Open again: %v, first %v", again, err)
			}
		})
	}
}

// TestSwappedIdentity: the IDENTITY of one directory beside the data of another
// of the same node, as a careless restore leaves it.
func TestSwappedIdentity(t *testing.T) {
	fs := vfs.NewMem()
	id := identity(paxos.RoleAcceptor)
	for _, d := range []string{"one", "two"} {
		if err := Init(fs, d, id); err != nil {
			t.Fatal(err)
		}
	}
	one, two := readFile(t, fs, "one/IDENTITY"), readFile(t, fs, "two/IDENTITY")
	mustWriteFile(t, fs, "one/IDENTITY", two)
	mustWriteFile(t, fs, "two/IDENTITY", one)
	for _, d := range []string{"one", "two"} {
		for range 2 {
			_, err := Open(d, id, Options{FS: fs, Fatal: neverFatal})
			want := d + " is damaged: IDENTITY and db do not belong together; restore both from one copy"
			if !errors.Is(err, ErrDamaged) || err.Error() != want {
				t.Errorf("Open:\n got %v\nwant %s", err, want)
			}
		}
	}
}

// TestBusy: one process at a time, and the next one when it is done.
func TestBusy(t *testing.T) {
	for name, c := range map[string]struct {
		fs   vfs.FS
		path string
	}{"memory": {vfs.NewMem(), dir}, "disk": {vfs.Default, filepath.Join(t.TempDir(), dir)}} {
		t.Run(name, func(t *testing.T) {
			id := identity(paxos.RoleLearner)
			if err := Init(c.fs, c.path, id); err != nil {
				t.Fatal(err)
			}
			open := func() (*Store, error) { return Open(c.path, id, Options{FS: c.fs, Fatal: neverFatal}) }
			for range 2 {
				s, err := open()
				if err != nil {
					t.Fatal(err)
				}
				_, err = open()
				if !errors.Is(err, ErrBusy) || err.Error() != c.path+" is in use by another process; stop that one first" {
					t.Fatalf("open twice: %v", err)
				}
				if _, err := Inspect(c.fs, c.path); !errors.Is(err, ErrBusy) {
					t.Fatalf("Inspect of an open one: %v", err)
				}
				mustClose(t, s)
			}
		})
	}
}

// TestPermission: a directory of another user is neither in use nor uninitialised,
// which would invite to initialise it.
func TestPermission(t *testing.T) {
	for _, denied := range []string{identityFile, "LOCK", "MANIFEST-000001"} {
		mem := vfs.NewMem()
		initDir(t, mem, paxos.RoleAcceptor)
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if strings.HasSuffix(op.Path, "/"+denied) && (op.Kind == errorfs.OpOpen || op.Kind == errorfs.OpLock) {
				return &os.PathError{Op: "open", Path: op.Path, Err: syscall.EACCES}
			}
			return nil
		}))
		_, opened := Open(dir, identity(paxos.RoleAcceptor), Options{FS: fs, Fatal: neverFatal})
		_, inspected := Inspect(fs, dir)
		for _, err := range []error{opened, inspected} {
			if err == nil || !strings.HasPrefix(err.Error(), "data belongs to another user: ") || errors.Is(err, ErrBusy) || errors.Is(err, ErrUninitialised) || errors.Is(err, ErrDamaged) {
				t.Errorf("%s: %v", denied, err)
			}
		}
	}
}

// TestInitRefusals: a directory is initialised once, and only an empty one.
func TestInitRefusals(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleAcceptor)
	before := readFile(t, fs, "data/IDENTITY")
	for _, role := range roles {
		err := Init(fs, dir, identity(role))
		if want := "data is initialised already, for acceptor a1 of cluster c; a data directory is initialised once"; !errors.Is(err, ErrInitialised) || err.Error() != want {
			t.Errorf("Init twice:\n got %v\nwant %s", err, want)
		}
	}
	if string(readFile(t, fs, "data/IDENTITY")) != string(before) {
		t.Error("a refused Init changed IDENTITY")
	}
	mustClose(t, mustOpen(t, fs, paxos.RoleAcceptor))

	// Without its IDENTITY, data is not taken for an empty directory.
	if err := fs.Remove("data/IDENTITY"); err != nil {
		t.Fatal(err)
	}
	if err := Init(fs, dir, identity(paxos.RoleAcceptor)); !errors.Is(err, ErrDamaged) {
		t.Errorf("Init over data: %v", err)
	}
	mustWriteFile(t, fs, "data/IDENTITY", before)
	mustClose(t, mustOpen(t, fs, paxos.RoleAcceptor))

	if err := fs.MkdirAll("home", 0o755); err != nil {
		t.Fatal(err)
	}
	mustWriteFile(t, fs, "home/thesis.tex", []byte("do not touch"))
	err := Init(fs, "home", identity(paxos.RoleAcceptor))
	if want := "home is not empty (it holds thesis.tex) and holds no paxlog data: choose another directory"; err == nil || err.Error() != want {
		t.Errorf("Init of home:\n got %v\nwant %s", err, want)
	}
	if string(readFile(t, fs, "home/thesis.tex")) != "do not touch" {
		t.Error("Init touched what was there")
	}
	mustWriteFile(t, fs, "file", nil)
	if err := Init(fs, "file", identity(paxos.RoleAcceptor)); err == nil {
		t.Error("Init of a file succeeded")
	}
}

// TestIncarnations: two directories of one node differ.
func TestIncarnations(t *testing.T) {
	fs, seen := vfs.NewMem(), map[uint64]bool{}
	for _, d := range []string{"one", "two", "three"} {
		if err := Init(fs, d, identity(paxos.RoleAcceptor)); err != nil {
			t.Fatal(err)
		}
		id, err := ReadIdentity(fs, d)
		if err != nil || id.Incarnation == 0 || seen[id.Incarnation] {
			t.Fatalf("%+v, %v", id, err)
		}
		seen[id.Incarnation] = true
		want := identity(paxos.RoleAcceptor)
		want.Incarnation = id.Incarnation
		equal(t, "identity", id, want)
	}
}

// TestOlderFormat: a directory of format 1, whose peers have no marks and whose
// acceptor has none, is one of format 2 once it is opened, and not before. One of format
// 2 stays so.
func TestOlderFormat(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleAcceptor)
	edit(t, fs, `"format": 3`, `"format": 1`)
	s, err := Inspect(fs, dir)
	if err != nil || s.Identity().Format != 1 {
		t.Fatalf("inspecting: %+v, %v", s, err)
	}
	mustClose(t, s)
	s = mustOpen(t, fs, paxos.RoleAcceptor)
	old := s.db.NewBatch()
	if err := errors.Join(old.Set([]byte("ia2"), binary.BigEndian.AppendUint64(nil, 7), nil), s.db.Apply(old, pebble.Sync)); err != nil {
		t.Fatal(err)
	}
	st, err := s.Acceptor()
	if err != nil || st.Commits != 0 || st.Forgot || st.Peers["a2"] != (paxos.Peer{Incarnation: 7}) {
		t.Fatalf("%+v, %v", st, err)
	}
	for range 2 {
		mustClose(t, s)
		if id, err := ReadIdentity(fs, dir); err != nil || id.Format != 2 {
			t.Fatalf("%+v, %v", id, err)
		}
		s = mustOpen(t, fs, paxos.RoleAcceptor)
		mustCommit(t, s, []paxos.Record{paxos.SetHeld{}}, true)
	}
	mustClose(t, s)
}
