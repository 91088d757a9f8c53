package hostile

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// Kind is one way to do harm.
type Kind struct {
	Name string
	Does string
	Run  func(context.Context, *Target)
}

// Kinds are all of them.
var Kinds = []Kind{
	{"status", "four connections to each process ask how it is, as fast as they can", status},
	{"appends", "four connections to each proposer append to a session that was never begun", appends},
	{"leaving", "clients attach a long session thousands of times and leave, again and again", leaving},
	{"slow", "clients read the whole log over and over, and take nothing of what they are sent", slow},
	{"asking", "clients wait for entries that are not there, and ask thousands of questions at once", asking},
	{"silent", "hundreds of connections to each process that say nothing, or half of a greeting", silent},
	{"garbage", "bytes that are no greeting, and frames that are none", garbage},
	{"extreme", "a client sends well-formed messages of every kind it may send, with extreme numbers", extreme},
	{"impostors", "servers under names of others, of other roles, and of nobody", impostors},
	{"handshakes", "strangers begin TLS, with no certificate, and with a first record that is cut off or noise", handshakes},
}

func status(ctx context.Context, t *Target) {
	block := frames(500, func(i int) paxos.Message { return &paxos.StatusQuery{Nonce: uint64(i + 1)} })
	crowd(ctx, t.everybody(), 4, func(ctx context.Context, p place, _ int) error { return t.flood(ctx, p, block, true) })
}

func appends(ctx context.Context, t *Target) {
	never := paxos.NewSessionID(1<<50, paxos.Stamp{}, [12]byte{7})
	block := frames(200, func(i int) paxos.Message {
		r := paxos.Run{Kind: paxos.RunAppend, Session: never, First: uint64(i + 1), Count: 1, Entries: paxos.AppendEntry(nil, make([]byte, 200))}
		return &paxos.Append{Session: never, First: uint64(i + 1), Attempt: uint64(i + 1), Batch: r.AppendTo(nil)}
	})
	crowd(ctx, t.places(paxos.RoleProposer), 4, func(ctx context.Context, p place, _ int) error { return t.flood(ctx, p, block, true) })
}

func leaving(ctx context.Context, t *Target) {
	block := frames(2000, func(i int) paxos.Message { return &paxos.Attach{Nonce: uint64(i + 1), Session: t.Session, From: 1} })
	crowd(ctx, t.places(paxos.RoleLearner), 4, func(ctx context.Context, p place, _ int) error {
		nc, _, err := t.connect(ctx, p)
		if err != nil {
			return err
		}
		defer nc.Close()
		_, err = nc.Write(block)
		rest(ctx, 5*time.Millisecond)
		return err
	})
}

func slow(ctx context.Context, t *Target) {
	block := frames(100, func(i int) paxos.Message {
		return &paxos.Read{Nonce: uint64(i + 1), From: 1 + paxos.Index(i%7), MaxBytes: 1 << 20}
	})
	crowd(ctx, t.places(paxos.RoleLearner), 100, func(ctx context.Context, p place, _ int) error { return t.flood(ctx, p, block, false) })
}

func asking(ctx context.Context, t *Target) {
	block := frames(1000, func(i int) paxos.Message {
		n := rand.Uint64N(1 << 40)
		switch i % 4 {
		case 0:
			return &paxos.Read{Nonce: n, From: paxos.Index(1<<40 + n), Wait: true}
		case 1:
			return &paxos.Locate{Nonce: n, Time: paxos.UnixNanos(n)}
		case 2:
			return &paxos.Lookup{Nonce: n, Session: t.Session, Seq: 1 + n%100}
		}
		return &paxos.Attach{Nonce: n, Session: paxos.NewSessionID(1, paxos.Stamp{}, [12]byte{byte(n), byte(n >> 8), byte(n >> 16)}), From: 1}
	})
	crowd(ctx, t.places(paxos.RoleLearner), 16, func(ctx context.Context, p place, _ int) error { return t.flood(ctx, p, block, true) })
}

func silent(ctx context.Context, t *Target) {
	crowd(ctx, t.everybody(), 200, func(ctx context.Context, p place, i int) error {
		nc, err := dial(ctx, p)
		if err != nil {
			return err
		}
		defer nc.Close()
		hello, err := t.hello(p, paxos.RoleClient, "")
		if err == nil {
			_, err = nc.Write(hello[:i%len(hello)])
		}
		if err == nil {
			_, err = io.Copy(io.Discard, nc) // until it is closed
		}
		rest(ctx, 2*time.Millisecond)
		return err
	})
}

func garbage(ctx context.Context, t *Target) {
	crowd(ctx, t.everybody(), 4, func(ctx context.Context, p place, i int) error {
		noise := make([]byte, 4096)
		for k := range noise {
			noise[k] = byte(rand.Uint32())
		}
		nc, _, err := t.connect(ctx, p)
		switch i {
		case 0: // a frame that claims to be huge
			binary.BigEndian.PutUint32(noise, 1<<31-1)
		case 1: // a frame whose checksum is wrong
			binary.BigEndian.PutUint32(noise, 4096-8)
		case 2: // no greeting
			if err == nil {
				_ = nc.Close()
			}
			nc, err = dial(ctx, p)
		case 3: // a greeting, and then no frame
			if err == nil {
				_ = nc.Close()
			}
			nc, err = dial(ctx, p)
			noise = append([]byte(preface), noise...)
		}
		if err != nil {
			return err
		}
		defer nc.Close()
		_, err = nc.Write(noise)
		if err == nil {
			_, err = io.Copy(io.Discard, nc)
		}
		return err
	})
}

func extreme(ctx context.Context, t *Target) {
	rows := map[paxos.Role][]*paxos.Row{}
	for _, r := range paxos.Messages.Rows() {
		for role := paxos.RoleAcceptor; role <= paxos.RoleLearner; role++ {
			if r.From.Has(paxos.RoleClient) && r.To.Has(role) && !operates[r.Name] {
				rows[role] = append(rows[role], r)
			}
		}
	}
	crowd(ctx, t.everybody(), 2, func(ctx context.Context, p place, i int) error {
		rng := rand.New(rand.NewPCG(t.Seed, rand.Uint64()))
		block := frames(500, func(int) paxos.Message {
			m := rows[p.role][rng.IntN(len(rows[p.role]))].Zero()
			fill(reflect.ValueOf(m).Elem(), rng, t)
			return m
		})
		nc, r, err := t.connect(ctx, p)
		if err != nil {
			return err
		}
		defer nc.Close()
		go func() { _, _ = io.Copy(io.Discard, r) }()
		if _, err = nc.Write(block); err == nil {
			rest(ctx, 10*time.Millisecond)
		}
		return err
	})
}

// operates are the messages by which operators change a cluster: whoever may send them may.
var operates = map[string]bool{"Drain": true, "Transfer": true, "Order": true, "Raise": true, "Settle": true, "Member": true, "Grant": true, "Rights": true}

// fill puts extreme numbers and what is known of the cluster into a message.
func fill(v reflect.Value, rng *rand.Rand, t *Target) {
	number := func() uint64 {
		return []uint64{0, 1, rng.Uint64N(100), 1 << rng.UintN(62), paxos.Bound - 1}[rng.IntN(5)]
	}
	if _, ok := v.Interface().(paxos.SessionID); ok && rng.IntN(2) == 0 {
		v.Set(reflect.ValueOf(t.Session))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), rng, t)
		}
	case reflect.Slice:
		n := rng.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(v.Index(i), rng, t)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), rng, t)
		}
	case reflect.String:
		v.SetString([]string{"", "p1", "a1", "@1", "\x1b[2J"}[rng.IntN(5)])
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(number()) * int64(1-2*rng.IntN(2)))
	case reflect.Uint64:
		v.SetUint(number())
	default:
		v.SetUint(number() & (1<<v.Type().Bits() - 1))
	}
}

func impostors(ctx context.Context, t *Target) {
	all := t.everybody()
	crowd(ctx, all, 4, func(ctx context.Context, p place, i int) error {
		other := all[rand.IntN(len(all))]
		role := paxos.RoleAcceptor + paxos.Role(rand.IntN(3))
		id := other.ID
		if role == other.role { // whoever says that he is somebody is he, where there is no TLS
			id = paxos.NodeID(fmt.Sprintf("x%d", rand.IntN(1000)))
			role = paxos.RoleAcceptor
		}
		hello, err := t.hello(p, role, id)
		if err != nil {
			return err
		}
		nc, err := dial(ctx, p)
		if err != nil {
			return err
		}
		defer nc.Close()
		if _, err = nc.Write(hello); err != nil {
			return err
		}
		_ = nc.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // it is not to wait for long
		_, err = io.Copy(io.Discard, nc)
		return err
	})
}

func handshakes(ctx context.Context, t *Target) {
	stranger := &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true} // it wants nothing of whoever answers
	crowd(ctx, t.everybody(), 8, func(ctx context.Context, p place, i int) error {
		nc, err := dial(ctx, p)
		if err != nil {
			return err
		}
		defer nc.Close()
		if i%2 == 0 {
			if err = tls.Client(nc, stranger).HandshakeContext(ctx); err == nil {
				_, err = io.Copy(io.Discard, nc) // it is refused in what follows
			}
			return err
		}
		record := make([]byte, 5+512)
		for k := range record {
			record[k] = byte(rand.Uint32())
		}
		copy(record, []byte{0x16, 3, 1, 2, 0})
		if i%4 == 1 {
			record = record[:5+rand.IntN(len(record)-5)]
		}
		if _, err = nc.Write(record); err == nil {
			_, err = io.Copy(io.Discard, nc)
		}
		return err
	})
}
