package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// Options of Open.
type Options struct {
	FS vfs.FS
	// Fatal is called, possibly from a goroutine of Pebble, when a write or sync
	// failed. It must stop the process, and not return: nothing may be answered any
	// more, and Pebble may panic if it hears of the error.
	Fatal func(error)
	// Synced, if not nil, is called when commits have become durable, of which
	// Commit.Durable tells. It is called by who synced, mostly a goroutine of Pebble's, or
	// by who applies a commit; it must neither wait nor use the Store.
	Synced func()
	// LowBytes is what is kept free on the volume at first: a store that finds less is short (Room). Of
	// a small volume it is a part.
	LowBytes uint64
	// ReadOnly opens for inspection.
	ReadOnly bool
	// FoldEach is, if not 0, how many runs and changes of sessions a learner's store
	// keeps before it folds them, and any byte that was trimmed is worth cutting out; for tests.
	FoldEach int
	// Tables is how many tables may be open at once; 0: as many as Pebble thinks right.
	Tables int

	adjust func(*pebble.Options) // of benchmarks, which compare options
}

func (o Options) fold() foldLimits {
	limits := defaultFold
	if o.FoldEach > 0 {
		limits.count = o.FoldEach
	}
	return limits
}

// Store is an open data directory.
type Store struct {
	dir  string
	id   Identity
	db   *pebble.DB
	lock *pebble.Lock
	opts Options

	ending sync.Once
	low    atomic.Uint64 // as Options.LowBytes, or what came after it
	writes *writable     // the file system, if this is open for writing
	volume *volume       // likewise
	// scratch holds the key and the start of the value that a commit adds; it belongs
	// to the goroutine that makes commits.
	scratch []byte
	recent  *recent // of a learner
	// marked says that IDENTITY was made one of begunFormat since it was read; unmarkable, why
	// it could not be: nothing is written any more.
	marked     atomic.Bool
	unmarkable error // belongs to who applies commits
	// trimmed says that Sweep may find something; so does a start.
	trimmed atomic.Bool
}

// Open opens dir, which must be want's. It returns errors that wrap
// ErrUninitialised, ErrForeign, ErrBusy or ErrDamaged.
func Open(dir string, want Identity, opts Options) (*Store, error) {
	id, err := ReadIdentity(opts.FS, dir)
	if err != nil {
		return nil, err
	}
	if err := id.check(dir, want); err != nil {
		return nil, err
	}
	return open(dir, id, opts)
}

// Inspect opens dir read-only, whosever it is.
func Inspect(fs vfs.FS, dir string) (*Store, error) {
	id, err := ReadIdentity(fs, dir)
	if err != nil {
		return nil, err
	}
	return open(dir, id, Options{FS: fs, ReadOnly: true, Fatal: func(error) {}})
}

func open(dir string, id Identity, opts Options) (*Store, error) {
	s := &Store{dir: dir, id: id, opts: opts}
	s.low.Store(opts.LowBytes)
	if opts.ReadOnly {
		opts.FS = readOnly{opts.FS}
	} else {
		s.volume = newVolume(opts.FS, dir)
		s.writes = &writable{FS: opts.FS, failed: s.fatal, synced: opts.Synced, memTable: memTableOf(id, s.volume.total), volume: s.volume}
		if opts.Synced == nil {
			s.writes.synced = func() {}
		}
		opts.FS = s.writes
	}
	s.opts.FS = opts.FS
	db := opts.FS.PathJoin(dir, dbDir)
	if _, err := opts.FS.Stat(db); err != nil {
		return nil, fmt.Errorf("%s is %w: it has no %s directory; restore it from a copy", dir, ErrDamaged, dbDir)
	}
	var err error
	if s.lock, err = pebble.LockDirectory(db, opts.FS); err != nil {
		if isLocked(err) {
			return nil, fmt.Errorf("%s is %w; stop that one first", dir, ErrBusy)
		}
		return nil, explain(dir, err)
	}
	last, err := s.openPebble(db)
	if err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	if err := checkHidden(s.db, last); err != nil {
		return nil, errors.Join(explainOpen(dir, err), s.Close())
	}
	if err := s.begin(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// openPebble opens the database, if there is room for that. last is the number of the last
// write that its files show.
func (s *Store) openPebble(db string) (last uint64, err error) {
	po := &pebble.Options{
		FS: s.opts.FS, Lock: s.lock, ReadOnly: s.opts.ReadOnly, ErrorIfNotExists: true,
		Logger: fatalLogger{s},
		EventListener: &pebble.EventListener{
			// Pebble retries failed flushes for ever: after a failed write the only
			// sound thing is to stop.
			BackgroundError: func(err error) {
				if !errors.Is(err, errClosing) {
					s.fatal(err)
				}
			},
			DataCorruption: func(i pebble.DataCorruptionInfo) { s.fatal(i.Details) },
		},
	}
	memTable := int64(maxMemTable)
	if s.writes != nil {
		memTable = s.writes.memTable
	}
	tune(po, memTable)
	if s.opts.Tables > 0 {
		po.FileCache = pebble.NewFileCache(min(runtime.GOMAXPROCS(0), 1+s.opts.Tables/64), s.opts.Tables)
		defer po.FileCache.Unref() // the database has a reference of its own
	}
	if s.opts.adjust != nil {
		s.opts.adjust(po)
	}
	found, err := peek(s.opts.FS, s.dir, db)
	if err == nil && !s.opts.ReadOnly {
		err = s.volume.checkFree(found.logged)
	}
	if err != nil {
		return 0, err
	}
	po.FormatMajorVersion = found.version
	if s.db, err = pebble.Open(db, po); err != nil {
		return 0, explainOpen(s.dir, err)
	}
	return found.last, nil
}

// begin reads what a store has to know of itself, and brings a directory of an older release
// to the format that this one writes.
func (s *Store) begin() error {
	if err := s.checkMeta(); err != nil {
		return err
	}
	if s.id.Role == paxos.RoleLearner.String() {
		if err := s.openRecent(); err != nil {
			return err
		}
	}
	if s.opts.ReadOnly {
		return nil
	}
	ranges, err := s.trimmedRanges()
	if err != nil {
		return err
	}
	s.trimmed.Store(len(ranges) > 0)
	if s.id.Format >= marksFormat {
		return nil
	}
	s.id.Format = marksFormat
	if err := replaceIdentity(s.opts.FS, s.dir, s.id); err != nil {
		return explain(s.dir, err)
	}
	return nil
}

// checkMeta makes sure that db belongs to IDENTITY.
func (s *Store) checkMeta() error {
	v, err := s.get([]byte{keyMeta})
	if err != nil {
		return err
	}
	if len(v) != 8 || binary.BigEndian.Uint64(v) != s.id.Incarnation {
		return fmt.Errorf("%s is %w: %s and %s do not belong together; restore both from one copy", s.dir, ErrDamaged, identityFile, dbDir)
	}
	return nil
}

// advice says what people can do about an error of the system. What was acknowledged
// was synced, so nothing of it is lost.
var advice = []struct {
	is  error
	say string // %[1]s is the directory, %[2]w the error
}{
	{syscall.ENOSPC, "the disk of %[1]s is full: free some space and start again, nothing acknowledged is lost (%[2]w)"},
	{syscall.EDQUOT, "the quota of the disk of %[1]s is used up: raise it or free some space and start again, nothing acknowledged is lost (%[2]w)"},
	{syscall.EFBIG, "a file of %[1]s may not become larger: raise the limit of file sizes (ulimit -f, LimitFSIZE=) and start again, nothing acknowledged is lost (%[2]w)"},
	{syscall.EMFILE, "this process has too many files open for %[1]s: raise the limit (ulimit -n, LimitNOFILE=) and start again, nothing acknowledged is lost (%[2]w)"},
	{syscall.ENFILE, "this machine has too many files open for %[1]s: raise the limit (sysctl fs.file-max) and start again, nothing acknowledged is lost (%[2]w)"},
	{syscall.EROFS, "the file system of %[1]s is mounted read-only, often after its disk failed: look at the kernel's log, mount it for writing, and start again (%[2]w)"},
	{syscall.EIO, "the disk of %[1]s fails: look at the kernel's log, and start again when it is sound, nothing acknowledged is lost (%[2]w)"},
	{os.ErrPermission, "%[1]s belongs to another user: %[2]w; run as its owner, or give it to this user"},
}

// explain turns an error of the storage into a sentence.
func explain(dir string, err error) error {
	for _, a := range advice {
		if errors.Is(err, a.is) {
			return fmt.Errorf(a.say, dir, err)
		}
	}
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%s is %w: %w; restore it from a copy", dir, ErrDamaged, err)
	}
	return fmt.Errorf("%s: %w", dir, err)
}

// explainOpen explains an error of opening: unless the system or the version is at
// fault, files are missing, are of another length, or are not as they were written,
// for which Pebble has many words.
func explainOpen(dir string, err error) error {
	var system syscall.Errno
	if errors.As(err, &system) && system != syscall.ENOENT || strings.Contains(err.Error(), "format major version") {
		return explain(dir, err)
	}
	return fmt.Errorf("%s is %w: %w; restore it from a copy", dir, ErrDamaged, err)
}

// fatal ends the process. Who comes second waits: in a process for ever, so that
// Pebble does not go on, and panic, while the first line is being said.
func (s *Store) fatal(err error) {
	s.ending.Do(func() { s.opts.Fatal(explain(s.dir, err)) })
}

// Identity is whose data this is.
func (s *Store) Identity() Identity { return s.id }

// Close closes the directory. Commits that were not waited for are synced. What gives space back is
// cut short: the next start goes on with it. Nobody may use s meanwhile.
func (s *Store) Close() error {
	var err error
	if s.db != nil {
		if !s.opts.ReadOnly {
			err = s.db.LogData(nil, pebble.Sync)
			s.writes.closing.Store(true)
		}
		if err = errors.Join(err, s.db.Close()); err != nil {
			err = explain(s.dir, err)
		}
	}
	return errors.Join(err, s.lock.Close())
}

// fatalLogger is Pebble's logger: silent but for what is fatal.
type fatalLogger struct{ s *Store }

func (l fatalLogger) Infof(string, ...any)  {}
func (l fatalLogger) Errorf(string, ...any) {}
func (l fatalLogger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	for _, a := range args {
		if cause, ok := a.(error); ok {
			err = cause // which explain knows
		}
	}
	l.s.fatal(err)
	runtime.Goexit() // Pebble must not go on; reached only where Fatal returns, in tests
}

// panicked is the error that a panic of Pebble carries.
func panicked(v any) error {
	if err, ok := v.(error); ok {
		return err
	}
	return fmt.Errorf("%v", v)
}

// causeOf is the error that Pebble ends with, which explain knows, or its words.
func causeOf(format string, args []any) error {
	if n := len(args); n > 0 {
		if cause, ok := args[n-1].(error); ok {
			return cause
		}
	}
	return fmt.Errorf(format, args...)
}

// quiet is the logger of Init, which takes a panic for an error.
type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(causeOf(format, args)) }
