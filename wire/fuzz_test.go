package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"reflect"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

const fuzzLimit = 1 << 20

// sameAgain checks that an accepted message survives being sent on.
func sameAgain(t *testing.T, m paxos.Message) {
	t.Helper()
	again, err := readAll(encode(t, m))
	if err != nil {
		t.Fatalf("%+v was accepted, but not its own encoding: %v", m, err)
	}
	if !reflect.DeepEqual(m, again) {
		t.Fatalf("%+v was sent on as %+v", m, again)
	}
}

// FuzzRead reads bytes as they are, and once more with a length and a checksum
// put in front, so that what lies behind the checksum is tried too.
func FuzzRead(f *testing.F) {
	for _, frame := range golden(f) {
		f.Add(frame)
		f.Add(frame[prefix:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, stream := range [][]byte{b, seal(b)} {
			r := bufio.NewReader(bytes.NewReader(stream))
			for {
				m, err := Read(r, fuzzLimit)
				if err != nil {
					if !errors.Is(err, ErrFrame) && !errors.Is(err, io.EOF) {
						t.Fatal(err)
					}
					break
				}
				sameAgain(t, m)
			}
		}
	})
}

// FuzzDecode tries each message's header and payload.
func FuzzDecode(f *testing.F) {
	for _, frame := range golden(f) {
		body := frame[prefix:]
		n := binary.BigEndian.Uint32(body[1:])
		f.Add(body[0], body[fixed:fixed+n], body[fixed+n:])
	}
	f.Fuzz(func(t *testing.T, kind byte, header, payload []byte) {
		m, err := readAll(frame(Kind(kind), header, payload))
		if err != nil {
			if !errors.Is(err, ErrFrame) {
				t.Fatal(err)
			}
			return
		}
		if m.MessageKind() != Kind(kind) {
			t.Fatalf("kind %d was read as %T", kind, m)
		}
		carried := 0
		for _, b := range messages[m.MessageKind()].row.AppendValues(nil, m) {
			carried += len(*b)
		}
		if carried != len(payload) {
			t.Fatalf("%d bytes of values out of a payload of %d", carried, len(payload))
		}
		sameAgain(t, m)
	})
}

// frame builds a frame whose checksum is right, whatever else is wrong.
func frame(k Kind, header, payload []byte) []byte {
	body := binary.BigEndian.AppendUint32([]byte{byte(k)}, uint32(len(header)))
	return seal(append(append(body, header...), payload...))
}

// seal puts the length and the checksum before a body.
func seal(body []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	return append(out, body...)
}
