package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

func fill(v reflect.Value, n *uint64) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.Array:
		size := v.Len()
		if v.Type() == reflect.TypeFor[paxos.SessionID]() {
			size = 20 // the form that all versions have
		}
		for i := range size {
			fill(v.Index(i), n)
		}
	case reflect.String:
		*n++
		v.SetString(fmt.Sprintf("s%d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		*n++
		v.SetInt(int64(*n) * 1000)
	default:
		*n++
		v.SetUint(*n * 37 & (1<<min(v.Type().Bits(), 62) - 1))
	}
}

// TestOwnedSessions: the id of a session has 20 bytes, or, from version 3 on, 32, of which the last
// are not all zero: so each has one form.
func TestOwnedSessions(t *testing.T) {
	stamp := paxos.NewStamp(paxos.LogID{1}, paxos.OwnerOf("bob"))
	id := paxos.NewSessionID(7, stamp, [12]byte{9})
	detach := encode(t, &paxos.Detach{Session: id})
	m, err := readAllFrom(detach, Version)
	if d, ok := m.(*paxos.Detach); err != nil || !ok || d.Session != id {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := readAllFrom(encode(t, &paxos.Attach{Session: id, From: 1}), Oldest); !errors.Is(err, ErrFrame) {
		t.Errorf("version 2 has no such id: %+v, %v", m, err)
	}
	padded := strings.Repeat("01", 20) + strings.Repeat("00", 12)
	header := unhex(t, "92 90 93 01 c420"+padded+"01")
	if m, err := readAllFrom(frame(kAttach, header, nil), Version); !errors.Is(err, ErrFrame) {
		t.Errorf("a short id in the long form: %+v, %v", m, err)
	}
}

func TestRoundTrip(t *testing.T) {
	for _, k := range kinds() {
		e := messages[k].row
		for _, full := range []bool{false, true} {
			m := e.Zero()
			if full {
				var n uint64
				fill(reflect.ValueOf(m).Elem(), &n)
			}
			b, err := Append(nil, m)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Read(bufio.NewReader(bytes.NewReader(b)), 1<<20)
			if err != nil {
				t.Fatalf("%s (kind %d, full %v): %v\n%x", e.Name, k, full, err, b)
			}
			if !reflect.DeepEqual(m, got) {
				t.Fatalf("%s: sent %+v, got %+v", e.Name, m, got)
			}
			for cut := range b {
				if _, err := Read(bufio.NewReader(bytes.NewReader(b[:cut])), 1<<20); cut > 0 && !errors.Is(err, ErrFrame) {
					t.Fatalf("%s cut at %d: %v", e.Name, cut, err)
				}
			}
		}
	}
}
