package paxos

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/quick"
)

// run returns an append of entries, the first numbered first.
func run(session SessionID, first uint64, entries ...[]byte) Run {
	r := Run{Kind: RunAppend, Session: session, First: first, Count: uint64(len(entries))}
	for _, e := range entries {
		r.Entries = AppendEntry(r.Entries, e)
	}
	return r
}

// entriesOf lists what NextEntry finds.
func entriesOf(r Run) (out [][]byte) {
	for rest := r.Entries; len(rest) > 0; {
		var e []byte
		e, rest = NextEntry(rest)
		out = append(out, e)
	}
	return out
}

func sameRun(a, b Run) bool {
	return a.Kind == b.Kind && a.Session == b.Session && a.First == b.First && a.Count == b.Count && bytes.Equal(a.Entries, b.Entries)
}

func TestRunsRoundTrip(t *testing.T) {
	law := func(session SessionID, first uint64, entries [][]byte, second [][]byte) bool {
		a := run(session, first%Bound+1, append(entries, []byte{})...)
		b := run(session, 1, append(second, bytes.Repeat([]byte{7}, 300))...)
		fence := Run{Kind: RunFence, Session: session}
		batch := fence.AppendTo(b.AppendTo(a.AppendTo(nil)))
		for _, want := range []Run{a, b, fence} {
			got, rest, err := NextRun(batch)
			if err != nil || !sameRun(got, want) {
				return false
			}
			batch = rest
		}
		return len(batch) == 0 && slices.EqualFunc(entriesOf(a), append(entries, []byte{}), bytes.Equal)
	}
	if err := quick.Check(law, nil); err != nil {
		t.Fatal(err)
	}
}

func TestSkip(t *testing.T) {
	entries := [][]byte{[]byte("one"), {}, bytes.Repeat([]byte("x"), 200), []byte("four")}
	r := run(SessionID{1}, 10, entries...)
	for n := range uint64(len(entries)) + 1 {
		got, want := r.Skip(n), run(SessionID{1}, 10+n, entries[n:]...)
		if !sameRun(got, want) {
			t.Errorf("without %d: %+v, want %+v", n, got, want)
		}
	}
	if !sameRun(r, run(SessionID{1}, 10, entries...)) {
		t.Error("Skip changed its run")
	}
}

// TestEntriesAreApart: appending to an entry never writes into the next one.
func TestEntriesAreApart(t *testing.T) {
	r := run(SessionID{}, 1, []byte("one"), []byte("two"))
	first, rest := NextEntry(r.Entries)
	_ = append(first, 0xff)
	if second, _ := NextEntry(rest); string(second) != "two" {
		t.Errorf("the second entry became %q", second)
	}
}

func TestFence(t *testing.T) {
	s := NewSessionID(5, Stamp{}, [12]byte{1})
	r, rest, err := NextRun(Fence(s))
	if err != nil || len(rest) != 0 || !sameRun(r, Run{Kind: RunFence, Session: s}) {
		t.Fatalf("%+v, %x, %v", r, rest, err)
	}
}

func TestMalformedBatches(t *testing.T) {
	s := strings.Repeat("ab", 20)
	for name, text := range map[string]string{
		"a kind and nothing":          "01",
		"a short session":             "01" + s[2:],
		"no first":                    "01" + s,
		"no count":                    "01" + s + "01",
		"first of 0":                  "01" + s + "00" + "01" + "00",
		"count of 0":                  "01" + s + "01" + "00",
		"fewer entries than counted":  "01" + s + "01" + "02" + "00",
		"an entry past the end":       "01" + s + "01" + "01" + "02ff",
		"an entry of 2^64-1 bytes":    "01" + s + "01" + "01" + "ffffffffffffffffff01",
		"2^63 entries":                "01" + s + "01" + "80808080808080808001" + "00",
		"first above the bound":       "01" + s + "818080808080808040" + "01" + "00",
		"first that overflows":        "01" + s + "ffffffffffffffffff02" + "01" + "00",
		"first in two bytes for one":  "01" + s + "8100" + "01" + "00",
		"count in two bytes for one":  "01" + s + "01" + "8100" + "00",
		"length in two bytes for one": "01" + s + "01" + "01" + "8000",
		"an endless number":           "01" + s + "ffffffffffffffffffffffffff",
		"a fence with a first":        "02" + s + "01" + "00",
		"a fence with a count":        "02" + s + "00" + "01" + "00",
		"kind 0":                      "00" + s + "01" + "01" + "00",
		"kind 3":                      "03" + s + "01" + "01" + "00",
		"kind 255":                    "ff" + s + "00" + "00",
		"bytes after a run":           "01" + s + "01" + "01" + "00" + "00",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(name, err)
		}
		if err := CheckBatch(b, 1<<20); !errors.Is(err, ErrBatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckBatch(t *testing.T) {
	b := run(SessionID{}, 1, make([]byte, 10), make([]byte, 11)).AppendTo(Fence(SessionID{2}))
	if err := CheckBatch(b, 11); err != nil {
		t.Error(err)
	}
	if err := CheckBatch(b, 10); !errors.Is(err, ErrBatch) || !strings.Contains(err.Error(), "11 bytes, over the limit of 10") {
		t.Error(err)
	}
	if err := CheckBatch(nil, 0); err != nil {
		t.Error("a no-op:", err)
	}
	largest := run(SessionID{}, Bound, nil).AppendTo(nil)
	if err := CheckBatch(largest, 0); err != nil {
		t.Error("the last sequence number:", err)
	}
	for cut := 1; cut < len(largest); cut++ {
		if err := CheckBatch(largest[:cut], 0); !errors.Is(err, ErrBatch) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

func TestNextRunAllocatesNothing(t *testing.T) {
	b := run(SessionID{1}, 1, []byte("one"), []byte("two")).AppendTo(nil)
	if n := testing.AllocsPerRun(100, func() { _, _, _ = NextRun(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSessionID(t *testing.T) {
	law := func(birth Instance, random [12]byte) bool {
		s := NewSessionID(birth, Stamp{}, random)
		return s.Birth() == birth && bytes.Equal(s[8:20], random[:]) && s.String() == hex.EncodeToString(s[:20])
	}
	if err := quick.Check(law, nil); err != nil {
		t.Fatal(err)
	}
	if s := NewSessionID(0x0102, Stamp{}, [12]byte{0xff}); s.String() != "0000000000000102ff"+strings.Repeat("00", 11) {
		t.Error("the birth is not big endian in front:", s)
	}
}

func TestParseAppendID(t *testing.T) {
	law := func(session SessionID, seq uint64) bool {
		id := AppendID{session, max(seq%Bound, 1)}
		got, err := ParseAppendID(id.String())
		return err == nil && got == id
	}
	if err := quick.Check(law, nil); err != nil {
		t.Fatal(err)
	}
	s := strings.Repeat("0a", 20)
	for _, text := range []string{
		"", "/", s, s + "/", "/1", s + "/0", s + "/-1", s + "/+1", s + "/1/2", s + "/ 1", s + "/1\n", s + "/0x1", s + "/1_0",
		s + "/18446744073709551616", s + "/4611686018427387904", s[1:] + "/1", s[2:] + "/1", s + "0a/1", "g" + s[1:] + "/1", " " + s + "/1",
	} {
		if id, err := ParseAppendID(text); !errors.Is(err, ErrAppendID) || id != (AppendID{}) {
			t.Errorf("%q: %v, %v", text, id, err)
		}
	}
}

// FuzzBatch: whatever NextRun accepts has one encoding, and CheckBatch agrees.
func FuzzBatch(f *testing.F) {
	s := NewSessionID(1<<40, Stamp{}, [12]byte{1, 2, 3})
	f.Add([]byte(nil))
	f.Add(Fence(s))
	f.Add(run(s, 1, []byte("one"), nil, bytes.Repeat([]byte("x"), 200)).AppendTo(nil))
	f.Add(run(s, Bound, nil).AppendTo(Fence(s)))
	f.Fuzz(func(t *testing.T, batch []byte) {
		var again []byte
		var longest int
		rest := batch
		for len(rest) > 0 {
			r, after, err := NextRun(rest)
			if err != nil {
				if !errors.Is(err, ErrBatch) || !errors.Is(CheckBatch(batch, len(batch)), ErrBatch) {
					t.Fatalf("NextRun: %v, CheckBatch: %v", err, CheckBatch(batch, len(batch)))
				}
				return
			}
			entries := entriesOf(r)
			if uint64(len(entries)) != r.Count {
				t.Fatalf("%d entries in a run of %d", len(entries), r.Count)
			}
			built := Run{Kind: r.Kind, Session: r.Session, First: r.First, Count: r.Count}
			for _, e := range entries {
				built.Entries = AppendEntry(built.Entries, e)
				longest = max(longest, len(e))
			}
			again, rest = built.AppendTo(again), after
			if r.Skip(r.Count).Count != 0 || len(r.Skip(r.Count).Entries) != 0 {
				t.Fatal("something is left after the last entry")
			}
		}
		if !bytes.Equal(again, batch) {
			t.Fatalf("another encoding of the same runs:\n%x\n%x", batch, again)
		}
		if err := CheckBatch(batch, longest); err != nil {
			t.Fatal(err)
		}
		if longest > 0 && CheckBatch(batch, longest-1) == nil {
			t.Fatalf("an entry of %d bytes passed a limit of %d", longest, longest-1)
		}
	})
}

// FuzzParseAppendID: what is accepted names the same command when printed.
func FuzzParseAppendID(f *testing.F) {
	f.Add(AppendID{NewSessionID(7, Stamp{}, [12]byte{9}), 1}.String())
	f.Add(strings.Repeat("AB", 20) + "/007")
	f.Add(strings.Repeat("00", 20) + "/18446744073709551615")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseAppendID(text)
		if err != nil {
			if !errors.Is(err, ErrAppendID) {
				t.Fatal(err)
			}
			return
		}
		if again, err := ParseAppendID(id.String()); err != nil || again != id || id.Seq == 0 {
			t.Fatalf("%q is %v, which reads as %v, %v", text, id, again, err)
		}
		session, seq, _ := strings.Cut(text, "/")
		if want := strings.ToLower(session) + "/" + strings.TrimLeft(seq, "0"); id.String() != want {
			t.Fatalf("%q was read as %v", text, id)
		}
	})
}

// TestEntrySize: EntrySize is what AppendEntry takes.
func TestEntrySize(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 129, 16383, 16384, 1 << 20, 1<<21 - 1, 1 << 21} {
		if got := len(AppendEntry(nil, make([]byte, n))); got != EntrySize(n) {
			t.Errorf("an entry of %d bytes takes %d, not %d", n, got, EntrySize(n))
		}
	}
}
