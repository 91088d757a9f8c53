package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/paxlog/paxlog/paxos"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Kinds that the tables below spoil, and what their headers are made of: all but appends in
// the oldest version.
const (
	kWelcome    Kind = 2  // byte, string, number
	kRefusal    Kind = 3  // byte, string
	kPrepare    Kind = 16 // ballot (number, string, number), four numbers
	kAccepted   Kind = 19 // list of (number, number, ballot), number
	kQuery      Kind = 24 // number
	kQueryReply Kind = 25 // number, two ballots, signed number
	kPoll       Kind = 26 // number, bool, number
	kAppend     Kind = 64 // 20 bytes, two numbers, string, number, and a value
	kAttach     Kind = 67 // number, 20 bytes, number
)

var (
	ballot  = " 93 00 a0 00 "
	session = strings.Repeat("ab", 20)
)

// TestHeaders tries headers by hand; an empty want means that it is accepted.
func TestHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		kind    Kind
		header  string
		payload string
		want    string
	}{
		"as it should be":          {kQuery, "92 90 91 07", "", ""},
		"an empty list as nil":     {kQuery, "92 c0 91 07", "", ""},
		"a number longer coded":    {kQuery, "92 90 91 cf0000000000000007", "", ""},
		"arrays longer coded":      {kQuery, "dd00000002 dc0000 dc0001 07", "", ""},
		"a value":                  {kAppend, "92 91 02 97" + "c414" + session + "01 01 a0 01", "0102", "an array of 6"},
		"a value, as it is":        {kAppend, "92 91 02 96" + "c414" + session + "01 01 a0 01 a0", "0102", ""},
		"a negative signed":        {kQueryReply, "92 90 94 01" + ballot + ballot + "ff", "", ""},
		"the least signed":         {kQueryReply, "92 90 94 01" + ballot + ballot + "d3c000000000000001", "", ""},
		"the largest signed":       {kQueryReply, "92 90 94 01" + ballot + ballot + "cf3fffffffffffffff", "", ""},
		"the largest byte":         {kWelcome, "92 90 93 ccff a0 00", "", ""},
		"the largest number":       {kQuery, "92 90 91 cf3fffffffffffffff", "", ""},
		"random bits":              {kPrepare, "92 90 96 93 00 a0 cfffffffffffffffff 01 01 01 01 a0", "", ""},
		"a string longer coded":    {kRefusal, "92 90 92 01 db00000001 78", "", ""},
		"a string that is no text": {kRefusal, "92 90 92 01 a2 fffe", "", ""},

		"nothing":                        {kQuery, "", "", "it ends where an array of 2"},
		"nil for the header":             {kQuery, "c0", "", "byte 0xc0 where an array of 2"},
		"nil for a message":              {kQuery, "92 90 c0", "", "byte 0xc0 where an array of 1"},
		"nil for a struct in it":         {kPrepare, "92 90 96 c0 01 01 01 01 01", "", "byte 0xc0 where an array of 3"},
		"nil for a number":               {kQuery, "92 90 91 c0", "", "byte 0xc0 where a number"},
		"nil for a signed number":        {kQueryReply, "92 90 94 01" + ballot + ballot + "c0", "", "byte 0xc0 where a number"},
		"nil for a string":               {kRefusal, "92 90 92 01 c0", "", "byte 0xc0 where a string"},
		"nil for a bool":                 {kPoll, "92 90 93 01 c0 01", "", "byte 0xc0 where a bool"},
		"nil for fixed bytes":            {kAttach, "92 90 93 01 c0 01", "", "byte 0xc0 where 20 bytes"},
		"nil for an element":             {kAccepted, "92 90 93 91 c0 01", "", "byte 0xc0 where an array of 3"},
		"an array too short":             {kPrepare, "92 90 95" + ballot + "01 01 01 01", "", "an array of 6 fields"},
		"an array too long":              {kPrepare, "92 90 97" + ballot + "01 01 01 01 01 01", "", "an array of 6 fields"},
		"an empty array":                 {kQuery, "92 90 90", "", "an array of 1 fields"},
		"an array that says too much":    {kPrepare, "92 90 96" + ballot + "01 01 01 01", "", "it ends where a string"},
		"a header too short":             {kQuery, "91 90", "", "an array of 2 fields"},
		"a header too long":              {kQuery, "93 90 91 07 00", "", "an array of 2 fields"},
		"a map for a message":            {kQuery, "92 90 81 a5 4e6f6e6365 07", "", "byte 0x81"},
		"a map for a header":             {kQuery, "82 a4 4c656e73 90 a3 4d7367 91 07", "", "byte 0x82"},
		"a map for a list":               {kAccepted, "92 90 93 81 00 93 01 01" + ballot + "01", "", "where a list"},
		"a long map for a message":       {kQuery, "92 90 de0001 a5 4e6f6e6365 07", "", "byte 0xde"},
		"a string for a list":            {kAccepted, "92 90 93 a0 01", "", "where a list"},
		"a number for a message":         {kQuery, "92 90 07", "", "byte 0x07"},
		"bytes after the header":         {kQuery, "92 90 91 07 00", "", "1 bytes after the header"},
		"bytes after no value":           {kQuery, "92 90 91 07", "00", "1 bytes after the last value"},
		"bytes after the last value":     {kAppend, "92 91 02 96 c414" + session + "01 01 a0 01 a0", "010203", "1 bytes after the last value"},
		"a length for no value":          {kQuery, "92 91 00 91 07", "", "1 value lengths for 0 values"},
		"no length for a value":          {kAppend, "92 90 96 c414" + session + "01 01 a0 01 a0", "", "0 value lengths for 1 values"},
		"two lengths for a value":        {kAppend, "92 92 01 01 96 c414" + session + "01 01 a0 01 a0", "0102", "2 value lengths for 1 values"},
		"a value past the end":           {kAppend, "92 91 03 96 c414" + session + "01 01 a0 01 a0", "0102", "value 0 of 3 bytes runs past the end"},
		"a value of 4 GiB":               {kAppend, "92 91 ceffffffff 96 c414" + session + "01 01 a0 01 a0", "0102", "value 0 of 4294967295 bytes runs past the end"},
		"a length that overflows":        {kQuery, "92 91 cf0000000100000000 91 07", "", "4294967296 does not fit"},
		"a negative length":              {kAppend, "92 91 ff 96 c414" + session + "01 01 a0 01 a0", "0102", "byte 0xff where a number"},
		"a byte that overflows":          {kWelcome, "92 90 93 cd0100 a0 00", "", "256 does not fit"},
		"a signed number that overflows": {kQueryReply, "92 90 94 01" + ballot + ballot + "cf8000000000000000", "", "does not fit"},
		"a number out of range":          {kQuery, "92 90 91 cf4000000000000000", "", "4611686018427387904 is out of range"},
		"a round out of range":           {kPrepare, "92 90 96 93 cfffffffffffffffff a0 00 01 01 01 01 a0", "", "18446744073709551615 is out of range"},
		"a signed number out of range":   {kQueryReply, "92 90 94 01" + ballot + ballot + "d34000000000000000", "", "4611686018427387904 is out of range"},
		"one that is too negative":       {kQueryReply, "92 90 94 01" + ballot + ballot + "d3c000000000000000", "", "-4611686018427387904 is out of range"},
		"a negative number":              {kQuery, "92 90 91 ff", "", "byte 0xff where a number"},
		"a negative number of a byte":    {kQuery, "92 90 91 d0ff", "", "byte 0xd0 where a number"},
		"a signed code for a number":     {kQuery, "92 90 91 d307ffffffffffffff", "", "byte 0xd3 where a number"},
		"19 bytes for 20":                {kAttach, "92 90 93 01 c413" + session[2:] + "01", "", "where 20 bytes"},
		"21 bytes for 20":                {kAttach, "92 90 93 01 c415" + session + "ab 01", "", "where 20 bytes"},
		"a string for fixed bytes":       {kAttach, "92 90 93 01 b4" + session + "01", "", "byte 0xb4 where 20 bytes"},
		"an array for fixed bytes":       {kAttach, "92 90 93 01 dc0014" + strings.Repeat("01", 20) + "01", "", "byte 0xdc where 20 bytes"},
		"fixed bytes past the end":       {kAttach, "92 90 93 01 c414 abab", "", "where 20 bytes"},
		"bytes for a string":             {kRefusal, "92 90 92 01 c401 78", "", "byte 0xc4 where a string"},
		"a string past the end":          {kRefusal, "92 90 92 01 a5 78", "", "where a string"},
		"a float":                        {kQuery, "92 90 91 ca40e00000", "", "byte 0xca where a number"},
		"a double":                       {kQuery, "92 90 91 cb401c000000000000", "", "byte 0xcb where a number"},
		"a float for a signed number":    {kQueryReply, "92 90 94 01" + ballot + ballot + "ca40e00000", "", "byte 0xca where a number"},
		"a number for a bool":            {kPoll, "92 90 93 01 01 01", "", "byte 0x01 where a bool"},
		"a bool for a number":            {kQuery, "92 90 91 c3", "", "byte 0xc3 where a number"},
		"a number cut off":               {kQuery, "92 90 91 cf00", "", "where a number"},
		"an extension":                   {kQuery, "92 90 91 d40007", "", "byte 0xd4 where a number"},
		"a timestamp":                    {kQuery, "92 90 91 d6ff00000000", "", "byte 0xd6 where a number"},
		"an extension for a message":     {kQuery, "92 90 c7010007", "", "byte 0xc7"},
		"the reserved code":              {kQuery, "92 90 91 c1", "", "byte 0xc1 where a number"},
		"2^32-1 elements":                {kAccepted, "92 90 93 ddffffffff 00", "", "where a list"},
		"2^31 elements":                  {kAccepted, "92 90 93 dd80000000 00", "", "where a list"},
		"2^31-1 elements":                {kAccepted, "92 90 93 dd7fffffff 00", "", "a list of 2147483647 elements in 1 bytes"},
		"65535 elements":                 {kAccepted, "92 90 93 dcffff 00", "", "a list of 65535 elements in 1 bytes"},
		"15 elements":                    {kAccepted, "92 90 93 9f 00", "", "a list of 15 elements in 1 bytes"},
		"2^32-1 lengths":                 {kQuery, "92 ddffffffff", "", "where a list"},
		"2^31-1 lengths":                 {kQuery, "92 dd7fffffff 00", "", "a list of 2147483647 elements"},
		"2^32-1 fields":                  {kQuery, "92 90 ddffffffff", "", "where an array of 1 fields"},
		"a string of 4 GiB":              {kRefusal, "92 90 92 01 dbffffffff", "", "where a string"},
		"a string of 2 GiB":              {kRefusal, "92 90 92 01 db7fffffff 00", "", "where a string"},
		"fixed bytes of 4 GiB":           {kAttach, "92 90 93 01 c6ffffffff", "", "where 20 bytes"},
		"an array length cut off":        {kQuery, "92 90 dd000000", "", "where an array of 1 fields"},
	} {
		version := Oldest
		if c.kind == kAppend {
			version = Version
		}
		m, err := readAllFrom(frame(c.kind, unhex(t, c.header), unhex(t, c.payload)), uint64(version))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && err == nil:
			t.Errorf("%s was accepted as %+v", name, m)
		case c.want != "" && (!errors.Is(err, ErrFrame) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v\nwant ErrFrame with %q", name, err, c.want)
		}
	}
}

// TestFrames tries what is around a header.
func TestFrames(t *testing.T) {
	good := unhex(t, "92 90 91 07")
	headed := func(n uint32) []byte {
		return seal(append(binary.BigEndian.AppendUint32([]byte{byte(kQuery)}, n), good...))
	}
	claims := func(n uint32) []byte { return append(binary.BigEndian.AppendUint32(nil, n), make([]byte, 100)...) }
	spoilt := frame(kQuery, good, nil)
	spoilt[4] ^= 1
	for name, c := range map[string]struct {
		bytes []byte
		want  string
	}{
		"a bad checksum":           {spoilt, "checksum"},
		"kind 0":                   {frame(0, good, nil), "unknown kind 0"},
		"kind 15":                  {frame(15, good, nil), "unknown kind 15"},
		"kind 255":                 {frame(255, good, nil), "unknown kind 255"},
		"a body of 0":              {claims(0), "a body of 0 bytes"},
		"a body of 4":              {seal([]byte{byte(kQuery), 0, 0, 0}), "a body of 4 bytes"},
		"a body over the limit":    {claims(1<<26 + 1), "the limit is 67108864"},
		"a body of 2^31":           {claims(1 << 31), "a body of 2147483648 bytes"},
		"a body of 2^32-1":         {claims(1<<32 - 1), "a body of 4294967295 bytes"},
		"a body with no header":    {seal([]byte{byte(kQuery), 0, 0, 0, 0}), "it ends where"},
		"a header past the end":    {headed(5), "a header of 5 bytes in a body of 9"},
		"a header of 2^31":         {headed(1 << 31), "a header of 2147483648 bytes"},
		"a header of 2^32-1":       {headed(1<<32 - 1), "a header of 4294967295 bytes"},
		"a header ending early":    {headed(3), "it ends where a number"},
		"a header of the old form": {[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "the limit is"},
	} {
		if m, err := readAllFrom(c.bytes, Oldest); !errors.Is(err, ErrFrame) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v; want ErrFrame with %q", name, m, err, c.want)
		}
	}
}

func TestLimit(t *testing.T) {
	b := encode(t, &paxos.Append{Batch: make([]byte, 100_000)})
	body := len(b) - prefix
	if _, err := Read(bufio.NewReader(bytes.NewReader(b)), body); err != nil {
		t.Error(err)
	}
	if _, err := Read(bufio.NewReader(bytes.NewReader(b)), body-1); !errors.Is(err, ErrFrame) {
		t.Error("over the limit:", err)
	}
}

// TestEnds: io.EOF means an end between frames and nothing else, and an error of
// the connection is not taken for a bad frame.
func TestEnds(t *testing.T) {
	two := encode(t, &paxos.Append{Batch: make([]byte, 2*firstAlloc)})
	two = append(two, encode(t, &Ping{})...)
	r := bufio.NewReader(iotest.HalfReader(bytes.NewReader(two)))
	for range 2 {
		if _, err := Read(r, 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Read(r, 1<<20); err != io.EOF {
		t.Errorf("between frames: %v", err)
	}
	for _, at := range []int{0, 3, prefix, prefix + 2, firstAlloc + 100} {
		failing := io.MultiReader(bytes.NewReader(two[:at]), iotest.ErrReader(iotest.ErrTimeout))
		if _, err := Read(bufio.NewReader(failing), 1<<20); !errors.Is(err, iotest.ErrTimeout) || errors.Is(err, ErrFrame) {
			t.Errorf("a timeout after %d bytes: %v", at, err)
		}
		if at > 0 {
			if _, err := Read(bufio.NewReader(bytes.NewReader(two[:at])), 1<<20); !errors.Is(err, ErrFrame) {
				t.Errorf("an end after %d bytes: %v", at, err)
			}
		}
	}
}

// TestFlippedBits: no frame with one wrong bit is accepted.
func TestFlippedBits(t *testing.T) {
	for _, k := range kinds() {
		b := encode(t, instances(k)["filled"])
		for i := range len(b) * 8 {
			b[i/8] ^= 1 << (i % 8)
			if m, err := readAll(b); !errors.Is(err, ErrFrame) {
				t.Fatalf("%s with bit %d flipped: %+v, %v", messages[k].row.Name, i, m, err)
			}
			b[i/8] ^= 1 << (i % 8)
		}
	}
}

// TestCutHeaders: a header or payload cut short is refused although the frame's
// length and checksum are right.
func TestCutHeaders(t *testing.T) {
	for _, k := range kinds() {
		body := encode(t, instances(k)["filled"])[prefix:]
		n := binary.BigEndian.Uint32(body[1:])
		header := body[fixed : fixed+n]
		for cut := range header {
			if m, err := readAll(frame(k, header[:cut], nil)); !errors.Is(err, ErrFrame) {
				t.Fatalf("%s: %d of %d bytes of the header: %+v, %v", messages[k].row.Name, cut, n, m, err)
			}
		}
	}
}

// TestDeepNesting: a shape has an end, so nesting cannot exhaust the stack.
func TestDeepNesting(t *testing.T) {
	for _, code := range []string{"91", "81", "92", "dc0001", "dd00000001"} {
		deep := unhex(t, strings.Repeat(code, 10_000))
		for _, k := range kinds() {
			for _, start := range []string{"", "92", "9290", "929091", "92909291"} {
				if m, err := readAll(frame(k, append(unhex(t, start), deep...), nil)); !errors.Is(err, ErrFrame) {
					t.Fatalf("%s: %+v, %v", messages[k].row.Name, m, err)
				}
			}
		}
	}
}

// allocated reads one message of b, and returns how many bytes that allocates. The runtime counts
// for the whole process, and what it does by itself meanwhile is no cost of reading: so b is read
// up to four times until it is at most that many, and the least is what it needs.
func allocated(b []byte, limit int, most uint64) (m paxos.Message, least uint64, err error) {
	least = ^uint64(0)
	for i := 0; i < 4 && least > most; i++ {
		r := bufio.NewReader(bytes.NewReader(b))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err = Read(r, limit)
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return m, least, err
}

// TestClaimsCostNothing is hazard 23: memory follows the bytes that came, not
// the numbers in them.
func TestClaimsCostNothing(t *testing.T) {
	claim := func(n uint32, came int) []byte {
		return append(binary.BigEndian.AppendUint32(nil, n), make([]byte, 4+came)...)
	}
	for name, c := range map[string]struct {
		bytes []byte
		most  uint64
	}{
		"a frame of 1 GiB, none of it there":   {claim(1<<30, 0), firstAlloc + 256},
		"a frame of 1 GiB, 100 bytes there":    {claim(1<<30, 100), firstAlloc + 256},
		"a frame of 1 GiB, 1 MiB there":        {claim(1<<30, 1<<20), 8 << 20},
		"2^31-1 elements":                      {frame(kAccepted, unhex(t, "92 90 93 dd7fffffff 00"), nil), 64 << 10},
		"2^32-1 elements":                      {frame(kAccepted, unhex(t, "92 90 93 ddffffffff 00"), nil), 64 << 10},
		"2^31-1 lengths":                       {frame(kQuery, unhex(t, "92 dd7fffffff 00"), nil), 64 << 10},
		"65535 elements, the last one missing": {frame(kAccepted, unhex(t, "92 90 93 dcffff"+strings.Repeat("93 00 00 93 00 a0 00", 65534)), nil), 2 << 20},
		"a string of 2 GiB":                    {frame(kRefusal, unhex(t, "92 90 92 01 db7fffffff 00"), nil), 64 << 10},
		"a value of 4 GiB":                     {frame(kAppend, unhex(t, "92 91 ceffffffff 94 c414"+session+"01 01 a0"), []byte{1}), 64 << 10},
		"a header of 2^32-1":                   {seal(unhex(t, "18 ffffffff 92")), 64 << 10},
	} {
		_, n, err := allocated(c.bytes, 1<<31-1, c.most)
		if !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
		if n > c.most {
			t.Errorf("%s: %d bytes allocated for %d bytes that came", name, n, len(c.bytes))
		}
	}
	query, room := unhex(t, "92 90 91 07"), 1<<20
	if n := testing.AllocsPerRun(100, func() { _, _ = messages[kQuery].form(Oldest).shape.walk(query, &room) }); n != 0 {
		t.Errorf("walking a header makes %v allocations", n)
	}
}

// stretch fills v with what needs the longest codes: numbers as large as they may be, and
// lists and strings of these lengths, or as long as they may be.
func stretch(v reflect.Value, items, text int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("codec") != "-" {
				stretch(v.Field(i), items, text)
			}
		}
	case reflect.Slice:
		items = min(items, mostOf(v.Type()))
		v.Set(reflect.MakeSlice(v.Type(), items, items))
		for i := range items {
			stretch(v.Index(i), items, 1)
		}
	case reflect.Array:
		for i := range v.Len() {
			stretch(v.Index(i), items, text)
		}
	case reflect.String:
		v.SetString(strings.Repeat("\xff", min(text, mostOf(v.Type()))))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1 - paxos.Bound)
	default:
		v.SetUint(1<<min(v.Type().Bits(), 62) - 1)
	}
}

// TestExtremes sends the largest numbers, long strings and long lists.
func TestExtremes(t *testing.T) {
	for _, k := range kinds() {
		for _, c := range []struct{ items, text int }{{1, 31}, {15, 32}, {16, 255}, {17, 256}, {300, 65535}, {1, 65536}} {
			m := messages[k].row.Zero()
			stretch(reflect.ValueOf(m).Elem(), c.items, c.text)
			if got, err := readAll(encode(t, m)); err != nil || !reflect.DeepEqual(m, got) {
				t.Errorf("%s with lists of %d and strings of %d: %v", messages[k].row.Name, c.items, c.text, err)
			}
		}
	}
}

// TestLongPages: a page counts at least 64 bytes for a vote, so one of 8 MiB, of
// the 64 that a cluster file allows, may hold more than 65,536 no-ops.
func TestLongPages(t *testing.T) {
	b := encode(t, &paxos.Page{Values: make([]paxos.Vote, 1<<15)})
	if _, err := readAll(b); err != nil {
		t.Error(err)
	}
}

// TestValuesAreNotCopied: a message's values alias what was read, apart from each other.
func TestValuesAreNotCopied(t *testing.T) {
	m := &paxos.Page{Values: make([]paxos.Vote, 2)}
	m.Values[0].Value.Batch, m.Values[1].Value.Batch = []byte("one"), []byte("two")
	b := encode(t, m)
	got, err := messages.decode(b[prefix:], binary.BigEndian.Uint32(b[4:]), 1<<20, Version, false)
	if err != nil {
		t.Fatal(err)
	}
	page := got.(*paxos.Page)
	_ = append(page.Values[0].Value.Batch, 0xff)
	if string(page.Values[1].Value.Batch) != "two" {
		t.Errorf("the second value became %q", page.Values[1].Value.Batch)
	}
}

// TestAppendAppends: frames follow each other, and what was there stays.
func TestAppendAppends(t *testing.T) {
	var stream []byte
	for _, k := range kinds() {
		b, err := Append(stream, instances(k)["filled"])
		if err != nil || !bytes.Equal(b[:len(stream)], stream) {
			t.Fatal(messages[k].row.Name, err)
		}
		stream = b
	}
	r := bufio.NewReader(iotest.OneByteReader(bytes.NewReader(stream)))
	for _, k := range kinds() {
		if m, err := Read(r, 1<<20); err != nil || !reflect.DeepEqual(m, instances(k)["filled"]) {
			t.Fatalf("%s: %+v, %v", messages[k].row.Name, m, err)
		}
	}
	if _, err := Read(r, 1<<20); err != io.EOF {
		t.Fatal(err)
	}
}

// TestUnfitTypes: a message of a type that has no shape is found at the start.
func TestUnfitTypes(t *testing.T) {
	for _, v := range []any{struct{ M map[string]int }{}, struct{ F float64 }{}, struct{ P *int }{}, struct{ A [2]int }{}, struct{ I any }{}, struct{ N int32 }{}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T has a shape", v)
				}
			}()
			shapeOf(reflect.TypeOf(v), Version)
		}()
	}
}
