package command

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
)

// ErrOutputClosed says that whoever read standard output went away.
var ErrOutputClosed = errors.New("standard output is closed")

// output is standard output. It remembers its first failure, so that nothing
// that was not written goes unnoticed, even where a caller cannot return an error.
type output struct {
	to io.Writer

	mu  sync.Mutex
	err error
}

// Write implements io.Writer. After a failure it fails for good.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.to.Write(p)
	switch {
	case errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		o.err = ErrOutputClosed
	case err != nil:
		o.err = fmt.Errorf("writing to standard output: %w", err)
	}
	return n, o.err
}

// failure returns the first failure, or nil.
func (o *output) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
