package sim

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// TestSameSeedSameRun: a seed decides all of a run, down to the last byte of each
// message.
func TestSameSeedSameRun(t *testing.T) {
	for seed := uint64(1); seed <= 40; seed++ {
		a, b := RunSeed(seed, nil, nil), RunSeed(seed, nil, nil)
		if torn := DrawPlan(seed).Store == TornStore; torn != (a.Hash == 0) {
			t.Errorf("seed %d: hash %016x, torn %v", seed, a.Hash, torn)
		} else if !torn && (a.Hash != b.Hash || a.Steps != b.Steps) {
			t.Errorf("seed %d: two runs have hashes %016x and %016x, %d and %d steps", seed, a.Hash, b.Hash, a.Steps, b.Steps)
		}
	}
}

// TestStoresAgree: with Pebble beneath, a run is the same as with the model, which
// ties the model to what is really used.
func TestStoresAgree(t *testing.T) {
	for seed := uint64(1); seed <= 25; seed++ {
		p := DrawPlan(seed)
		// Directories in Pebble are not lost.
		p.Faults = slices.DeleteFunc(p.Faults, func(f Fault) bool { return f.Kind == LoseLearner })
		// And they are of this release.
		for i := range p.Programs {
			p.Programs[i].Knows = min(p.Programs[i].Knows, control.Level)
		}
		for i, f := range p.Faults {
			if f.Kind == ReplaceProgram || f.Kind == RaiseLevel {
				p.Faults[i].Arg = min(f.Arg, control.Level)
			}
		}
		p.Store = ModelStore
		model := runPlan(p, watch{})
		p.Store = PebbleStore
		if pebble := runPlan(p, watch{}); pebble.Err != nil || pebble.Hash != model.Hash {
			t.Errorf("seed %d: %016x with the model, %016x with Pebble (%v)", seed, model.Hash, pebble.Hash, pebble.Err)
		}
	}
}

// TestTornStores: whatever blocks a crash leaves, what was synced is there, what
// else is there are the next commits, and every invariant holds.
func TestTornStores(t *testing.T) {
	torn := 0
	for seed := uint64(1); seed <= 25; seed++ {
		p := DrawPlan(seed)
		p.Store = TornStore
		r := runPlan(p, watch{})
		if torn += r.Events["torn clone"]; r.Err != nil {
			t.Errorf("seed %d: %v", seed, r.Err)
		}
	}
	if torn == 0 {
		t.Error("nothing was torn")
	}
}

// TestWallClockDecidesNothing: a run whose wall clocks jump by weeks has the same
// messages and the same log as one whose do not.
func TestWallClockDecidesNothing(t *testing.T) {
	jumps := 0
	for seed := uint64(1); seed <= 40; seed++ {
		p := DrawPlan(seed)
		p.Store = ModelStore
		with := runPlan(p, watch{})
		jumps += with.Events[JumpWall.String()]
		without := runPlan(p, watch{setUp: func(c *Cluster) { c.noJumps = true }})
		if with.Steps != without.Steps || with.Answers != without.Answers || !reflect.DeepEqual(with.where, without.where) {
			t.Errorf("seed %d: %d steps and %d entries with jumps of the wall clock, %d and %d without", seed, with.Steps, with.Entries, without.Steps, without.Entries)
		}
	}
	if jumps == 0 {
		t.Error("no clock jumped")
	}
}

// TestHashSeesAll: a change of any field of any message changes the hash.
func TestHashSeesAll(t *testing.T) {
	vote := paxos.Vote{Instance: 1}
	for _, m := range []paxos.Message{
		&paxos.Prepare{}, &paxos.Promise{Votes: []paxos.Vote{vote}}, &paxos.Accept{}, &paxos.Accepted{Runs: []paxos.VoteRun{{}}}, &paxos.Reject{},
		&paxos.Heartbeat{}, &paxos.HeartbeatAck{}, &paxos.Query{}, &paxos.QueryReply{}, &paxos.Poll{}, &paxos.PollReply{}, &paxos.Relay{},
		&paxos.Fetch{}, &paxos.Page{Runs: []paxos.VoteRun{{}}, Values: []paxos.Vote{vote}}, &paxos.Vouch{}, &paxos.Vouched{}, &paxos.Repair{},
		&paxos.Append{}, &paxos.Refused{}, &paxos.Leader{}, &paxos.Attach{}, &paxos.Attached{}, &paxos.Result{}, &paxos.Locate{}, &paxos.Located{},
		&paxos.Read{}, &paxos.LogPage{Records: []paxos.LogRecord{{}}}, &paxos.Lookup{}, &paxos.Found{}, &paxos.StatusQuery{}, &paxos.StatusReply{},
		&paxos.Named{}, &paxos.Able{}, &paxos.AbleReply{}, &paxos.Transfer{}, &paxos.Transferred{}, &paxos.Drain{}, &paxos.Drained{}, &paxos.Elsewhere{},
	} {
		before := hashOf(m)
		eachField(reflect.ValueOf(m).Elem(), fmt.Sprintf("%T", m), func(path string) {
			if hashOf(m) == before {
				t.Errorf("a change of %s is not in the hash", path)
			}
		})
	}
}

func hashOf(m paxos.Message) uint64 {
	var d hasher
	d.message(m)
	return uint64(d.digest)
}

// eachField changes each field within v in turn, calls f, and puts it back.
func eachField(v reflect.Value, path string, f func(path string)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			eachField(v.Field(i), path+"."+v.Type().Field(i).Name, f)
		}
		return
	case reflect.Slice, reflect.Array:
		if v.Len() > 0 && v.Index(0).Kind() != reflect.Uint8 {
			eachField(v.Index(0), path+"[0]", f)
			return
		}
	}
	old := reflect.ValueOf(v.Interface())
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(v.Uint() + 1)
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Array:
		v.Index(v.Len() - 1).SetUint(7)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	default:
		panic("a field of a kind that this test does not know: " + path)
	}
	f(path)
	v.Set(old)
}
