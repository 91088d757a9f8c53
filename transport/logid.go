package transport

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// log is the log that this process knows to be of, zero if it knows none.
func (n *Network) log() (id paxos.LogID) {
	if n.cfg.Log != nil {
		id = n.cfg.Log()
	}
	return id
}

// R1: two processes that know their logs, and know different ones, are of two logs, whatever
// the incarnations say. Each refuses the other, and believes nothing that it said. Example:
// all directories of a cluster but one learner's were initialised anew. The learner would
// go on at the index where the old log ended.
//
// otherThan returns why a process of that log is refused here, "" if it is not.
func (n *Network) otherThan(log paxos.LogID) string {
	mine := n.log()
	if mine.IsZero() || log.IsZero() || mine == log {
		return ""
	}
	return fmt.Sprintf("it is of log %s, and this process is of log %s: nothing that it says is believed. "+
		"Either the address is one that another cluster uses now, or one of the two logs was begun anew", log, mine)
}

// outdated returns why a process that speaks versions up to newest is refused here, "" if it
// is not. Those of the oldest version know no log's id: they would take part in any.
func (n *Network) outdated(newest uint64) string {
	log := n.log()
	if newest > wire.Oldest || log.IsZero() {
		return ""
	}
	return fmt.Sprintf("log %s was begun by a newer release, and a process that speaks version %d of the protocol only "+
		"cannot take part in it: use the release of the others", log, newest)
}
