package clusterfile

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/paxos"
)

// Connect returns a client of the cluster, whose calls take at most timeout; 0
// waits for ever. If there is no cluster file and nothing listens, it returns
// ErrNone, unless it was to wait for ever.
func (c Found) Connect(ctx context.Context, timeout time.Duration, extra ...client.Option) (*client.Client, error) {
	opts := []client.Option{client.WithConfig(c.Cluster), client.WithTimeout(timeout), client.WithLog(c.Log)}
	made, err := client.New(ctx, append(opts, extra...)...)
	if err != nil || !c.Assumed() || timeout == 0 {
		return made, err
	}
	if err := somebodyListens(ctx, made); err != nil {
		_ = made.Close() // it has sent nothing
		return nil, err
	}
	return made, nil
}

// probeTimeout bounds the look whether anything listens on the addresses of
// `paxlog dev`: on loopback, a port that nobody listens on refuses at once.
const probeTimeout = 250 * time.Millisecond

// somebodyListens returns errNoCluster if no process takes connections.
func somebodyListens(ctx context.Context, c *client.Client) error {
	asking, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	s, err := c.Status(asking)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, p := range s.Processes {
		var failed *net.OpError
		if !errors.As(p.Err, &failed) || failed.Op != "dial" || failed.Timeout() {
			return nil
		}
	}
	return ErrNone
}

// AtLearner restricts a client to one learner, if id names one.
func AtLearner(id paxos.NodeID) []client.Option {
	if id == "" {
		return nil
	}
	return []client.Option{client.WithLearner(string(id))}
}
