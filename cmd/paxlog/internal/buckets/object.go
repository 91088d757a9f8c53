package buckets

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob" // s3://
)

// Object is one object of a bucket, which may be there or not.
type Object struct {
	name string // as people name it
	key  string
	open func(context.Context) (*blob.Bucket, error)
}

// Is reports whether a place is in a bucket, and no file.
func Is(place string) bool { return strings.Contains(place, "://") }

// Parse reads a URL such as s3://BUCKET/KEY?region=eu-central-1. What may stand behind the question
// mark are the parameters of s3blob.URLOpener: region, endpoint, profile, use_path_style,
// disable_https, anonymous, and others.
func Parse(place string) (*Object, error) {
	u, err := url.Parse(place)
	if err != nil {
		return nil, fmt.Errorf("%q is no URL: %w", place, err)
	}
	if u.Scheme != "s3" {
		return nil, fmt.Errorf("%s: this program reaches buckets by s3://BUCKET/KEY, and no others: for those pipe a backup to the program of whoever offers them (`paxlog backup - | ...`)", place)
	}
	key := strings.TrimPrefix(u.Path, "/")
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("%s: credentials do not belong into a URL, which others can see: put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or into a profile (?profile=NAME)", u.Redacted())
	case u.Host == "" || key == "" || strings.HasSuffix(key, "/") || u.Fragment != "":
		return nil, fmt.Errorf("%s: an object is named s3://BUCKET/KEY: what stands there names none", place)
	case slices.Contains(strings.Split(key, "/"), ""):
		return nil, fmt.Errorf("%s: its key has two slashes in a row, which not every program can name", place)
	}
	how := u.Query()
	if !how.Has("response_checksum_validation") {
		how.Set("response_checksum_validation", "when_required") // a backup has sums of its own; else every read is warned of where a server has none
	}
	bucket := url.URL{Scheme: u.Scheme, Host: u.Host, RawQuery: how.Encode()}
	u.RawQuery = "" // it says how the bucket is reached, and not which object it is
	return &Object{name: u.String(), key: key, open: func(ctx context.Context) (*blob.Bucket, error) {
		return blob.OpenBucket(ctx, bucket.String())
	}}, nil
}

// String is how people name o.
func (o *Object) String() string { return o.name }
