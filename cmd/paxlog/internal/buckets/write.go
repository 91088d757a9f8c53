package buckets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
)

// What is written goes in parts, of which so many are under way and in memory. S3 has at most 10,000
// parts of an object.
const (
	partBytes = 32 << 20
	partsAway = 2
	// MaxBytes is how long an object may be that is written here.
	MaxBytes = 10_000 * partBytes
)

// abortWait is for how long parts of an upload that was given up are waited for.
const abortWait = 10 * time.Second

// Writer writes an object, of which nothing is there until Keep has returned nil.
type Writer struct {
	o       *Object
	bucket  *blob.Bucket
	w       *blob.Writer
	cancel  context.CancelFunc
	written int64
}

// Create begins an object. It is an error that wraps ErrExists if it is there.
func (o *Object) Create(ctx context.Context) (*Writer, error) {
	bucket, err := o.open(ctx)
	if err != nil {
		return nil, o.named(err)
	}
	w := &Writer{o: o, bucket: bucket}
	log.SetOutput(io.Discard) // where the uploads log what they return as an error, too
	if err := w.isFree(ctx); err != nil {
		return nil, errors.Join(o.named(err), bucket.Close())
	}
	ctx, w.cancel = context.WithCancel(ctx)
	w.w, err = bucket.NewWriter(ctx, o.key, &blob.WriterOptions{
		BufferSize: partBytes, MaxConcurrency: partsAway, ContentType: "application/octet-stream", DisableContentTypeDetection: true, IfNotExist: true,
		BeforeWrite: patiently(bucket),
	})
	if err != nil {
		w.cancel()
		return nil, errors.Join(o.named(err), bucket.Close())
	}
	return w, nil
}

// isFree returns an error unless the bucket is there, and the object is not. A server that has no such
// bucket may say so by breaking the connection while a part is sent.
func (w *Writer) isFree(ctx context.Context) error {
	is, err := w.bucket.IsAccessible(ctx)
	if err == nil && !is {
		err = errNoBucket
	}
	if err != nil {
		return err
	}
	there, err := w.bucket.Exists(ctx, w.o.key)
	if err == nil && there {
		err = ErrExists
	}
	return err
}

// Write adds to the object.
func (w *Writer) Write(p []byte) (int, error) {
	if w.written+int64(len(p)) > MaxBytes {
		return 0, fmt.Errorf("%s: an object is at most %d GiB long: split it (`--from`, `--since`)", w.o, int64(MaxBytes)>>30)
	}
	n, err := w.w.Write(p)
	w.written += int64(n)
	return n, w.o.named(err)
}

// Keep makes the object be there.
func (w *Writer) Keep() error {
	err := w.o.named(w.w.Close())
	w.cancel()
	return errors.Join(err, w.bucket.Close())
}

// Discard gives it up.
func (w *Writer) Discard() error {
	w.cancel() // first: what is closed without that is there
	err := w.w.Close()
	if err == nil {
		err = fmt.Errorf("%s: it was given up, and is there all the same: delete it", w.o)
	} else {
		err = nil // it was cancelled
	}
	return errors.Join(err, w.bucket.Close())
}

// patiently has the parts of an upload deleted also where it was cancelled: the request that does so is
// not cancelled with it.
func patiently(bucket *blob.Bucket) func(func(any) bool) error {
	return func(as func(any) bool) error {
		var client *s3.Client
		var uploads *transfermanager.Client
		if !bucket.As(&client) || !as(&uploads) {
			return nil // it is none of S3, and has no parts
		}
		*uploads = *transfermanager.New(client, func(o *transfermanager.Options) {
			o.PartSizeBytes, o.Concurrency, o.FailTimeout = partBytes, partsAway, abortWait
			o.RequestChecksumCalculation = client.Options().RequestChecksumCalculation
		})
		return nil
	}
}
