package client_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/paxlog/paxlog/client"
)

// Append waits until the entry is in the log, and says where.
func ExampleClient_Append() {
	c, stop := example()
	defer stop()

	r, err := c.Append(context.Background(), []byte("hello"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("entry %d\n", r.Index)
	// Output: entry 1
}

// AppendAsync keeps many entries under way. In one session they are appended in order,
// none without all before it.
func ExampleSession_AppendAsync() {
	c, stop := example()
	defer stop()
	ctx := context.Background()

	s := c.NewSession()
	var under []*client.Pending
	for _, line := range []string{"one", "two", "three"} {
		p, err := s.AppendAsync(ctx, []byte(line))
		if err != nil {
			fmt.Println(err)
			return
		}
		under = append(under, p)
	}
	for _, p := range under {
		r, err := p.Wait(ctx)
		fmt.Println(r.Index, err)
	}
	s.End(nil)
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
}

// A tail goes on where an earlier one stopped: the place in the log is the index.
func ExampleClient_Tail() {
	c, stop := example()
	defer stop()
	ctx := context.Background()
	for _, line := range []string{"one", "two", "three"} {
		if _, err := c.Append(ctx, []byte(line)); err != nil {
			fmt.Println(err)
			return
		}
	}

	next := client.Index(1)
	for e, err := range c.Tail(ctx, client.TailOptions{From: client.FromIndex(next), Count: 2}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s\n", e.Value)
		next = e.Index + 1 // keep this with whatever the entry did
	}
	fmt.Println("later")
	for e, err := range c.Tail(ctx, client.TailOptions{From: client.FromIndex(next)}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s\n", e.Value)
	}
	// Output:
	// one
	// two
	// later
	// three
}

// An append whose answer did not come in time has an unknown outcome. Resolve tells it,
// for good.
func ExampleClient_Resolve() {
	c, stop := example()
	defer stop()
	r, err := c.Append(context.Background(), []byte("hello"))
	if err != nil {
		fmt.Println(err)
		return
	}

	id := r.AppendID.String() // kept somewhere, say in a log file
	parsed, err := client.ParseAppendID(id)
	if err != nil {
		fmt.Println(err)
		return
	}
	fate, err := c.Resolve(context.Background(), parsed)
	fmt.Println(fate.Chosen, fate.Index, err)
	// Output: true 1 <nil>
}

// What to do with each error of an append: it is in the log, it certainly is not, or
// Resolve has to tell.
func ExampleUnknownOutcomeError() {
	c, stop := example()
	defer stop()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := c.Append(ctx, []byte("pay 10"))
	var unknown *client.UnknownOutcomeError
	switch {
	case errors.As(err, &unknown):
		fate, err := c.Resolve(context.Background(), unknown.AppendID())
		switch {
		case err != nil:
			fmt.Println("ask again later:", unknown.AppendID(), err)
		case fate.Chosen:
			fmt.Println("it is entry", fate.Index)
		default:
			fmt.Println("it is not in the log, and never will be: append it again")
		}
	case err != nil:
		fmt.Println("it is not in the log:", err)
	default:
		fmt.Println("it is entry", r.Index)
	}
	// Output: it is entry 1
}

// Open takes the cluster from its file.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "paxlog.yaml")
	text := "cluster: orders\n" +
		"acceptors:\n  - {id: a1, addr: 127.0.0.1:7101}\n" +
		"proposers:\n  - {id: p1, addr: 127.0.0.1:7201}\n" +
		"learners:\n  - {id: l1, addr: 127.0.0.1:7301}\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		fmt.Println(err)
		return
	}

	c, err := client.Open(context.Background(), file, client.WithTimeout(10*time.Second))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Close())
	// Output: <nil>
}
