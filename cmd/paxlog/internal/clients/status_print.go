package clients

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/credentials"
	"github.com/paxlog/paxlog/internal/shapes"
)

// writeTable prints s for people.
func writeTable(s shapes.Status, now time.Time, w io.Writer) error {
	quorum := "no"
	if s.Quorum {
		quorum = "yes"
	}
	fmt.Fprintf(w, "cluster %s: leader %s, ballot %s, quorum %s, log %s, epoch %s, first index %s\n\n",
		s.Cluster, shapes.OrDash(s.Leader), shapes.OrDash(s.Ballot), quorum, shapes.OrDash(s.Log), shapes.OrDash(s.Epoch), shapes.OrDash(s.FirstIndex))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tROLE\tADDRESS\tUP\tSTATE\tBALLOT\tACCEPTED\tCHOSEN\tLEARNED\tLAG\tINDEXES\tDISK\tFREE")
	var troubles []string
	row := func(p shapes.Process, role string, cells ...string) {
		if !p.Up && p.Former {
			fmt.Fprintf(t, "%s\t%s\t%s\tno\tremoved%s\n", p.ID, role, p.Addr, strings.Repeat("\t-", len(cells)-1))
			return
		}
		if !p.Up {
			// Why, below the table: a row of fewer cells would end its columns.
			up := map[shapes.Trouble]string{shapes.Hangs: "hangs", shapes.Unasked: "?", shapes.Refuses: "refused"}[p.Trouble]
			fmt.Fprintf(t, "%s\t%s\t%s\t%s%s\n", p.ID, role, p.Addr, cmp.Or(up, "no"), strings.Repeat("\t-", len(cells)))
			troubles = append(troubles, p.ID+": "+strings.TrimPrefix(shapes.OrDash(p.Error), fmt.Sprintf("%s at %s: ", p.ID, p.Addr)))
			return
		}
		if p.Drained != nil && *p.Drained {
			cells[0] += ", drained"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\tyes\t%s\n", p.ID, role, p.Addr, strings.Join(cells, "\t"))
		troubles = append(append(troubles, ofTLS(p, now)...), ofClock(p)...)
	}
	for _, a := range s.Acceptors {
		if a.Reason != nil {
			troubles = append(troubles, fmt.Sprintf("%s does not vote: %s", a.ID, *a.Reason))
		}
		row(a.Process, "acceptor", stateOf(&a), shapes.OrDash(a.Promised), shapes.OrDash(a.Accepted), shapes.OrDash(a.Chosen), "-", shapes.OrDash(a.Missing), "-", size(a.Bytes), size(a.Free))
	}
	for _, p := range s.Proposers {
		if p.Refuses != nil {
			troubles = append(troubles, fmt.Sprintf("%s refuses appends: %s", p.ID, *p.Refuses))
		}
		row(p.Process, "proposer", shapes.OrDash(p.State), shapes.OrDash(p.Ballot), "-", shapes.OrDash(p.Chosen), "-", "-", "-", "-", "-")
	}
	for _, l := range s.Learners {
		indexes := "-"
		if l.LastIndex != nil && *l.LastIndex > 0 {
			indexes = fmt.Sprintf("%d-%d", *l.FirstIndex, *l.LastIndex)
		}
		state := "serving"
		if l.Reason != nil {
			state = "wrong"
			troubles = append(troubles, fmt.Sprintf("%s serves nobody: %s; keep its directory if you want to find out why, and make another one with `paxlog init`, so that it learns again from the others", l.ID, *l.Reason))
		}
		if isFull(l.Disk) {
			state += ", disk full"
		}
		if l.Hangs != nil && *l.Hangs > 0 {
			state = fmt.Sprintf("disk hangs %d s", *l.Hangs/1000)
		}
		if l.LogAhead != nil && *l.LogAhead >= farClock.Milliseconds() {
			troubles = append(troubles, fmt.Sprintf("%s has entries whose time is %v ahead of most clocks: a leader's clock was; later entries keep that time until clocks reach it, and ages are counted from it",
				l.ID, duration(*l.LogAhead)))
		}
		row(l.Process, "learner", state, "-", "-", "-", shapes.OrDash(l.Learned), shapes.OrDash(l.Lag), indexes, size(l.Bytes), size(l.Free))
	}
	if err := t.Flush(); err != nil || len(troubles) == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.Join(troubles, "\n"))
	return err
}

// stateOf is what an acceptor does, in a word or two.
func stateOf(a *shapes.Acceptor) string {
	state := "voting"
	if a.Voting != nil && !*a.Voting {
		state = "waiting"
	}
	if a.Forgot != nil && *a.Forgot {
		state = "forgotten"
	}
	if a.Member != nil && !*a.Member {
		state = "no member"
	}
	if isFull(a.Disk) {
		state += ", disk full"
	}
	if a.Hangs != nil && *a.Hangs > 0 {
		state = fmt.Sprintf("disk hangs %d s", *a.Hangs/1000)
	}
	return state
}

// ofTLS says which connections of a process have no TLS although it uses it, and that its
// certificate ends soon.
func ofTLS(p shapes.Process, now time.Time) (out []string) {
	if p.PlainPeers != nil && len(*p.PlainPeers)+*p.PlainClients > 0 {
		whom := *p.PlainPeers
		if n := *p.PlainClients; n > 0 {
			whom = append(slices.Clone(whom), fmt.Sprintf("clients (%d)", n))
		}
		out = append(out, fmt.Sprintf("%s has connections without TLS: %s", p.ID, strings.Join(whom, ", ")))
	}
	if p.CertEnds == nil {
		return out
	}
	if ends, err := time.Parse(time.RFC3339, *p.CertEnds); err == nil && ends.Sub(now) < credentials.EarlyWarning {
		out = append(out, fmt.Sprintf("%s has a certificate that ends at %s: renew it, and nobody is disturbed; after that nobody believes it", p.ID, *p.CertEnds))
	}
	return out
}

// farClock is how far a clock must be off to be told: people and ages do not notice less, and an answer may take as
// long.
const farClock = 5 * time.Second

// ofClock says that a process's clock is far from the others'.
func ofClock(p shapes.Process) (out []string) {
	switch {
	case p.ClockAhead == nil:
	case *p.ClockAhead >= farClock.Milliseconds():
		out = append(out, fmt.Sprintf("%s has a clock that is %v ahead of most: put it right; while it leads, entries are at most 10 s ahead of most acceptors' clocks", p.ID, duration(*p.ClockAhead)))
	case *p.ClockAhead <= -farClock.Milliseconds():
		out = append(out, fmt.Sprintf("%s has a clock that is %v behind most: put it right", p.ID, duration(-*p.ClockAhead)))
	}
	return out
}

// duration is a number of milliseconds as people read it.
func duration(ms int64) time.Duration {
	d := time.Duration(ms) * time.Millisecond
	if d >= time.Minute {
		return d.Round(time.Second)
	}
	return d.Round(100 * time.Millisecond)
}

// isFull reports whether a process takes no more entries, for want of room.
func isFull(d shapes.Disk) bool { return d.Room != nil && *d.Room == 0 }

// size is a number of bytes as people read it, or a dash.
func size(bytes *uint64) string {
	if bytes == nil {
		return "-"
	}
	n, unit := float64(*bytes), 0
	units := []string{"B", "kB", "MB", "GB", "TB"}
	for ; n >= 999.5 && unit < len(units)-1; unit++ {
		n /= 1000
	}
	if n < 9.95 && unit > 0 {
		return fmt.Sprintf("%.1f %s", n, units[unit])
	}
	return fmt.Sprintf("%.0f %s", n, units[unit])
}

// runStatus prints the state of every process. Its error asks for
// ExitUnavailable unless a leader with a quorum and a learner serve.
func runStatus(ctx context.Context, env *command.Environment, opts statusOptions) error {
	c, err := opts.Cluster.Connect(ctx, opts.Timeout)
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
	s := shapes.NewStatus(opts.Cluster.Name, found)
	if opts.JSON {
		err = shapes.NewEncoder(env.Stdout).Encode(s)
	} else {
		err = writeTable(s, env.Now(), env.Stdout)
	}
	if err = command.UnlessClosed(err); err != nil {
		return err
	}
	if err := otherLog(found, opts.Cluster.Log); err != nil {
		return err
	}
	return verdict(s, opts.Cluster, found.Serving)
}
