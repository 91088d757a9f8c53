package wal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/paxlog/paxlog/paxos"
)

// operation is what is failed, by name: a kind of operation on a kind of file.
type operation struct {
	name  string
	kinds []errorfs.OpKind
	file  string // what the file's name has in it; "" is any, "/" the directory itself
}

var operations = []operation{
	{"create a log", []errorfs.OpKind{errorfs.OpCreate}, ".log"},
	{"use a log again", []errorfs.OpKind{errorfs.OpReuseForWrite}, ".log"},
	{"write to a log", []errorfs.OpKind{errorfs.OpFileWrite}, ".log"},
	{"sync a log", []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo}, ".log"},
	{"close a log", []errorfs.OpKind{errorfs.OpFileClose}, ".log"},
	{"look at a log", []errorfs.OpKind{errorfs.OpFileStat}, ".log"},
	{"create a table", []errorfs.OpKind{errorfs.OpCreate}, ".sst"},
	{"write to a table", []errorfs.OpKind{errorfs.OpFileWrite}, ".sst"},
	{"sync a table", []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo}, ".sst"},
	{"close a table", []errorfs.OpKind{errorfs.OpFileClose}, ".sst"},
	{"open a table", []errorfs.OpKind{errorfs.OpOpen}, ".sst"},
	{"create a MANIFEST", []errorfs.OpKind{errorfs.OpCreate}, "MANIFEST-"},
	{"write to a MANIFEST", []errorfs.OpKind{errorfs.OpFileWrite}, "MANIFEST-"},
	{"sync a MANIFEST", []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData}, "MANIFEST-"},
	{"create a marker", []errorfs.OpKind{errorfs.OpCreate}, "marker."},
	{"create OPTIONS", []errorfs.OpKind{errorfs.OpCreate}, ".dbtmp"},
	{"rename", []errorfs.OpKind{errorfs.OpRename}, ""},
	{"sync the directory", []errorfs.OpKind{errorfs.OpFileSync}, "/"},
	{"open the directory", []errorfs.OpKind{errorfs.OpOpenDir}, "/"},
	{"list the directory", []errorfs.OpKind{errorfs.OpList}, "/"},
	{"lock", []errorfs.OpKind{errorfs.OpLock}, ""},
}

func (o operation) is(op errorfs.Op) bool {
	for _, k := range o.kinds {
		if k == op.Kind && (o.file != "/" && strings.Contains(path.Base(op.Path), o.file) || o.file == "/" && path.Base(op.Path) == dbDir) {
			return true
		}
	}
	return false
}

// everyOp is errorfs, which fails neither a file's Close nor its Stat, with these.
type everyOp struct {
	vfs.FS
	f *failing
}

func failEvery(fs vfs.FS, f *failing) vfs.FS { return &everyOp{errorfs.Wrap(fs, f), f} }

func (e *everyOp) wrap(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &everyFile{f, e.f, name}, nil
}

func (e *everyOp) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := e.FS.Create(name, category)
	return e.wrap(name, f, err)
}

func (e *everyOp) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := e.FS.ReuseForWrite(old, name, category)
	return e.wrap(name, f, err)
}

type everyFile struct {
	vfs.File
	f    *failing
	name string
}

func (e *everyFile) Close() error {
	return errors.Join(e.File.Close(), e.f.MaybeError(errorfs.Op{Kind: errorfs.OpFileClose, Path: e.name}))
}

func (e *everyFile) Stat() (vfs.FileInfo, error) {
	if err := e.f.MaybeError(errorfs.Op{Kind: errorfs.OpFileStat, Path: e.name}); err != nil {
		return nil, err
	}
	return e.File.Stat()
}

// rolls opens a store and writes until logs were used again, and closes it.
func rolls(fs vfs.FS, fatal func(error)) error {
	s, err := Open(dir, identity(paxos.RoleAcceptor), Options{FS: fs, Fatal: fatal})
	if err != nil {
		return err
	}
	abandon(s)
	b := paxos.Ballot{Round: 1, Proposer: "p1", Process: 1}
	for i := range paxos.Instance(40) {
		v := paxos.Value{Origin: b, Batch: make([]byte, 30<<10)}
		if err := commit(s, []paxos.Record{paxos.SetPromised{Ballot: b}, paxos.PutVote{Vote: paxos.Vote{Instance: i + 1, Ballot: b, Value: v}}}, true); err != nil {
			return err
		}
		if i%10 == 9 {
			flushed, err := s.db.AsyncFlush()
			if err != nil {
				return err
			}
			<-flushed
		}
	}
	return s.Close()
}

// failByName runs rolls in which the n-th operation of the name fails, and all after it.
// It returns what was told first, by Fatal or as an error, and whether it failed at all.
// As in a process, Fatal does not return.
func failByName(base *vfs.MemFS, o operation, n int, injected error) (told error, hit bool) {
	f := &failing{n: n, err: injected, which: o.is}
	first := make(chan error, 1)
	var once sync.Once
	tell := func(err error) { once.Do(func() { first <- err }) }
	go func() {
		tell(rolls(failEvery(base.CrashClone(vfs.CrashCloneCfg{}), f), func(err error) {
			tell(err)
			select {}
		}))
	}()
	told = <-first
	_, hit = f.hit()
	return told, hit
}

// TestFailuresByName fails each operation on each kind of file, at each time it is
// done, with each error of a system that has run out of something. Pebble panics or ends
// the process for many of them; what people get is one line that says what to do.
func TestFailuresByName(t *testing.T) {
	base := vfs.NewCrashableMem()
	initDir(t, base, paxos.RoleAcceptor)
	says := map[syscall.Errno]string{
		syscall.EFBIG: "raise the limit of file sizes", syscall.ENOSPC: "the disk of data is full: free some space",
		syscall.EDQUOT: "the quota of the disk of data is used up", syscall.EMFILE: "too many files open for data",
	}
	for _, o := range operations {
		t.Run(strings.ReplaceAll(o.name, " ", "_"), func(t *testing.T) {
			failed := 0
			for _, errno := range []syscall.Errno{syscall.EFBIG, syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE} {
				for n := 1; n < 200; n += 1 + n/8 { // all of the first, some of the many
					told, hit := failByName(base, o, n, &os.PathError{Op: o.name, Path: "data/db/x", Err: errno})
					if !hit {
						if told != nil {
							t.Errorf("%v: without a failure: %v", errno, told)
						}
						break
					}
					failed++
					if told == nil && !o.harmless() {
						t.Errorf("%v, the %d. time: nobody was told", errno, n)
					}
					if told != nil && (!strings.Contains(told.Error(), says[errno]) || strings.Contains(told.Error(), "\n") || !errors.Is(told, errno)) {
						t.Errorf("%v, the %d. time: %q", errno, n, told)
					}
				}
			}
			if failed == 0 {
				t.Error("this is never done: the test misses its cases")
			}
		})
	}
}

// harmless reports whether the operation may fail, and what was to be done is done
// later or not needed.
func (o operation) harmless() bool { return o.name == "open a table" || o.name == "list the directory" }

// TestFailuresEndTheProcess: a process in which a log cannot be rolled says one line
// and ends with 1, and Pebble says nothing.
func TestFailuresEndTheProcess(t *testing.T) {
	if at := os.Getenv("PAXLOG_TEST_FAIL"); at != "" {
		failProcess(at)
	}
	for _, o := range operations[:6] { // of logs
		for _, n := range []int{1, 2, 3, 5, 9} {
			cmd := exec.Command(os.Args[0], "-test.run=^TestFailuresEndTheProcess$")
			cmd.Env = append(os.Environ(), fmt.Sprintf("PAXLOG_TEST_FAIL=%s/%d", o.name, n))
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			switch {
			case err == nil && strings.HasPrefix(string(out), "not hit"):
			case !errors.As(err, &exit) || exit.ExitCode() != 1 || strings.Count(string(out), "\n") != 1 || !strings.HasPrefix(string(out), "paxlog: a file of data may not become larger"):
				t.Errorf("%s, the %d. time: %v\n%.600s", o.name, n, err, out)
			}
		}
	}
}

// failProcess is that process.
func failProcess(at string) {
	name, times, _ := strings.Cut(at, "/")
	n, err := strconv.Atoi(times)
	if err != nil {
		panic(err)
	}
	end := func(err error) {
		fmt.Printf("paxlog: %v\n", err)
		os.Exit(1)
	}
	base := vfs.NewCrashableMem()
	if err := Init(base, dir, identity(paxos.RoleAcceptor)); err != nil {
		panic(err)
	}
	for _, o := range operations {
		if o.name == name {
			f := &failing{n: n, err: &os.PathError{Op: name, Path: "data/db/x", Err: syscall.EFBIG}, which: o.is}
			if err := rolls(failEvery(base, f), end); err != nil {
				end(err)
			}
		}
	}
	fmt.Println("not hit")
	os.Exit(0)
}
