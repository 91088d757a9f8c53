package backups

import (
	"context"
	"errors"
	"fmt"

	"github.com/paxlog/paxlog/backup"
	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/paxos"
)

// learnerSource is a learner that runs.
type learnerSource struct {
	copier   *client.Copier
	id       paxos.NodeID
	sessions int
}

// pickLearner names the learner that has come furthest of those that answer.
func pickLearner(ctx context.Context, c *client.Client) (paxos.NodeID, error) {
	s, err := c.Status(ctx)
	if err != nil {
		return "", err
	}
	var best client.ProcessStatus
	var why error
	for _, p := range s.Processes {
		switch {
		case p.Role != client.RoleLearner:
		case p.Err != nil:
			why = p.Err
		case best.ID == "" || p.Applied > best.Applied:
			best = p
		}
	}
	if best.ID == "" {
		return "", command.Exitf(command.ExitUnavailable, "no learner answers (%w): start one, or make the backup offline from the directory of one that is stopped (`paxlog backup --data DIR`)", why)
	}
	return paxos.NodeID(best.ID), nil
}

// Extent implements backup.Source.
func (s *learnerSource) Extent(ctx context.Context) (backup.Extent, error) {
	state, err := s.copier.State(ctx)
	if err != nil {
		return backup.Extent{}, err
	}
	x := backup.Extent{Source: s.id, First: 1, To: state.Applied, Last: state.Last, Counts: true, Log: state.Log, Sessions: uint64(s.sessions)}
	if x.To == 0 {
		return x, nil
	}
	page, err := s.copier.Copy(ctx, 1)
	if err != nil {
		return x, err
	}
	if page.First > 1 {
		x.First, x.Control = page.First, paxos.Encoded(page.Control)
	}
	return x, nil
}

// Values implements backup.Source.
func (s *learnerSource) Values(ctx context.Context, from paxos.Instance) ([]paxos.Vote, error) {
	page, err := s.copier.Copy(ctx, from)
	if err != nil {
		return nil, err
	}
	if page.First > from {
		return nil, fmt.Errorf("%w: the log begins with instance %d by now", backup.ErrTrimmed, page.First)
	}
	votes := make([]paxos.Vote, len(page.Values))
	for i, v := range page.Values {
		votes[i] = paxos.Vote{Instance: v.Instance, Ballot: v.Origin, Value: paxos.Value{Origin: v.Origin, Time: v.Time, Batch: v.Batch}}
	}
	return votes, nil
}

// explain gives errors of package backup their exit codes.
func explain(err error) error {
	if errors.Is(err, backup.ErrTrimmed) || errors.Is(err, backup.ErrAhead) || errors.Is(err, backup.ErrNothing) {
		return &command.ExitError{Code: command.ExitNoIndex, Err: err}
	}
	return err
}
