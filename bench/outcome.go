package main

import (
	"context"

	"github.com/paxlog/paxlog/client"
)

// outcome is a load.Answer of a system that tells no more than whether it failed.
type outcome struct {
	done chan struct{}
	err  error // set before done is closed
}

func newOutcome() *outcome { return &outcome{done: make(chan struct{})} }

func (o *outcome) end(err error) {
	o.err = err
	close(o.done)
}

// Done implements load.Answer.
func (o *outcome) Done() <-chan struct{} { return o.done }

// Wait implements load.Answer.
func (o *outcome) Wait(ctx context.Context) (client.Result, error) {
	select {
	case <-o.done:
		return client.Result{}, o.err
	case <-ctx.Done():
		return client.Result{}, context.Cause(ctx)
	}
}
