package backups

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/paxlog/paxlog/backup"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/buckets"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
)

// sink is where a backup goes. What was written counts once it is kept.
type sink interface {
	io.Writer
	keep() error
	discard() error
}

// place is where one backup lies.
type place struct {
	text   string
	file   string // its path, or - for standard input or output
	object *buckets.Object
}

// readPlaces reads where backups lie: in files, which may also be written file:///PATH, or in buckets.
func readPlaces(texts ...string) (places []place, err error) {
	for _, text := range texts {
		p := place{text: text, file: text}
		switch path, isFile := strings.CutPrefix(text, "file://"); {
		case isFile:
			u, err := url.Parse(text)
			if err != nil || u.Host != "" || u.RawQuery != "" || u.Fragment != "" || !filepath.IsAbs(u.Path) {
				return nil, command.Usagef("%s: a file is named file:///PATH, or by its path alone: %q is no path", text, path)
			}
			p.file = u.Path
		case buckets.Is(text):
			if p.object, err = buckets.Parse(text); err != nil {
				return nil, command.Usagef("%v", err)
			}
		}
		places = append(places, p)
	}
	return places, nil
}

// create begins a backup at a place: an object, a file, or standard output (-).
func (p place) create(ctx context.Context, env *command.Environment) (sink, error) {
	if p.object != nil {
		w, err := p.object.Create(ctx)
		if err != nil {
			return nil, err
		}
		return &object{bufio.NewWriterSize(w, 1<<20), w}, nil
	}
	place := p.file
	if place == "-" {
		if command.IsTerminal(env.Stdout) {
			return nil, command.Usagef("backup: a backup is bytes, and standard output is a terminal: name a file, or pipe it somewhere")
		}
		return stream{bufio.NewWriterSize(env.Stdout, 1<<20)}, nil
	}
	return createFile(place)
}

// stream is standard output.
type stream struct{ *bufio.Writer }

func (s stream) keep() error    { return s.Flush() }
func (s stream) discard() error { return nil } // its end is missing

// object is what is written to a bucket.
type object struct {
	*bufio.Writer
	w *buckets.Writer
}

func (o *object) keep() error {
	if err := o.Flush(); err != nil {
		return errors.Join(err, o.discard())
	}
	return o.w.Keep()
}

func (o *object) discard() error { return o.w.Discard() }

// file is a file that is written beside its place.
type file struct {
	*os.File
	place string
}

// createFile begins a file. One that is there already is not replaced: it may be the only
// backup that is whole.
func createFile(place string) (sink, error) {
	if _, err := os.Lstat(place); err == nil {
		return nil, command.Exitf(command.ExitFailed, "%s is there already: name another file, or remove it", place)
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(place), "."+filepath.Base(place)+".part-")
	if err != nil {
		return nil, err
	}
	return &file{f, place}, nil
}

// keep makes the file durable, and gives it its name.
func (f *file) keep() error {
	err := f.Chmod(0o600)
	err = errors.Join(err, f.Sync(), f.File.Close())
	if err == nil {
		err = os.Link(f.Name(), f.place) // which replaces nothing
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(f.place))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (f *file) discard() error { return errors.Join(f.File.Close(), os.Remove(f.Name())) }

// openers are the backups at these places.
func openers(ctx context.Context, places []place) (out []backup.Opener) {
	for _, p := range places {
		out = append(out, backup.Opener{Name: p.text, Open: func() (io.ReadCloser, error) { return p.open(ctx) }})
	}
	return out
}

// open opens the backup to be read.
func (p place) open(ctx context.Context) (io.ReadCloser, error) {
	if p.object != nil {
		r, err := p.object.Open(ctx)
		if err != nil {
			return nil, err
		}
		return buffered{bufio.NewReaderSize(r, 1<<20), r}, nil
	}
	f, err := os.Open(p.file)
	var failed *fs.PathError
	switch { // whoever reads it names the place
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("there is no such file: check the path")
	case errors.As(err, &failed):
		return nil, fmt.Errorf("it cannot be read: %w", failed.Err)
	case err != nil:
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errors.Join(fmt.Errorf("it is a directory, and no backup"), f.Close())
	}
	return buffered{bufio.NewReaderSize(interruptible{ctx, f}, 1<<20), f}, nil
}

// interruptible fails once its context has ended.
type interruptible struct {
	ctx context.Context
	io.Reader
}

func (r interruptible) Read(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(b)
}

// buffered reads a file in large pieces.
type buffered struct {
	io.Reader
	io.Closer
}
