package wire

import (
	"bufio"
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// free are the numbers that have no bound, by the type that they are a field of: random
// bits, and the version that a dialler speaks. A field that is not listed here has a bound, in every message.
var free = map[string]bool{"MemberState.Incarnation": true,
	"Ballot.Process": true, "Mark.Process": true, "Rejoin.Process": true, "Rejoined.Process": true,
	"Vouch.Incarnation": true, "Vouched.Known": true, "Hello.Incarnation": true, "Welcome.Incarnation": true, "Known.Incarnation": true,
	"Hello.Version": true,
}

// older are those that version 2 does not bound: its processes send random nonces, and
// whatever their user typed.
var older = map[string]bool{
	"Prepare.Nonce": true, "Promise.Nonce": true, "Reject.Nonce": true, "Fetch.Nonce": true, "Page.Nonce": true, "Poll.Nonce": true,
	"PollReply.Nonce": true, "Locate.Time": true, "Read.From": true, "Read.UpTo": true, "Lookup.Seq": true,
}

// leaf is one number, string or list of a message, inside of lists as well.
type leaf struct {
	name  string // of the field, with its type
	since uint64 // the version that it came with, or what it stands in
	at    func(m paxos.Message) reflect.Value
}

// leaves lists what of t has a bound. Lists are given one element on the way.
func leaves(t reflect.Type, name string, since uint64, at func(paxos.Message) reflect.Value) (out []leaf) {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.Tag.Get("codec") != "-" {
				out = append(out, leaves(f.Type, t.Name()+"."+f.Name, max(since, sinceOf(f)), func(m paxos.Message) reflect.Value { return at(m).Field(i) })...)
			}
		}
	case reflect.Slice:
		out = append(out, leaf{name, since, at})
		out = append(out, leaves(t.Elem(), name, since, func(m paxos.Message) reflect.Value {
			list := at(m)
			if list.Len() == 0 {
				list.Set(reflect.MakeSlice(t, 1, 1))
			}
			return list.Index(0)
		})...)
	case reflect.Uint64, reflect.Int, reflect.Int64, reflect.String:
		out = append(out, leaf{name, since, at})
	}
	return out
}

// TestBounds sets every number, string and list of every message, one at a time, to the
// most that it may be, and one further: by reflection, so that a message that is added
// is tried as well.
func TestBounds(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range kinds() {
		row := messages[k].row
		for _, l := range leaves(reflect.TypeOf(row.Zero()).Elem(), row.Name, 0, func(m paxos.Message) reflect.Value { return reflect.ValueOf(m).Elem() }) {
			seen[l.name] = true
			for version := max(row.Since, Oldest); version <= Version; version++ {
				try := func(what string, set func(reflect.Value), refused bool) {
					t.Helper()
					m := row.Zero()
					set(l.at(m))
					b, err := AppendFor(nil, m, version)
					if err != nil {
						t.Fatal(err)
					}
					_, err = ReadFrom(bufio.NewReader(bytes.NewReader(b)), 1<<26, version)
					if (err != nil) != refused || err != nil && !errors.Is(err, ErrFrame) {
						t.Errorf("version %d, %s, %s in a %s: refused: %v, want %v (%v)", version, what, l.name, row.Name, err != nil, refused, err)
					}
				}
				isNew := l.since > version
				switch v := l.at(row.Zero()); v.Kind() {
				case reflect.Uint64:
					bounded := !isNew && !free[l.name] && (version > 2 || !older[l.name])
					try("the largest", func(v reflect.Value) { v.SetUint(paxos.Bound - 1) }, false)
					try("one more", func(v reflect.Value) { v.SetUint(paxos.Bound) }, bounded)
					try("2^64-1", func(v reflect.Value) { v.SetUint(1<<64 - 1) }, bounded)
				case reflect.Int, reflect.Int64:
					bounded := !isNew && (version > 2 || !older[l.name])
					try("the largest", func(v reflect.Value) { v.SetInt(paxos.Bound - 1) }, false)
					try("the least", func(v reflect.Value) { v.SetInt(1 - paxos.Bound) }, false)
					try("one more", func(v reflect.Value) { v.SetInt(paxos.Bound) }, bounded)
					try("one less", func(v reflect.Value) { v.SetInt(-paxos.Bound) }, bounded)
					try("-2^63", func(v reflect.Value) { v.SetInt(-1 << 63) }, bounded)
				case reflect.String:
					most := maxText
					if v.Type() == reflect.TypeFor[paxos.NodeID]() {
						most = maxID
					}
					try("the longest", func(v reflect.Value) { v.SetString(strings.Repeat("x", most)) }, false)
					try("one longer", func(v reflect.Value) { v.SetString(strings.Repeat("x", most+1)) }, !isNew)
				case reflect.Slice:
					most := maxItems
					if slices.Contains([]string{"Promise.Of", "Heartbeat.Of", "Rejoined.Of", "Promise.Marks", "Heartbeat.Marks", "Rejoined.Marks", "Membership.Acceptors", "Offer.Known", "Agreed.Known", "StatusReply.Plain"}, l.name) {
						most = paxos.MaxAcceptors
					}
					if most == maxItems && version < Version {
						continue // it takes long, and is the same
					}
					grow := func(n int) func(reflect.Value) {
						return func(v reflect.Value) { v.Set(reflect.MakeSlice(v.Type(), n, n)) }
					}
					try("the longest", grow(most), false)
					try("one longer", grow(most+1), !isNew)
				}
			}
		}
	}
	for _, list := range []map[string]bool{free, older} {
		for name := range list {
			if !seen[name] {
				t.Errorf("there is no %s", name)
			}
		}
	}
}
