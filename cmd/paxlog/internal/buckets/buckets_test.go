package buckets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"
)

// content are n bytes that do not repeat.
func content(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(b)
	return b
}

// inMemory is an object of a bucket in memory.
func inMemory() *Object {
	bucket := memblob.OpenBucket(nil)
	return &Object{name: "mem://b/k", key: "k", open: func(context.Context) (*blob.Bucket, error) {
		return blob.PrefixedBucket(bucket, "x/"), nil // of which Close leaves the other one open
	}}
}

// inFiles is an object of a bucket of files.
func inFiles(t *testing.T) *Object {
	dir := t.TempDir()
	return &Object{name: "files", key: "a/k", open: func(context.Context) (*blob.Bucket, error) {
		return fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	}}
}

func create(t *testing.T, o *Object, content []byte) *Writer {
	t.Helper()
	w, err := o.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for len(content) > 0 {
		n := min(len(content), 70_000)
		if _, err := w.Write(content[:n]); err != nil {
			t.Fatal(err)
		}
		content = content[n:]
	}
	return w
}

func read(t *testing.T, o *Object) ([]byte, error) {
	t.Helper()
	r, err := o.Open(t.Context())
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

// TestObjects: what was kept is read as it was written; what was given up, or interrupted, is not
// there; and nothing is written over.
func TestObjects(t *testing.T) {
	for name, make := range map[string]func(t *testing.T) *Object{
		"memory": func(*testing.T) *Object { return inMemory() },
		"files":  inFiles,
		"S3":     func(t *testing.T) *Object { o, _ := inS3(t); return o },
	} {
		t.Run(name, func(t *testing.T) {
			o, want := make(t), content(1<<20)
			gone := func(when string) {
				t.Helper()
				if b, err := read(t, o); err == nil || !strings.Contains(err.Error(), "there is no such object") {
					t.Errorf("%s: %d bytes, %v", when, len(b), err)
				}
			}
			gone("at first")
			w := create(t, o, want[:500_000])
			gone("while it is written")
			if err := w.Discard(); err != nil {
				t.Error(err)
			}
			gone("after it was given up")
			if err := create(t, o, nil).Discard(); err != nil {
				t.Error(err)
			}
			gone("after nothing was given up")

			ctx, cancel := context.WithCancel(t.Context())
			w, err := o.Create(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(want); err != nil {
				t.Fatal(err)
			}
			cancel()
			if err := w.Keep(); err == nil {
				t.Error("it was interrupted, and is kept")
			}
			gone("after it was interrupted")

			if err := create(t, o, want).Keep(); err != nil {
				t.Fatal(err)
			}
			if got, err := read(t, o); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if _, err := o.Create(t.Context()); !errors.Is(err, ErrExists) || !strings.HasPrefix(err.Error(), o.String()+": it is there already: name another object") {
				t.Errorf("a second one: %v", err)
			}
		})
	}
}

// TestTwoWriters: of two that write one object at a time one fails, and the object is that of the
// other. (Buckets of files do not see to that, so a file is no bucket here: file:///PATH is PATH.)
func TestTwoWriters(t *testing.T) {
	s3, _ := inS3(t)
	for _, o := range []*Object{inMemory(), s3} {
		first, second := create(t, o, []byte("first")), create(t, o, []byte("second"))
		if err := first.Keep(); err != nil {
			t.Error(err)
		}
		if err := second.Keep(); !errors.Is(err, ErrExists) {
			t.Errorf("%s: %v", o, err)
		}
		if got, err := read(t, o); string(got) != "first" || err != nil {
			t.Errorf("%s: %q, %v", o, got, err)
		}
	}
}

// fakeS3 is as much of S3 as one small object takes. What the real one does with large ones is tested
// with a server of its own (cmd/paxlog).
type fakeS3 struct {
	mu      sync.Mutex
	objects map[string][]byte
	cut     int    // after how many bytes each answer is cut off; 0: never
	cuts    int    // how often that still happens
	refuse  string // what everything is answered with, a code; "": nothing
	status  int
	reads   int
	changed time.Time
	url     string
}

func (s *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	deny := func(status int, code string) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>so it says</Message></Error>`, code)
		}
	}
	object, there := s.objects[r.URL.Path]
	switch {
	case s.refuse != "":
		deny(s.status, s.refuse)
	case r.URL.Path == "/bucket" || r.URL.Path == "/bucket/":
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprint(w, `<?xml version="1.0"?><ListBucketResult><Name>bucket</Name><KeyCount>0</KeyCount><MaxKeys>1</MaxKeys></ListBucketResult>`)
	case strings.HasPrefix(r.URL.Path, "/elsewhere"):
		deny(http.StatusNotFound, "NoSuchBucket")
	case r.Method == http.MethodPut && there && r.Header.Get("If-None-Match") == "*":
		deny(http.StatusPreconditionFailed, "PreconditionFailed")
	case r.Method == http.MethodPut:
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return // it was cancelled
		}
		if r.Header.Get("Content-Encoding") == "aws-chunked" {
			b = unchunked(b)
		}
		s.objects[r.URL.Path] = b
		w.Header().Set("ETag", `"1"`)
	case !there:
		deny(http.StatusNotFound, "NoSuchKey")
	default:
		s.get(w, r, object)
	}
}

// get answers a GET or HEAD.
func (s *fakeS3) get(w http.ResponseWriter, r *http.Request, object []byte) {
	from, status := 0, http.StatusOK
	if text, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		from, _ = strconv.Atoi(strings.TrimSuffix(text, "-"))
		status = http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(object)-1, len(object)))
	}
	s.reads++
	part := object[from:]
	w.Header().Set("Last-Modified", s.changed.UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Length", strconv.Itoa(len(part)))
	w.Header().Set("ETag", `"1"`)
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if s.cut > 0 && s.cuts > 0 && s.cut < len(part) {
		s.cuts--
		_, _ = w.Write(part[:s.cut])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(part)
}

// unchunked takes the sizes and trailers out of a body, of which each chunk is `SIZE[;...]\r\n...\r\n`.
func unchunked(b []byte) (out []byte) {
	for {
		line, rest, _ := bytes.Cut(b, []byte("\r\n"))
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(size), 16, 32)
		if err != nil || n == 0 || int(n) > len(rest) {
			return out
		}
		out = append(out, rest[:n]...)
		b = bytes.TrimPrefix(rest[n:], []byte("\r\n"))
	}
}

// inS3 is an object of such a server.
func inS3(t *testing.T) (*Object, *fakeS3) {
	t.Helper()
	s := &fakeS3{objects: map[string][]byte{}, changed: time.Unix(1_800_000_000, 0)}
	server := httptest.NewServer(s)
	s.url = server.URL
	t.Cleanup(server.Close)
	alone(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	o, err := Parse(strings.Replace(urlOf(s), "?", "/a/k?", 1))
	if err != nil {
		t.Fatal(err)
	}
	return o, s
}

// urlOf is that of the bucket.
func urlOf(s *fakeS3) string {
	return "s3://bucket?region=eu-central-1&use_path_style=true&endpoint=" + s.url
}

// alone hides what this machine knows of accounts.
func alone(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", "/nowhere")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// TestConnectionBreaks: an object is read to its end however often its connection breaks, as long as
// something comes; a break is never its end, and another object never its rest.
func TestConnectionBreaks(t *testing.T) {
	want := content(300_000)
	for name, test := range map[string]struct {
		cut, cuts int
		then      func(*fakeS3)
		says      string
	}{
		"never":             {0, 0, nil, ""},
		"ten times":         {25_000, 10, nil, ""},
		"and it is another": {100_000, 1, func(s *fakeS3) { s.changed = s.changed.Add(time.Hour) }, "somebody has replaced it while it was read"},
		"and it is longer":  {100_000, 1, func(s *fakeS3) { s.objects["/bucket/a/k"] = content(400_000) }, "somebody has replaced it while it was read"},
		"and it is gone":    {100_000, 1, func(s *fakeS3) { delete(s.objects, "/bucket/a/k") }, "there is no such object"},
	} {
		o, s := inS3(t)
		s.objects["/bucket/a/k"] = want
		s.cut, s.cuts = test.cut, test.cuts
		r, err := o.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 1000)
		if _, err := io.ReadFull(r, first); err != nil {
			t.Fatal(err)
		}
		if test.then != nil {
			s.mu.Lock()
			test.then(s)
			s.mu.Unlock()
		}
		rest, err := io.ReadAll(r)
		if test.says == "" && (err != nil || !bytes.Equal(append(first, rest...), want)) {
			t.Errorf("%s: %d bytes, %v", name, len(rest), err)
		}
		if test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says) || errors.Is(err, io.ErrUnexpectedEOF)) {
			t.Errorf("%s: %d bytes, %v", name, len(rest), err)
		}
		if test.says == "" && s.reads != test.cuts+1 {
			t.Errorf("%s: %d reads", name, s.reads)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestErrors: what a bucket answers is one sentence, which says what to do, and the code.
func TestErrors(t *testing.T) {
	for _, test := range []struct {
		status int
		code   string
		says   string
	}{
		{404, "NoSuchBucket", "there is no such bucket: create it, or check its name, and the region and endpoint of the URL (NoSuchBucket: so it says)"},
		{404, "NoSuchKey", "there is no such object"},
		{403, "InvalidAccessKeyId", "these credentials are not accepted: check AWS_ACCESS_KEY_ID"},
		{403, "SignatureDoesNotMatch", "these credentials are not accepted"},
		{403, "AccessDenied", "these credentials do not permit that: a backup takes s3:PutObject"},
		{400, "AuthorizationHeaderMalformed", "the bucket is in another region: put ?region=NAME behind the URL"},
		{403, "RequestTimeTooSkewed", "the clock of this machine"},
		{400, "StrangeCode", "the bucket refuses it: StrangeCode: so it says"},
	} {
		o, s := inS3(t)
		s.status, s.refuse = test.status, test.code
		_, err := o.Open(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", test.code, err)
		}
	}
	o, s := inS3(t)
	elsewhere := *o
	elsewhere.open = func(ctx context.Context) (*blob.Bucket, error) {
		return blob.OpenBucket(ctx, strings.Replace(urlOf(s), "s3://bucket", "s3://elsewhere", 1))
	}
	if _, err := elsewhere.Create(t.Context()); err == nil || !strings.Contains(err.Error(), ": there is no such bucket: create it") {
		t.Errorf("no such bucket: %v", err)
	}
	w := create(t, o, []byte("x"))
	s.mu.Lock()
	s.status, s.refuse = 404, "NoSuchBucket"
	s.mu.Unlock()
	if err := w.Keep(); err == nil || !strings.HasPrefix(err.Error(), "s3://bucket/a/k: there is no such bucket") {
		t.Errorf("at the end: %v", err)
	}
}

// TestNotReached: no credentials, no region, no server and no such name are told apart.
func TestNotReached(t *testing.T) {
	alone(t)
	server := httptest.NewServer(nil)
	addr := server.URL
	server.Close()
	for _, test := range []struct{ place, key, says string }{
		{"s3://bucket/k?region=eu-central-1&use_path_style=true&endpoint=" + addr, "key", "the bucket cannot be reached (dial tcp "},
		{"s3://bucket/k?region=eu-central-1&use_path_style=true&endpoint=" + addr, "", "there are no credentials: set AWS_ACCESS_KEY_ID"},
		{"s3://bucket/k", "key", "no region is named: put ?region=NAME behind the URL"},
		{"s3://bucket/k?region=eu-central-1&use_path_style=true&colour=red", "key", `unknown query parameter "colour"`},
		{"s3://bucket/k?region=eu-central-1&profile=nobody", "key", "nobody"},
	} {
		t.Setenv("AWS_ACCESS_KEY_ID", test.key)
		t.Setenv("AWS_SECRET_ACCESS_KEY", test.key)
		o, err := Parse(test.place)
		if err == nil {
			_, err = o.Create(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", test.place, err)
		}
	}
}

// TestParse: what is an object, and what names none.
func TestParse(t *testing.T) {
	for place, key := range map[string]string{
		"s3://bucket/k":                  "k",
		"s3://bucket/a/b%20c.backup":     "a/b c.backup",
		"s3://bucket/k?region=x&other=y": "k",
	} {
		o, err := Parse(place)
		if want, _, _ := strings.Cut(place, "?"); err != nil || o.key != key || o.String() != want {
			t.Errorf("%s: %+v, %v", place, o, err)
		}
	}
	for place, says := range map[string]string{
		"s3://bucket":              "an object is named s3://BUCKET/KEY",
		"s3://bucket/":             "an object is named",
		"s3:///k":                  "an object is named",
		"s3://bucket/a/":           "an object is named",
		"s3://bucket/a#b":          "an object is named",
		"s3://bucket/a//b":         "two slashes",
		"s3://key:secret@bucket/k": "credentials do not belong into a URL",
		"gs://bucket/k":            "this program reaches buckets by s3://BUCKET/KEY, and no others",
		"http://bucket/k":          "and no others",
		"s3://buc ket/k":           "is no URL",
	} {
		if _, err := Parse(place); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%s: %v", place, err)
		}
	}
}
