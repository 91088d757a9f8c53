package node

import (
	"sync"

	"github.com/paxlog/paxlog/paxos"
)

// accepted decides when a proposer may say that it serves. It keeps nothing on disk that
// could be compared with its cluster file, so only the acceptors can tell it that the file
// is of another cluster, and a proposer that everybody refuses serves nobody. It serves
// once an acceptor has taken it. If no acceptor can be reached it cannot know better, and
// serves once it has tried them all.
type accepted struct {
	mu      sync.Mutex
	untried map[paxos.NodeID]bool
	refused bool // by one that was tried, since
	ready   func()
}

func newAccepted(acceptors []paxos.NodeID, ready func()) *accepted {
	a := &accepted{untried: map[paxos.NodeID]bool{}, ready: ready}
	for _, id := range acceptors {
		a.untried[id] = true
	}
	return a
}

// took: a connection to that process is open.
func (a *accepted) took(role paxos.Role) {
	if role == paxos.RoleAcceptor {
		a.ready()
	}
}

// failed: that process could not be used.
func (a *accepted) failed(id paxos.NodeID, refused bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.untried, id)
	a.refused = a.refused || refused
	if len(a.untried) == 0 && !a.refused {
		a.ready()
	}
}
