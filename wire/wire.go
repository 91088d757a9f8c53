// Package wire turns messages into frames and back. It is the only place that
// knows bytes on a connection. It may be used from any goroutine.
//
// A frame is
//
//	length:4  crc:4  kind:1  header length:4  header  payload
//
// with big-endian numbers. length counts what follows crc; crc is CRC-32C over
// the same. The header is MessagePack: an array of two, the lengths of the values
// in the payload and the message as an array of its fields in order. The payload
// is those values' bytes as they are, so that they are not decoded on their way. A
// frame that fits the reader's buffer is decoded there, and only its payload is
// copied, once; the values of a larger one alias what was read.
//
// A message or a field that came with a later version of the protocol is left out of what
// is written for an older peer, and is not expected of it (book.go).
//
// The MessagePack library is lenient: it takes nil, short arrays, maps for
// arrays and trailing bytes without an error, and believes counts. So every header
// is first walked along the shape of its message (shape.go), and nothing is
// allocated that the bytes at hand do not account for. What no well-meant process sends
// is refused there, too: numbers, strings and lists out of their bounds (bounds.go). Reading a frame takes at
// most twice the bytes of the largest frame.
package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"sync"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"github.com/paxlog/paxlog/paxos"
)

// ErrFrame is wrapped by every error about bytes that are no valid frame.
var ErrFrame = errors.New("invalid frame")

const (
	prefix     = 8 // length and crc
	fixed      = 5 // kind and header length
	firstAlloc = 256 << 10
	// Overhead is more than any frame needs beside its values and their headers: a
	// page has 4096 runs of votes as well.
	Overhead = 1 << 20
	// ItemOverhead is at least what a header needs for one more value.
	ItemOverhead = paxos.ItemOverhead
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is what is encoded: the lengths of the payload's values, and the message.
type header struct {
	Lens []uint32
	Msg  any
}

var handle = func() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{}
	h.StructToArray = true
	h.WriteExt = true
	h.PositiveIntUnsigned = true
	h.MaxDepth = 8
	// Counts are checked before the library sees them, so a list is made at once:
	// else it grows by doubling, and takes several times its size.
	h.MaxInitLen = maxItems
	return h
}()

// encoding is an encoder with what one frame needs beside the frame itself, so
// that encoding allocates nothing when there is room behind dst.
type encoding struct {
	enc    *codec.Encoder
	header header
	head   []byte // where the encoder writes: behind dst, while there is room
	values []*[]byte
}

var encodings = sync.Pool{New: func() any {
	return &encoding{enc: codec.NewEncoderBytes(nil, handle), header: header{Lens: make([]uint32, 0, 8)}}
}}

// decoding is a decoder with what one frame needs beside its message.
type decoding struct {
	dec    *codec.Decoder
	header header
	values []*[]byte
}

var decodings = sync.Pool{New: func() any { return &decoding{dec: codec.NewDecoderBytes(nil, handle)} }}

// keptValues bounds the lists that are kept for the next frame.
const keptValues = 1024

// kept returns list empty, for the next frame, and refers to none of its elements.
func kept[T any](list []T) []T {
	if cap(list) > keptValues {
		return make([]T, 0, 8)
	}
	clear(list)
	return list[:0]
}

// Append appends the frame of m, as this version has it, to dst.
func Append(dst []byte, m paxos.Message) ([]byte, error) { return messages.append(dst, m, Version) }

// AppendFor is Append for a peer that speaks an older version.
func AppendFor(dst []byte, m paxos.Message, version uint64) ([]byte, error) {
	return messages.append(dst, m, version)
}

func (b *book) append(dst []byte, m paxos.Message, version uint64) ([]byte, error) {
	entry := b[m.MessageKind()]
	if entry == nil {
		return dst, fmt.Errorf("wire: %T is not a message that travels", m)
	}
	form := entry.form(version)
	if form == nil {
		return dst, fmt.Errorf("wire: %T is newer than version %d", m, version)
	}
	e := encodings.Get().(*encoding)
	dst, err := e.append(dst, entry.row, form, m)
	e.header = header{Lens: kept(e.header.Lens)}
	e.values, e.head = kept(e.values), nil
	encodings.Put(e)
	if err != nil {
		return dst, fmt.Errorf("wire: encode %T: %w", m, err)
	}
	return dst, nil
}

func (e *encoding) append(dst []byte, row *paxos.Row, form *form, m paxos.Message) ([]byte, error) {
	e.values = row.AppendValues(e.values, m)
	size := prefix + fixed + ItemOverhead
	for _, v := range e.values {
		e.header.Lens = append(e.header.Lens, uint32(len(*v)))
		size += len(*v)
	}
	start := len(dst)
	dst = slices.Grow(dst, size)[:start+prefix+fixed]
	// The header is encoded where it belongs. If it does not fit the encoder moves it
	// to another place, and append copies it back.
	e.head = dst[len(dst):]
	e.header.Msg = form.view(m)
	e.enc.ResetBytes(&e.head)
	if err := e.enc.Encode(&e.header); err != nil {
		return dst[:start], err
	}
	dst = append(dst, e.head...)
	for _, v := range e.values {
		dst = append(dst, *v...)
	}
	body := dst[start+prefix:]
	body[0] = byte(row.Kind)
	binary.BigEndian.PutUint32(body[1:], uint32(len(e.head)))
	binary.BigEndian.PutUint32(dst[start:], uint32(len(body)))
	binary.BigEndian.PutUint32(dst[start+4:], crc32.Checksum(body, castagnoli))
	return dst, nil
}

// Buffered reports whether a whole frame waits in r's buffer.
func Buffered(r *bufio.Reader) bool {
	have := r.Buffered()
	if have < prefix {
		return false
	}
	pre, _ := r.Peek(prefix) // it is there
	return int64(have) >= prefix+int64(binary.BigEndian.Uint32(pre))
}

// Needs is how many bytes the frame takes of which the first are at hand, 0 if that
// cannot be told yet.
func Needs(r *bufio.Reader) int {
	if r.Buffered() < prefix {
		return 0
	}
	pre, _ := r.Peek(prefix) // it is there
	return int(min(prefix+int64(binary.BigEndian.Uint32(pre)), math.MaxInt32))
}

// Read reads one frame whose body is at most limit bytes. It returns io.EOF only
// between frames. The message's values alias memory that is used for nothing
// else. An error that wraps ErrFrame means that the connection is useless.
func Read(r *bufio.Reader, limit int) (paxos.Message, error) { return messages.read(r, limit, Version) }

// ReadFrom is Read for a peer that speaks an older version.
func ReadFrom(r *bufio.Reader, limit int, version uint64) (paxos.Message, error) {
	return messages.read(r, limit, version)
}

func (b *book) read(r *bufio.Reader, limit int, version uint64) (paxos.Message, error) {
	pre, err := r.Peek(prefix)
	if err != nil {
		if errors.Is(err, io.EOF) && len(pre) > 0 {
			return nil, errInside
		}
		return nil, err
	}
	n, sum := int64(binary.BigEndian.Uint32(pre)), binary.BigEndian.Uint32(pre[4:])
	if n < fixed || n > int64(limit) {
		return nil, fmt.Errorf("%w: a body of %d bytes, the limit is %d", ErrFrame, n, limit)
	}
	if prefix+n <= int64(r.Size()) {
		return b.readSmall(r, int(n), sum, limit, version)
	}
	if _, err := r.Discard(prefix); err != nil {
		return nil, err
	}
	body, err := readBody(r, int(n))
	if err != nil {
		return nil, err
	}
	return b.decode(body, sum, roomFor(limit), version, false)
}

var errInside = fmt.Errorf("%w: the connection ended inside a frame", ErrFrame)

// readSmall reads a frame that fits r's buffer, where it is decoded: only what
// the message keeps is copied.
func (b *book) readSmall(r *bufio.Reader, n int, sum uint32, limit int, version uint64) (paxos.Message, error) {
	frame, err := r.Peek(prefix + n)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errInside
		}
		return nil, err
	}
	m, err := b.decode(frame[prefix:], sum, roomFor(limit), version, true)
	if err != nil {
		return nil, err
	}
	if _, err := r.Discard(prefix + n); err != nil {
		return nil, err
	}
	return m, nil
}

// roomFor is how much the header of a frame may make: less than the 2/3 that
// readBody leaves of twice the limit, since small pieces take more than their
// length. A page of no-ops, which count 64 bytes each, makes half of the limit.
func roomFor(limit int) int { return limit / 20 * 11 }

// readBody reads n bytes. It allocates as they come, so that a length alone
// costs nothing, in steps that end at n and make 4/3 of n together.
func readBody(r io.Reader, n int) ([]byte, error) {
	first := n
	for first > firstAlloc {
		first = (first + 3) / 4
	}
	body := make([]byte, first)
	for done := 0; ; {
		k, err := io.ReadFull(r, body[done:])
		if done += k; err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errInside
			}
			return nil, err
		}
		if done == n {
			return body, nil
		}
		grown := make([]byte, min(n, 4*len(body)))
		copy(grown, body)
		body = grown
	}
}

// decode decodes a frame's body. What its header makes, beside the body itself,
// takes at most room bytes: a list of the smallest elements takes many times the
// bytes that it came in. The message's values alias the body, or, if it is lent,
// a copy of the payload; nothing else of it is kept.
func (b *book) decode(body []byte, sum uint32, room int, version uint64, lent bool) (paxos.Message, error) {
	if len(body) < fixed {
		return nil, fmt.Errorf("%w: a body of %d bytes", ErrFrame, len(body))
	}
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fmt.Errorf("%w: the checksum does not match", ErrFrame)
	}
	kind := Kind(body[0])
	entry := b[kind]
	if entry == nil {
		return nil, fmt.Errorf("%w: unknown kind %d", ErrFrame, kind)
	}
	form := entry.form(version)
	if form == nil {
		return nil, fmt.Errorf("%w: %s is newer than version %d, which this connection speaks", ErrFrame, entry.row.Name, version)
	}
	headLen := int64(binary.BigEndian.Uint32(body[1:]))
	if headLen > int64(len(body)-fixed) {
		return nil, fmt.Errorf("%w: %s: a header of %d bytes in a body of %d", ErrFrame, entry.row.Name, headLen, len(body))
	}
	head, payload := body[fixed:fixed+headLen], body[fixed+headLen:]
	rest, err := form.shape.walk(head, &room)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes after the header", len(rest))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFrame, entry.row.Name, err)
	}
	m := entry.into()
	d := decodings.Get().(*decoding)
	err = d.decode(entry.row, form, m, head, payload, lent)
	d.header = header{Lens: kept(d.header.Lens)}
	d.values = kept(d.values)
	decodings.Put(d)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFrame, entry.row.Name, err)
	}
	return m, nil
}

// decode decodes a walked header into m, and hands the payload to m's values.
func (d *decoding) decode(row *paxos.Row, form *form, m paxos.Message, head, payload []byte, lent bool) error {
	d.header.Msg = form.view(m)
	d.dec.ResetBytes(head)
	if err := d.dec.Decode(&d.header); err != nil {
		return err
	}
	d.values = row.AppendValues(d.values, m)
	if lens := d.header.Lens; len(d.values) != len(lens) {
		return fmt.Errorf("%d value lengths for %d values", len(lens), len(d.values))
	}
	if lent && len(payload) > 0 && len(d.values) > 0 {
		payload = slices.Clone(payload)
	}
	for i, v := range d.values {
		n := int64(d.header.Lens[i])
		if n > int64(len(payload)) {
			return fmt.Errorf("value %d of %d bytes runs past the end", i, n)
		}
		if n > 0 {
			*v = payload[:n:n]
		}
		payload = payload[n:]
	}
	if len(payload) > 0 {
		return fmt.Errorf("%d bytes after the last value", len(payload))
	}
	return nil
}
