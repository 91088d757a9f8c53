package buckets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gocloud.dev/blob"
)

// triesInVain is how often the rest of an object is asked for again without a byte that came.
const triesInVain = 4

// reader reads an object to its end, over as many connections as that takes.
type reader struct {
	ctx      context.Context
	o        *Object
	bucket   *blob.Bucket
	r        *blob.Reader // of what comes next, nil if that is to be asked for
	at, size int64
	modified time.Time
	vain     int // tries since the last byte
}

// Open opens the object to be read. Reads end when ctx does.
func (o *Object) Open(ctx context.Context) (io.ReadCloser, error) {
	bucket, err := o.open(ctx)
	if err != nil {
		return nil, explain(err)
	}
	r, err := bucket.NewReader(ctx, o.key, nil)
	if err != nil {
		return nil, errors.Join(explain(err), bucket.Close())
	}
	return &reader{ctx: ctx, o: o, bucket: bucket, r: r, size: r.Size(), modified: r.ModTime()}, nil
}

// Read returns io.EOF where the object ends, and nowhere else.
func (r *reader) Read(p []byte) (int, error) {
	for {
		if r.at == r.size {
			return 0, io.EOF
		}
		if len(p) == 0 {
			return 0, nil
		}
		n, err := r.some(p)
		if r.at += int64(n); n > 0 {
			r.vain = 0
			return n, nil // after an error the rest is asked for at the next call
		}
		if r.vain++; err != nil && (r.vain > triesInVain || r.ctx.Err() != nil || errors.Is(err, errChanged)) {
			return 0, err
		}
	}
}

// some reads what comes on the connection at hand, or on another one.
func (r *reader) some(p []byte) (int, error) {
	if r.r == nil {
		next, err := r.bucket.NewRangeReader(r.ctx, r.o.key, r.at, -1, nil)
		if err != nil {
			return 0, explain(err)
		}
		if next.Size() != r.size || !next.ModTime().Equal(r.modified) {
			return 0, errors.Join(errChanged, next.Close())
		}
		r.r = next
	}
	n, err := r.r.Read(p[:min(int64(len(p)), r.size-r.at)])
	if err == nil || r.at+int64(n) == r.size {
		return n, nil
	}
	// Also io.EOF: a connection that ends early is no end of the object.
	err = explain(fmt.Errorf("the connection broke after %d of %d bytes: %w", r.at+int64(n), r.size, noEnd(err)))
	broken := r.r
	r.r = nil
	return n, errors.Join(err, broken.Close())
}

// errChanged is the error where another object has taken the place of one that is read.
var errChanged = errors.New("somebody has replaced it while it was read: begin again")

// noEnd is err as nobody takes it for the end of what was read.
func noEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ended early")
	}
	return err
}

// Close ends it.
func (r *reader) Close() error {
	var err error
	if r.r != nil {
		err = r.r.Close()
	}
	return errors.Join(err, r.bucket.Close())
}
