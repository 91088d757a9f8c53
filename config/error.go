package config

import (
	"errors"
	"fmt"
)

// ErrInvalid is matched by every error of this package: the cluster file, or what
// was asked of it, has to be changed by a person before anything can start.
var ErrInvalid = errors.New("invalid cluster file")

// Error says what is wrong, and where. Its text is one line.
type Error struct {
	File    string // as the caller named it; "" if the cluster came from no file
	Line    int    // from 1; 0 if the problem has no line
	Problem string // names the key and what to do
	Err     error  // the cause, if a call failed; else nil
}

// Error is FILE:LINE: PROBLEM, without what is unknown.
func (e *Error) Error() string {
	switch {
	case e.File != "" && e.Line > 0:
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
	case e.File != "":
		return e.File + ": " + e.Problem
	}
	return e.Problem
}

// Is makes every Error match ErrInvalid.
func (e *Error) Is(target error) bool { return target == ErrInvalid }

// Unwrap returns the cause, such as fs.ErrNotExist.
func (e *Error) Unwrap() error { return e.Err }
