package transport

import "sync"

// spares are buffers that large texts were written from, for whichever connection is next. Those that
// wait to be written have theirs, which the budget of clients counts, and no others have any.
var spares sync.Pool // of *[]byte

// largeBuffer is an empty buffer with room for n bytes.
func largeBuffer(n int) []byte {
	if b, ok := spares.Get().(*[]byte); ok && cap(*b) >= n {
		return *b
	}
	return make([]byte, 0, (n/ioBuffer+1)*ioBuffer)
}

// recycle takes a buffer that is not used any more.
func recycle(b []byte) {
	if cap(b) <= 8*writeChunk { // else it is too large to keep
		b = b[:0]
		spares.Put(&b)
	}
}
