package node

import (
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
)

// dials reports whether this process dials those of a role: those it sends requests to. An acceptor
// dials proposers if it joins, for it says so to the leader; and if the log has decided who they
// are, for one that has just come may know nobody that is still there.
func (n *Node) dials(role paxos.Role, enrolled bool) bool {
	switch role {
	case paxos.RoleProposer:
		return n.opts.Role == paxos.RoleProposer || n.opts.Role == paxos.RoleAcceptor && (n.opts.Join != "" || enrolled)
	case paxos.RoleLearner:
		return n.opts.Role != paxos.RoleProposer
	}
	return role == paxos.RoleAcceptor
}

// peers are whom this process dials: those of the cluster file, those that came later, and, of the
// cluster file's, none that the log has replaced.
func (n *Node) peers() map[paxos.NodeID]transport.Peer {
	h, r := n.known.processes()
	peers := map[paxos.NodeID]transport.Peer{}
	add := func(role paxos.Role, id paxos.NodeID, addr string) {
		if id != n.opts.ID && addr != "" && n.dials(role, r.Version > 0) {
			peers[id] = transport.Peer{Role: role, ID: id, Addr: addr}
		}
	}
	for _, p := range processes(n.opts.Cluster) {
		if p.Role != paxos.RoleAcceptor && !r.Has(p.Role, p.ID) || p.Role == paxos.RoleAcceptor && n.known.former(p.Role, p.ID) != "" {
			continue
		}
		add(p.Role, p.ID, p.Addr)
	}
	for _, p := range n.opts.Met {
		if !h.Changed() && r.Version == 0 { // nobody has told anything newer since
			add(p.Role, p.ID, p.Addr)
		}
	}
	if r.Version > 0 {
		for _, p := range r.List {
			if p.Role != paxos.RoleAcceptor {
				add(p.Role, p.ID, p.Addr)
			}
		}
	}
	for _, a := range h.Now.Acceptors {
		if p, is := r.Find(a.ID); is && a.Addr == "" && peers[a.ID].Addr == "" {
			a.Addr = p.Addr // of the first configuration, and not in this process's file
		}
		add(paxos.RoleAcceptor, a.ID, a.Addr)
	}
	return peers
}

// dialPeers dials those that are not dialled yet, and hangs up on who is dialled no more.
func (n *Node) dialPeers() {
	n.dialMu.Lock()
	defer n.dialMu.Unlock()
	peers := n.peers()
	var dial []transport.Peer
	for id, p := range peers {
		if n.dialled[id] != p {
			dial = append(dial, p)
		}
	}
	for id := range n.dialled {
		if _, still := peers[id]; !still {
			n.net.Hangup(id)
		}
	}
	n.dialled = peers
	n.net.Dial(dial...)
}
