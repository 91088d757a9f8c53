package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
)

// statusJSON is what `status -o json` prints.
type statusJSON struct {
	Cluster   string         `json:"cluster"`
	Leader    *string        `json:"leader"`
	Ballot    *string        `json:"ballot"`
	Quorum    bool           `json:"quorum"`
	Acceptors []acceptorJSON `json:"acceptors"`
	Proposers []proposerJSON `json:"proposers"`
	Learners  []learnerJSON  `json:"learners"`
}

// processJSON is what is known of every process; the rest is null if it is down.
type processJSON struct {
	ID    string  `json:"id"`
	Addr  string  `json:"addr"`
	Up    bool    `json:"up"`
	Error *string `json:"error,omitempty"` // why it counts as down

	refused bool // it answers, as somebody else than was meant
}

type acceptorJSON struct {
	processJSON
	Promised *string         `json:"promised"`
	Accepted *paxos.Instance `json:"accepted"`      // the highest instance that it voted for
	Chosen   *paxos.Instance `json:"chosen"`        // the highest instance that it knows to be chosen
	Missing  *uint64         `json:"missing"`       // chosen instances that it does not have
	Voting   *bool           `json:"voting"`        // its peers vouched for it
	Forgot   *bool           `json:"has_forgotten"` // votes: it has to rejoin
}

type proposerJSON struct {
	processJSON
	State  *string         `json:"state"`
	Ballot *string         `json:"ballot"` // its own, or that of the leader it hears of
	Chosen *paxos.Instance `json:"chosen"` // of the leader
	Reason *string         `json:"reason"` // why it does not lead
}

type learnerJSON struct {
	processJSON
	Learned    *paxos.Instance `json:"learned"`
	FirstIndex *paxos.Index    `json:"first_index"` // 0 if the log is empty
	LastIndex  *paxos.Index    `json:"last_index"`  // 0 if the log is empty
	Lag        *uint64         `json:"lag"`         // chosen instances that it has not learned
}

// newStatus translates what the client found out.
func newStatus(cluster string, s client.Status) statusJSON {
	out := statusJSON{
		Cluster: cluster, Leader: known(s.Leader, s.Leader != ""), Ballot: known(s.Ballot, s.Leader != ""), Quorum: s.Quorum,
		Acceptors: []acceptorJSON{}, Proposers: []proposerJSON{}, Learners: []learnerJSON{},
	}
	chosen := highestChosen(s)
	for _, p := range s.Processes {
		up, r := p.Err == nil, p.Reply
		base := processJSON{ID: p.ID, Addr: p.Addr, Up: up}
		if !up {
			var refusal *transport.RefusedError
			base.Error, base.refused = known(message(p.Err), true), errors.As(p.Err, &refusal)
		}
		switch p.Role {
		case paxos.RoleAcceptor:
			out.Acceptors = append(out.Acceptors, acceptorJSON{
				processJSON: base, Promised: known(r.Promised.String(), up && !r.Promised.IsZero()), Accepted: known(r.Highest, up),
				Chosen: known(r.Chosen, up), Missing: known(r.Missing, up), Voting: known(r.Voting, up), Forgot: known(r.Forgot, up),
			})
		case paxos.RoleProposer:
			out.Proposers = append(out.Proposers, proposerJSON{
				processJSON: base, State: known(r.State, up), Ballot: known(r.Ballot.String(), up && !r.Ballot.IsZero()),
				Chosen: known(r.Chosen, up && r.State == leadingState), Reason: known(r.Reason, up && r.Reason != ""),
			})
		case paxos.RoleLearner:
			out.Learners = append(out.Learners, learnerJSON{
				processJSON: base, Learned: known(r.Applied, up), FirstIndex: known(r.First, up), LastIndex: known(r.Last, up),
				Lag: known(uint64(chosen-min(chosen, r.Applied)), up),
			})
		}
	}
	return out
}

// leadingState is what a proposer that leads calls its state.
const leadingState = "leading"

// highestChosen is the highest instance that any process knows to be chosen.
func highestChosen(s client.Status) paxos.Instance {
	var chosen paxos.Instance
	for _, p := range s.Processes {
		if p.Err == nil {
			chosen = max(chosen, p.Reply.Chosen, p.Reply.Applied)
		}
	}
	return chosen
}

// writeTable prints s for people.
func (s statusJSON) writeTable(w io.Writer) error {
	quorum := "no"
	if s.Quorum {
		quorum = "yes"
	}
	fmt.Fprintf(w, "cluster %s: leader %s, ballot %s, quorum %s\n\n", s.Cluster, orDash(s.Leader), orDash(s.Ballot), quorum)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tROLE\tADDRESS\tUP\tSTATE\tBALLOT\tACCEPTED\tCHOSEN\tLEARNED\tLAG\tINDEXES")
	var troubles []string
	row := func(p processJSON, role string, cells ...string) {
		if !p.Up {
			// Why, below the table: a row of fewer cells would end its columns.
			fmt.Fprintf(t, "%s\t%s\t%s\tno%s\n", p.ID, role, p.Addr, strings.Repeat("\t-", len(cells)))
			troubles = append(troubles, fmt.Sprintf("%s: %s", p.ID, orDash(p.Error)))
			return
		}
		fmt.Fprintf(t, "%s\t%s\t%s\tyes\t%s\n", p.ID, role, p.Addr, strings.Join(cells, "\t"))
	}
	for _, a := range s.Acceptors {
		state := "voting"
		if a.Voting != nil && !*a.Voting {
			state = "waiting"
		}
		if a.Forgot != nil && *a.Forgot {
			state = "forgotten"
		}
		row(a.processJSON, "acceptor", state, orDash(a.Promised), orDash(a.Accepted), orDash(a.Chosen), "-", orDash(a.Missing), "-")
	}
	for _, p := range s.Proposers {
		row(p.processJSON, "proposer", orDash(p.State), orDash(p.Ballot), "-", orDash(p.Chosen), "-", "-", "-")
	}
	for _, l := range s.Learners {
		indexes := "-"
		if l.LastIndex != nil && *l.LastIndex > 0 {
			indexes = fmt.Sprintf("%d-%d", *l.FirstIndex, *l.LastIndex)
		}
		row(l.processJSON, "learner", "serving", "-", "-", "-", orDash(l.Learned), orDash(l.Lag), indexes)
	}
	if err := t.Flush(); err != nil || len(troubles) == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.Join(troubles, "\n"))
	return err
}

// orDash writes a value, or - if it is unknown.
func orDash[T any](v *T) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprint(*v)
}

// runStatus prints the state of every process. Its error asks for
// ExitUnavailable unless a leader with a quorum and a learner serve.
func runStatus(ctx context.Context, env *environment, opts statusOptions) error {
	c, err := opts.Cluster.connect(ctx, opts.Timeout)
	if err != nil {
		return err
	}
	defer c.Close()
	asking := ctx
	if opts.Timeout > 0 {
		var cancel context.CancelFunc
		asking, cancel = context.WithTimeout(ctx, opts.Timeout)
		defer cancel()
	}
	found, err := c.Status(asking)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	s := newStatus(opts.Cluster.Name, found)
	if opts.JSON {
		err = newJSON(env.stdout).Encode(s)
	} else {
		err = s.writeTable(env.stdout)
	}
	if err != nil {
		return err
	}
	return s.verdict(opts.Cluster, found.Serving)
}
