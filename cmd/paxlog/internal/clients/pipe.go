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
// what came before it has been printed. When ctx ends, so does the input. When the
// reader of standard output goes, so does the pipe, unless keep says that the log is
// kept: then the appending goes on.
func Pipe(ctx context.Context, env *command.Environment, c *client.Client, entryBytes int, keep bool) error {
	_, end, err := c.End(ctx)
	if err != nil {
		return err
	}
	read, unwatch := env.WhileRead(context.Background()) // what was accepted is printed also after ctx ends
	defer unwatch()
	printing, stop := context.WithCancelCause(read)
	defer stop(nil)
	goal := &goal{reached: func() { stop(errPrinted) }, printed: end}
	appended := make(chan error, 1)
	a := &appender{session: c.NewSession(), source: newSplitter(env.Stdin, '\n', entryBytes)}
	a.idle = func() error {
		if cause := context.Cause(printing); !keep || !errors.Is(cause, command.ErrOutputClosed) {
			return cause
		}
		return nil
	}
	go func() {
		last := end
		a.answered = func(r client.Result, _ int) error {
			last = r.Index
			return nil
		}
		err := a.run(ctx)
		goal.set(last)
		appended <- err
	}()
	p := newEntryPrinter(env.Stdout, entryForm{})
	write := p.one
	p.one = func(e shapes.Entry) error {
		err := write(e)
		goal.see(e.Index)
		return err
	}
	err = printTail(printing, p, c, client.TailOptions{From: client.FromIndex(end + 1), Follow: true})
	gone := errors.Is(err, command.ErrOutputClosed)
	if !errors.Is(err, errPrinted) && !(gone && keep) {
		stop(err)
		return err
	}
	if gone {
		stop(err) // nothing is left to be printed
	}
	err = explainAppend(<-appended)
	tellUnknown(env, err)
	return err
}

// goal tells when the last entry that was appended has been printed.
type goal struct {
	reached func()

	mu      sync.Mutex
	known   bool
	last    client.Index
	printed client.Index
}

// set says which index is the last one to print.
func (g *goal) set(last client.Index) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known, g.last = true, last
	g.check()
}

// see notes that an index was printed.
func (g *goal) see(index client.Index) {
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
