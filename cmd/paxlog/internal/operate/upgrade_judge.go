package operate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// Upgrade is what raising the level of a log to To would change, and what is in the way.
type Upgrade struct {
	Log       client.LogID
	Level, To uint64
	Processes []client.ProcessStatus // of the log, without those that were
	Converts  []string               // processes whose directories would get another format
	Obstacles []string
}

// JudgeUpgrade says it of a cluster in that state.
func JudgeUpgrade(s client.Status, to uint64) Upgrade {
	u := Upgrade{To: to}
	for _, p := range s.Processes {
		if !p.Former { // nobody waits for one that is none of the log any more
			u.Processes = append(u.Processes, p)
		}
	}
	for _, p := range u.Processes {
		if p.Err == nil && p.Level >= u.Level && !p.Log.IsZero() {
			u.Level, u.Log = p.Level, p.Log
		}
	}
	for _, p := range u.Processes {
		switch {
		case p.Err == nil && p.Knows < u.Level:
			u.Obstacles = append(u.Obstacles, fmt.Sprintf("%s knows level %d, and the log has level %d: it takes part no more until its program is replaced", p.ID, p.Knows, u.Level))
		case u.Done(): // and nobody needs to be up for what is done
		case p.Err != nil:
			u.Obstacles = append(u.Obstacles, fmt.Sprintf("%s is not up (%s): start it, with this release", p.ID, shapes.OneLine(p.Err)))
		case p.Speaks == 0:
			u.Obstacles = append(u.Obstacles, fmt.Sprintf("%s runs a release that knows level 0 only: replace its program", p.ID))
		case p.Knows < to:
			u.Obstacles = append(u.Obstacles, fmt.Sprintf("%s runs %s, which knows level %d: replace its program", p.ID, shapes.Printable(p.Program), p.Knows))
		}
		if p.Err == nil && p.Format != p.Converts {
			u.Converts = append(u.Converts, p.ID)
		}
	}
	if s.Leader == "" && !u.Done() {
		u.Obstacles = append(u.Obstacles, "no proposer leads: `paxlog status` says why")
	}
	return u
}

// Done reports whether there is nothing left to finalize.
func (u *Upgrade) Done() bool { return u.Level >= u.To }

// Changes are what finalize would change, a sentence each.
func (u *Upgrade) Changes() (changes []string) {
	if u.Done() {
		return nil
	}
	for level := u.Level + 1; level <= u.To; level++ {
		changes = append(changes, fmt.Sprintf("level %d: %s", level, control.Adds(level)))
	}
	if formats := u.formats(); len(formats) > 0 {
		changes = append(changes, "data directories change their format: "+strings.Join(formats, ", ")+". Earlier releases refuse them from then on")
	}
	if u.Level == 0 {
		changes = append(changes, "processes and clients of releases that speak version 2 of the protocol only are refused")
	}
	return append(changes, "it cannot be undone: a program that does not know the level refuses to go on")
}

// formats are the changes of formats, with those that they befall.
func (u *Upgrade) formats() (out []string) {
	ids := map[string][]string{}
	for _, p := range u.Processes {
		if slices.Contains(u.Converts, p.ID) {
			change := fmt.Sprintf("%d becomes %d", p.Format, p.Converts)
			if ids[change] == nil {
				out = append(out, change)
			}
			ids[change] = append(ids[change], p.ID)
		}
	}
	for i, change := range out {
		out[i] = fmt.Sprintf("%s (%s)", change, strings.Join(ids[change], " "))
	}
	return out
}

// down are the processes that were not reached.
func (u *Upgrade) down() (ids []string) {
	for _, p := range u.Processes {
		if p.Err != nil {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// behind are the processes that do not know yet that the log has the level, or whose
// directories are not converted. Those that are down are not among them.
func (u *Upgrade) behind() (ids []string) {
	for _, p := range u.Processes {
		if p.Err != nil {
			continue
		}
		// A proposer that does not lead learns it when it does.
		if p.Role != paxos.RoleProposer && p.Level < u.To || slices.Contains(u.Converts, p.ID) {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// shape is the judgement as JSON.
func (u *Upgrade) shape() shapes.Upgrade {
	out := shapes.Upgrade{
		Log: shapes.Known(u.Log.String(), !u.Log.IsZero()), Level: u.Level, To: u.To, Ready: len(u.Obstacles) == 0,
		Processes: []shapes.UpgradedProcess{}, Changes: list(u.Changes()), Obstacles: list(u.Obstacles),
	}
	for _, p := range u.Processes {
		up := p.Err == nil
		says, stores := up && p.Speaks > 0, up && p.Format > 0
		base := shapes.Process{ID: p.ID, Addr: p.Addr, Up: up, Drained: shapes.Known(p.Drained, up)}
		if !up {
			base.Error = shapes.Known(shapes.OneLine(p.Err), true)
		}
		out.Processes = append(out.Processes, shapes.UpgradedProcess{
			Process: base, Role: p.Role.String(), Program: shapes.Known(shapes.Printable(p.Program), says && p.Program != ""),
			Oldest: shapes.Known(p.Oldest, says), Newest: shapes.Known(p.Speaks, says), Knows: shapes.Known(p.Knows, up),
			Level: shapes.Known(p.Level, up), Format: shapes.Known(p.Format, stores), Converts: shapes.Known(p.Converts, stores),
		})
	}
	return out
}
