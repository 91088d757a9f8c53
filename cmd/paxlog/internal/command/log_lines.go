package command

import (
	"bytes"
	"io"
	"sync"
	"time"
)

const (
	// maxLogLines bounds the bytes of lines that wait to be written.
	maxLogLines = 1 << 20
	// lastLines bounds how long a process that ends waits for what it has to say last: a
	// process whose standard error nobody reads must end all the same.
	lastLines = time.Second
)

// logLines are lines on their way to a writer that may block for ever, as a pipe does that
// nobody reads. Whoever adds a line does not wait. A goroutine writes them, which lives as
// long as there are any: a process that logs nothing has none.
//
// What is dropped is the newest, so that the lines which tell how it began are kept.
type logLines struct {
	to   io.Writer
	tell func(dropped int) []byte // the line that says so

	mu      sync.Mutex
	waiting [][]byte
	bytes   int           // of waiting, and of the line that is being written
	dropped int           // since that was told last
	written chan struct{} // closed when all is written; nil if nobody writes
	ended   bool
}

// Write implements io.Writer. It takes one line, or nothing after the end, and never fails.
func (l *logLines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended:
		return len(line), nil
	case l.bytes+len(line) > maxLogLines:
		l.dropped++
		return len(line), nil
	}
	l.waiting = append(l.waiting, bytes.Clone(line))
	l.bytes += len(line)
	if l.written == nil {
		l.written = make(chan struct{})
		go l.write(l.written)
	}
	return len(line), nil
}

// write writes all lines, each with one call: other processes may write to the same
// terminal.
func (l *logLines) write(done chan<- struct{}) {
	defer close(done)
	for line := l.next(0); line != nil; line = l.next(len(line)) {
		// There is nobody to tell that this failed.
		_, _ = l.to.Write(line)
	}
}

// next is the line to write after one of so many bytes, or nil.
func (l *logLines) next(written int) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes -= written
	if len(l.waiting) == 0 && l.dropped > 0 {
		line := l.tell(l.dropped)
		l.dropped = 0
		l.waiting, l.bytes = append(l.waiting, line), l.bytes+len(line)
	}
	if len(l.waiting) == 0 {
		l.waiting, l.written = nil, nil
		return nil
	}
	line := l.waiting[0]
	l.waiting[0] = nil
	l.waiting = l.waiting[1:]
	return line
}

// end takes no more lines, and waits until those there are have been written, but not
// longer than patience.
func (l *logLines) end(patience time.Duration) {
	l.mu.Lock()
	l.ended = true
	written := l.written
	l.mu.Unlock()
	if written != nil {
		within(patience, written)
	}
}

// within waits for done, but not longer than patience.
func within(patience time.Duration, done <-chan struct{}) {
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
	}
}
