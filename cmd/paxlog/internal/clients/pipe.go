package clients

import (
	"context"
	"errors"
	"sync"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
)

// errPrinted ends the printing of a pipe whose input has ended.
var errPrinted = errors.New("everything has been printed")

// Pipe appends the lines of standard input, and prints what a learner learns from
// now on, until all of it is printed. A failure of the input is returned after
// what came before it has been printed. When ctx ends, so does the input.
func Pipe(ctx context.Context, env *command.Environment, c *client.Client, entryBytes int) error {
	_, end, err := c.End(ctx)
	if err != nil {
		return err
	}
	printing, stop := context.WithCancelCause(context.Background()) // what was accepted is printed also after ctx ends
	defer stop(nil)
	goal := &goal{reached: func() { stop(errPrinted) }, printed: end}
	appended := make(chan error, 1)
	go func() {
		last := end
		a := &appender{
			session: c.NewSession(), next: newSplitter(env.Stdin, '\n', entryBytes).Next,
			answered: func(r client.Result, _ int) error {
				last = r.Index
				return nil
			},
			idle: func() error { return context.Cause(printing) },
		}
		err := a.run(ctx)
		goal.set(last)
		appended <- err
	}()
	p := newEntryPrinter(env.Stdout, entryForm{})
	write := p.one
	p.one = func(e shapes.Entry) error {
		err := write(e)
		goal.see(uint64(e.Index))
		return err
	}
	err = printTail(printing, p, c, client.TailOptions{From: client.FromIndex(end + 1), Follow: true})
	if !errors.Is(err, errPrinted) {
		stop(err)
		return err
	}
	return explainAppend(env, <-appended)
}

// goal tells when the last entry that was appended has been printed.
type goal struct {
	reached func()

	mu      sync.Mutex
	known   bool
	last    uint64
	printed uint64
}

// set says which index is the last one to print.
func (g *goal) set(last uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known, g.last = true, last
	g.check()
}

// see notes that an index was printed.
func (g *goal) see(index uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.printed = index
	g.check()
}

func (g *goal) check() {
	if g.known && g.printed >= g.last {
		g.reached()
	}
}
