package buckets

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"gocloud.dev/gcerrors"
)

// ErrExists is the error of an object that is there already.
var ErrExists = errors.New("it is there already: name another object, or delete it")

const noBucket = "there is no such bucket: create it, or check its name, and the region and endpoint of the URL"

var errNoBucket = &bucketError{text: noBucket}

// advice is what people can do about what a bucket answers, by the codes of S3.
var advice = []struct {
	codes string
	say   string
}{
	{"NoSuchBucket", noBucket},
	{"NoSuchKey NotFound", "there is no such object (or no such bucket): check the name"},
	{"InvalidAccessKeyId SignatureDoesNotMatch InvalidToken ExpiredToken TokenRefreshRequired AuthFailure", "these credentials are not accepted: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile (?profile=NAME)"},
	{"AccessDenied Forbidden AllAccessDisabled AccountProblem", "these credentials do not permit that: a backup takes s3:PutObject, s3:GetObject, s3:ListBucket and s3:AbortMultipartUpload, to verify or restore one takes s3:GetObject"},
	{"PermanentRedirect TemporaryRedirect MovedPermanently AuthorizationHeaderMalformed IllegalLocationConstraintException", "the bucket is in another region: put ?region=NAME behind the URL, or set AWS_REGION"},
	{"RequestTimeTooSkewed RequestExpired", "the clock of this machine is not that of the bucket: set it"},
	{"NotImplemented", "this server does not know what is asked of it: a backup takes multipart uploads and conditional writes (If-None-Match)"},
	{"SlowDown InternalError ServiceUnavailable RequestTimeout Throttling", "it could not do it now: try again"},
	{"EntityTooLarge QuotaExceeded XMinioStorageFull", "there is no room for it: make some, or raise the quota"},
}

// explain says in one sentence what keeps an object from being written or read, and what to do.
// Who it is about, the caller says.
func explain(err error) error {
	var known *bucketError
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, ErrExists), gcerrors.Code(err) == gcerrors.FailedPrecondition, codeOf(err) == "ConditionalRequestConflict":
		return ErrExists
	}
	return &bucketError{say(err), err}
}

// answer is the error that a bucket answers.
type answer interface {
	error
	ErrorCode() string
	ErrorMessage() string
}

// codeOf is its code, "" if err is no answer.
func codeOf(err error) string {
	var said answer
	if errors.As(err, &said) {
		return said.ErrorCode()
	}
	return ""
}

// named is explain with the name of the object.
func (o *Object) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", o, explain(err))
}

// bucketError is an error that is explained.
type bucketError struct {
	text string
	err  error
}

func (e *bucketError) Error() string { return e.text }
func (e *bucketError) Unwrap() error { return e.err }

// say is the sentence about err.
func say(err error) string {
	var said answer
	var lookup *net.DNSError
	var network *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return "it was interrupted"
	case errors.As(err, &said) && said.ErrorCode() != "":
		for _, a := range advice {
			for code := range strings.FieldsSeq(a.codes) {
				if code == said.ErrorCode() {
					return fmt.Sprintf("%s (%s)", a.say, strings.TrimSuffix(code+": "+said.ErrorMessage(), ": "))
				}
			}
		}
		return fmt.Sprintf("the bucket refuses it: %s: %s", said.ErrorCode(), said.ErrorMessage())
	case errors.As(err, &lookup):
		return fmt.Sprintf("the endpoint is not known (%v): check ?endpoint= and ?region= of the URL, and the network", lookup)
	case errors.As(err, &network):
		return fmt.Sprintf("the bucket cannot be reached (%v): check ?endpoint= of the URL, and the network", network)
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "Missing Region") || strings.Contains(text, "Invalid region") || strings.Contains(text, "region is required"):
		return fmt.Sprintf("no region is named: put ?region=NAME behind the URL, or set AWS_REGION (%s)", last(text))
	case gcerrors.Code(err) == gcerrors.NotFound:
		return "there is no such object: check the name"
	case strings.Contains(text, "credentials"):
		return fmt.Sprintf("there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile (?profile=NAME) (%s)", last(text))
	}
	return text
}

// last is the innermost of nested errors, as they are written.
func last(text string) string { return text[strings.LastIndex(text, ": ")+1:] }
