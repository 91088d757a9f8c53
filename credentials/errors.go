package credentials

import "fmt"

// RefusedError is why somebody's certificate is not believed. Its text completes the
// sentence "the certificate is refused: ...".
type RefusedError struct{ Text string }

func (e *RefusedError) Error() string { return e.Text }

func refusef(format string, args ...any) error {
	return &RefusedError{Text: fmt.Sprintf(format, args...)}
}

// FileError is a file that cannot be used.
type FileError struct {
	Path    string
	Problem string // and what to do
	Err     error  // the cause, if a call failed; else nil
}

func (e *FileError) Error() string { return e.Path + ": " + e.Problem }

func (e *FileError) Unwrap() error { return e.Err }
