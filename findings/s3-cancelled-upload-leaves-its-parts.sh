#!/usr/bin/env bash
# What:    gocloud.dev v0.49.0's s3blob, over aws-sdk-go-v2's transfermanager; the bucket is a small HTTP server on
#          loopback that speaks as much S3 as an upload of several parts takes.
# Guess:   The upload deletes its parts when it does not complete, whatever the reason: that is the documented default.
# Happens: After a part that the server refuses it asks the server to abort the upload. After its context is cancelled it
#          asks nothing: the request to abort is made with the context that has just ended. Close tells the caller of the
#          cancelling only, and the parts stay.
# Why:     Cancelling the context is gocloud.dev's own way not to write an object, so every program that gives a backup up
#          in the middle leaves parts that no listing of objects shows and that are paid for, for as long as the bucket
#          has no rule of its own for them.
# Paxlog:  The request that aborts does not end with the upload's context, and is waited for.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get gocloud.dev@v0.49.0; } 2>setup.log || { cat setup.log; exit 1; }
go list -m gocloud.dev

cat >main.go <<'GO'
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob"
)

const part = 5 << 20 // the least that S3 takes

// bucket counts what it is asked. It refuses the part of that number, and tells taken of the others.
type bucket struct {
	refused string
	taken   chan struct{}
	mu      sync.Mutex
	parts   int
	aborted int
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	q := r.URL.Query()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case r.Method == http.MethodPost && q.Has("uploads"):
		fmt.Fprint(w, `<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>u1</UploadId></InitiateMultipartUploadResult>`)
	case r.Method == http.MethodPut && q.Get("partNumber") == b.refused:
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<Error><Code>AccessDenied</Code><Message>no</Message></Error>`)
	case r.Method == http.MethodPut:
		b.parts++
		w.Header().Set("ETag", `"e"`)
		select {
		case b.taken <- struct{}{}:
		default:
		}
	case r.Method == http.MethodDelete:
		b.aborted++
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusNotImplemented)
	}
}

// upload writes six parts, cancels if it is told to once a part was taken, and closes.
func upload(b *bucket, cancels bool) (closed error) {
	s := httptest.NewServer(b)
	defer s.Close() // it waits for requests under way
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	bk, err := blob.OpenBucket(ctx, "s3://b?region=us-east-1&use_path_style=true&disable_https=true&endpoint="+url.QueryEscape(s.URL))
	if err != nil {
		panic(err)
	}
	defer bk.Close()
	w, err := bk.NewWriter(ctx, "k", &blob.WriterOptions{BufferSize: part, MaxConcurrency: 1, ContentType: "x/y"})
	if err != nil {
		panic(err)
	}
	for range 6 {
		if _, err := w.Write(bytes.Repeat([]byte{1}, part)); err != nil {
			break
		}
	}
	if cancels {
		<-b.taken
		cancel()
	}
	return w.Close()
}

func main() {
	refused := &bucket{refused: "2", taken: make(chan struct{}, 1)}
	err := upload(refused, false)
	fmt.Printf("a part refused:    Close fails: %t, %d part taken, %d request to abort\n", err != nil, refused.parts, refused.aborted)
	cancelled := &bucket{taken: make(chan struct{}, 1)}
	err = upload(cancelled, true)
	fmt.Printf("context cancelled: Close fails: %t, %d parts or more taken, %d requests to abort\n", err != nil, min(1, cancelled.parts), cancelled.aborted)
	if refused.aborted != 1 || refused.parts != 1 || cancelled.parts < 1 || cancelled.aborted != 0 || err == nil {
		fmt.Println("this has changed:", err)
		os.Exit(1)
	}
}
GO
{ go mod tidy && go build -o upload .; } 2>setup.log || { cat setup.log; exit 1; }
AWS_ACCESS_KEY_ID=k AWS_SECRET_ACCESS_KEY=s AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true timeout 60 ./upload
