package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"testing"
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
		for i := range v.Len() {
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
