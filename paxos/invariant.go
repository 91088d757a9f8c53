package paxos

import (
	"fmt"
	"strings"
)

// Violated says that an invariant of the machine's own state does not hold. Nothing
// of this output is written or sent, and the process stops: what it would say next
// could make two values chosen at one instance, and a process that is down cannot.
// evidence alternates names and values. Only the first violation of an output is
// kept: the others follow from it.
//
// A machine asserts only what no message can bring about. A message that contradicts
// what the machine knows is the sender's fault: it is refused, counted and told, and
// ends nobody.
//
// The condition is the caller's, so that an assertion which holds costs one
// comparison and builds no evidence:
//
//	if b.Less(a.promised) {
//		a.Violated("promised is never lowered", "promised", a.promised, "to", b)
//	}
func (o *Outbox) Violated(invariant string, evidence ...any) {
	if o.Out.Halt != "" {
		return
	}
	var shown strings.Builder
	for i := 0; i+1 < len(evidence); i += 2 {
		fmt.Fprintf(&shown, ", %v=%v", evidence[i], evidence[i+1])
	}
	o.Out.Halt = fmt.Sprintf("invariant broken: %s%s. This is a bug in Paxlog or a fault of this machine's memory. "+
		"The process stops before it writes or says anything that follows from it; report this line, and start the process again", invariant, &shown)
}
