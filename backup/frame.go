package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// magic begins a backup, and names the version of its form.
const magic = "paxlog backup 1\n"

// The kinds of items.
const (
	itemHeader byte = iota + 1
	itemBase
	itemValue
	itemState
	itemEnd
)

const (
	// frameBytes is how many bytes of items a frame holds at least, but for the last one.
	frameBytes = 256 << 10
	// partBytes is how many bytes of a state an item holds at most.
	partBytes = 64 << 10
	// maxFrame bounds a frame that is read: one value of the largest batch beside a full frame.
	maxFrame = 96 << 20
	// maxState bounds the bytes of a state, as that of a checkpoint.
	maxState = 1 << 30
)

// Sum is the sum after a frame.
type Sum [sha256.Size]byte

// ErrDamaged is wrapped by the errors of what does not read as it was written.
var ErrDamaged = errors.New("damaged or no backup")

// ErrDiffers is wrapped by the errors of backups that do not fit together, or to a log.
var ErrDiffers = errors.New("does not fit")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// frames writes items.
type frames struct {
	w     io.Writer
	least int // bytes of a frame
	body  []byte
	sum   Sum
	bytes int64
}

func (f *frames) begin() error {
	f.sum = sha256.Sum256([]byte(magic))
	f.bytes = int64(len(magic))
	_, err := io.WriteString(f.w, magic)
	return err
}

// item adds one, whose rest has these parts.
func (f *frames) item(kind byte, parts ...[]byte) error {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	f.body = binary.AppendUvarint(append(f.body, kind), uint64(n))
	for _, p := range parts {
		f.body = append(f.body, p...)
	}
	if len(f.body) < f.least {
		return nil
	}
	return f.flush()
}

// flush writes a frame of what was added.
func (f *frames) flush() error {
	if len(f.body) == 0 {
		return nil
	}
	if len(f.body) > maxFrame {
		return fmt.Errorf("a value of %d bytes is larger than a backup can hold", len(f.body))
	}
	length := binary.BigEndian.AppendUint32(nil, uint32(len(f.body)))
	f.sum = f.sum.after(length, f.body)
	for _, part := range [][]byte{length, f.body, f.sum[:]} {
		n, err := f.w.Write(part)
		if f.bytes += int64(n); err != nil {
			return err
		}
	}
	f.body = f.body[:0]
	return nil
}

// after is the sum after a frame.
func (s Sum) after(length, body []byte) (next Sum) {
	h := sha256.New()
	h.Write(s[:])
	h.Write(length)
	h.Write(body)
	h.Sum(next[:0])
	return next
}

// items reads items.
type items struct {
	r     io.Reader
	sum   Sum
	rest  []byte // of the frame at hand
	body  bytes.Buffer
	frame int // number of the frame at hand
	bytes int64
}

func (t *items) begin() error {
	head := make([]byte, len(magic))
	n, err := io.ReadFull(t.r, head)
	t.bytes = int64(n)
	switch {
	case err != nil && !isEnd(err):
		return err
	case err != nil || string(head) != magic:
		const since = len(magic) - 2
		if err == nil && string(head[:since]) == magic[:since] {
			return fmt.Errorf("%w: it is of another version than this program knows: use the version of paxlog that wrote it", ErrDamaged)
		}
		return damaged("it does not begin as a backup does")
	}
	t.sum = sha256.Sum256(head)
	return nil
}

func isEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// next returns an item, whose rest is good until the next call.
func (t *items) next() (kind byte, rest []byte, err error) {
	if len(t.rest) == 0 {
		if err := t.read(); err != nil {
			return 0, nil, err
		}
	}
	kind = t.rest[0]
	n, k := binary.Uvarint(t.rest[1:])
	if k <= 0 || n > uint64(len(t.rest)-1-k) {
		return 0, nil, damaged("an item of frame %d is longer than it", t.frame)
	}
	rest = t.rest[1+k : 1+k+int(n)]
	t.rest = t.rest[1+k+int(n):]
	return kind, rest, nil
}

// read reads a frame and checks its sum.
func (t *items) read() error {
	t.frame++
	var length [4]byte
	if err := t.full(length[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n == 0 || n > maxFrame {
		return damaged("frame %d says to have %d bytes", t.frame, n)
	}
	t.body.Reset()
	got, err := io.CopyN(&t.body, t.r, int64(n)) // which takes memory as bytes arrive
	t.bytes += got
	if err != nil {
		return t.cut(err)
	}
	var sum Sum
	if err := t.full(sum[:]); err != nil {
		return err
	}
	if t.sum = t.sum.after(length[:], t.body.Bytes()); t.sum != sum {
		return damaged("frame %d, before byte %d, is not what was written there", t.frame, t.bytes)
	}
	t.rest = t.body.Bytes()
	return nil
}

func (t *items) full(b []byte) error {
	n, err := io.ReadFull(t.r, b)
	t.bytes += int64(n)
	return t.cut(err)
}

// cut explains an error of reading.
func (t *items) cut(err error) error {
	if err != nil && isEnd(err) {
		return damaged("it ends after %d bytes, in the middle", t.bytes)
	}
	return err
}

// end makes sure that nothing follows.
func (t *items) end() error {
	var one [1]byte
	switch n, err := io.ReadFull(t.r, one[:]); {
	case n > 0 || len(t.rest) > 0:
		return damaged("something follows its end, at byte %d", t.bytes)
	case err != nil && !isEnd(err):
		return err
	}
	return nil
}
