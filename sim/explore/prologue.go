package explore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/paxlog/paxlog/paxos"
)

// prologue plays the configuration's first steps, so that what is interesting lies
// close to the beginning: "p1 campaigns", "p1>a2 Prepare" (the latest such message is
// delivered), "a1 forgets".
func (e *explorer) prologue(s []uint32) []uint32 {
	at := len(e.procs)
	for _, step := range e.cfg.Prologue {
		proc, in := e.parse(s, step)
		o := e.outcome(proc, s[proc], in)
		if o.void || proc < e.cfg.acceptors() && in == action(rollBack, 0) && !e.lossIsKnown(s, proc) {
			panic(fmt.Sprintf("exploration %s: %q is not possible", e.cfg.Name, step))
		}
		e.played = append(e.played, cause{proc: uint8(proc), input: in})
		b := unpack(s[at])
		b.renewals += o.renewals
		switch e.input(in).kind {
		case campaign:
			b.campaigns++
		case rollBack:
			b.rollBacks++
		}
		s = slices.Clone(s)
		s[proc], s[at] = o.node, b.pack()
		for _, m := range o.sent {
			if !slices.Contains(s[at+1:], m) {
				s = append(s, m)
			}
		}
	}
	if len(e.cfg.Prologue) > 0 {
		kept := map[uint32]bool{}
		for _, k := range e.cfg.Kept {
			_, id := e.parse(s, k)
			kept[id] = true
		}
		way := slices.DeleteFunc(s[at+1:], func(m uint32) bool {
			_, isRelay := e.msgs.list[m].msg.(*paxos.Relay)
			return !kept[m] && !isRelay && !e.msgs.list[m].tells && e.msgs.list[m].from != clientID
		})
		s = s[:at+1+len(way)]
		slices.Sort(s[at+1:])
	}
	return s
}

// parse finds the input that a step of the prologue means.
func (e *explorer) parse(s []uint32, step string) (proc int, in uint32) {
	who, what, _ := strings.Cut(step, " ")
	from, to, isMessage := strings.Cut(who, ">")
	if !isMessage {
		to = from
	}
	for i, id := range e.procs {
		if string(id) == to {
			proc = i
		}
	}
	switch what {
	case "campaigns":
		b := unpack(s[len(e.procs)])
		return proc, action(campaign, int(b.campaigns+b.renewals)+1)
	case "ticks":
		return proc, action(tick, 0)
	case "waits":
		return proc, action(patience, 0)
	case "orders":
		return proc, action(order, 0)
	case "cancels":
		return proc, action(order, 1)
	case "forgets":
		return proc, action(rollBack, 0)
	}
	found := false
	for _, id := range s[len(e.procs)+1:] {
		m := e.msgs.list[id]
		if string(m.from) == from && m.to == proc && messageName(m.msg) == what && (!found || id > in) {
			in, found = id, true
		}
	}
	if !found {
		panic(fmt.Sprintf("exploration %s: nothing for %q is on its way", e.cfg.Name, step))
	}
	return proc, in
}
