package node

import (
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
)

// beside is what a process takes of the heap beside its queues: connections, the state of its role,
// and what is in use for a moment.
const beside = 32 << 20

// Memory is about how many bytes of the heap a process of a role needs while all its queues are
// full. More, such as that of very many sessions, is no fault.
func Memory(c *config.Cluster, role paxos.Role) int64 {
	l := c.Limits
	n := beside + l.ClientQueueBytes + l.InboxBytes
	switch role {
	case paxos.RoleAcceptor:
		n += l.InboxBytes + copyPages(c)*l.PageBytes // of values that are not on disk yet, and of those that it copies
	case paxos.RoleProposer:
		n += l.QueueBytes
	case paxos.RoleLearner:
		n += (learner.MaxLoads + copyPages(c)) * l.PageBytes
	}
	return int64(n)
}
