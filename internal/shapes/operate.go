package shapes

import (
	"strings"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/paxos"
)

// Transfer is what `leader transfer -o json` prints.
type Transfer struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Ballot string `json:"ballot"` // the new leader's
	Waited int64  `json:"waited_ms"`
}

// Trimmed is what `trim -o json` prints.
type Trimmed struct {
	Before     client.Index `json:"before"`
	After      client.Index `json:"after"`
	Asked      client.Index `json:"asked"`
	Checkpoint client.Index `json:"checkpoint"` // beyond which nothing is trimmed
	Holds      []Hold       `json:"holds"`      // those below what was asked for
}

// Hold is one hold: in what `trim -o json` and `retention show -o json` print, and what `hold list -o
// json` prints, one a line.
type Hold struct {
	Name string       `json:"name"`
	At   client.Index `json:"at"`   // nothing from it on is trimmed
	Set  *string      `json:"time"` // when it was set, or moved last
}

// HoldsOf are holds in that shape.
func HoldsOf(list []client.Hold) []Hold {
	out := []Hold{}
	for _, h := range list {
		out = append(out, Hold{Name: Printable(h.Name), At: h.At, Set: Known(FormatTime(paxos.UnixNanos(h.Set.UnixNano())), true)})
	}
	return out
}

// Drained is what `drain -o json` and `undrain -o json` print.
type Drained struct {
	ID      string `json:"id"`
	Role    string `json:"role"`
	Drained bool   `json:"drained"`
}

// CanStop is what `can-i-stop -o json` prints.
type CanStop struct {
	Stop      []string `json:"stop"`
	CanStop   bool     `json:"can_stop"`
	Reasons   []string `json:"reasons"` // why not
	Acceptors Left     `json:"acceptors"`
	Proposers Left     `json:"proposers"`
	Learners  Left     `json:"learners"`
	Phase1    int      `json:"phase1"`
	Phase2    int      `json:"phase2"`
	OneMore   string   `json:"one_more_failure"`
	Advice    []string `json:"advice"`
}

// Left are the processes of a role that would be left.
type Left struct {
	IDs      []string `json:"left"`
	Of       int      `json:"of"`
	Need     int      `json:"needed"`
	Without  []string `json:"not_counted"`
	Survives int      `json:"more_may_fail"`
}

// Retention is what `retention show -o json` prints: what is kept, 0 where that limits nothing,
// and what there is.
type Retention struct {
	AgeMillis    int64        `json:"age_ms"`
	Bytes        uint64       `json:"bytes"`
	Entries      uint64       `json:"entries"`
	FirstIndex   client.Index `json:"first_index"`
	Checkpoint   client.Index `json:"checkpoint"` // beyond which nothing is trimmed yet; 0 if there is none
	CheckpointAt *string      `json:"checkpoint_time"`
	Kept         uint64       `json:"kept_bytes"` // up to the checkpoint
	Holds        []Hold       `json:"holds"`
}

// RetentionOf is r in that shape.
func RetentionOf(r client.Retained) Retention {
	return Retention{
		AgeMillis: r.Age.Milliseconds(), Bytes: r.Bytes, Entries: r.Entries, FirstIndex: r.FirstIndex,
		Checkpoint: r.Checkpoint, CheckpointAt: Known(FormatTime(paxos.UnixNanos(r.CheckpointAt.UnixNano())), r.Checkpoint > 0), Kept: r.Kept,
		Holds: HoldsOf(r.Holds),
	}
}

// Setting is one line of what `settings show -o json` prints: a number that the log decides.
type Setting struct {
	Key   string  `json:"key"`
	Value *uint64 `json:"value"` // null: no bound. A retention.age is in milliseconds.
	IsSet bool    `json:"set"`   // else it is as it was when the log began
}

// Grants is what `grants -o json` prints, and `grant` and `revoke` after what they did.
type Grants struct {
	// Everybody has these, and Grants besides; of the principal anonymous.
	Everybody []string `json:"everybody"`
	Grants    []Grant  `json:"grants"`
}

// Grant is what one principal was granted.
type Grant struct {
	Name   string   `json:"name"`
	Rights []string `json:"rights"`
}

// GrantsOf is list in that shape.
func GrantsOf(list []client.Permission) Grants {
	g := Grants{Everybody: []string{}, Grants: []Grant{}}
	for _, p := range list {
		if p.Name == client.Anonymous {
			g.Everybody = rightNames(p.Rights)
			continue
		}
		g.Grants = append(g.Grants, Grant{Name: string(p.Name), Rights: rightNames(p.Rights)})
	}
	return g
}

func rightNames(r client.Rights) []string {
	if r == 0 {
		return []string{}
	}
	return strings.Split(r.String(), ",")
}
