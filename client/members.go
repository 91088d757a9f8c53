package client

import (
	"context"
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// Member is one process as the leader sees it. Of a learner the leader sees nothing but that it is
// one: Status asks the learner itself.
type Member struct {
	ID          string
	Role        Role
	Addr        string // "" if as the cluster file says
	Incarnation uint64 // of its data directory, 0 if it is not known
	IsMember    bool   // of the newest configuration
	Up          bool   // connected to the leader
	Votes       bool   // it answers the leader as one that votes
	Held        Instance
	Behind      uint64 // instances known to be chosen that it does not hold
	Gone        bool   // it was a member, and is none any more
}

// Members are the processes of a log: its acceptors, those that have joined and copy it, and those
// that were; its proposers; and its learners.
type Members struct {
	Epoch   uint64   // of the newest configuration
	Version uint64   // of who the proposers and learners are, 0 if that is as the cluster files say
	From    Instance // after a change: from which on it is in force
	Phase1  int      // sizes of its quorums
	Phase2  int
	List    []Member
	// Coming is the acceptor that came by the newest change and has not arrived: it does not hold yet
	// what it takes to vote, as far as the leader has heard. "" if there is none.
	Coming string
	// After a change or a plan: how many acceptors, or proposers, may be lost before it, while it
	// is made, and after it.
	Before, During, After int
}

// Find returns the acceptor named id.
func (m Members) Find(id string) (Member, bool) {
	for _, a := range m.List {
		if a.ID == id {
			return a, true
		}
	}
	return Member{}, false
}

// MemberOrder is what is to be done about the acceptors.
type MemberOrder = paxos.MemberOrder

// The orders.
const (
	ReplaceMember = paxos.MemberReplace // ID, which is dead, by With
	AddMember     = paxos.MemberAdd     // With
	RemoveMember  = paxos.MemberRemove  // ID, which lives
	CancelMember  = paxos.MemberCancel  // the newest change, whose newcomer ID has not arrived; With, if not "", comes in its place
)

// MemberChange is a change of the acceptors, proposers or learners.
type MemberChange struct {
	Order          MemberOrder
	ID, With       string
	Role           Role   // of who comes, unless it is an acceptor or takes the place of ID
	Addr           string // where that is dialled, unless it is an acceptor: that says so itself
	Phase1, Phase2 int    // the sizes of the quorums after it; 0: as they are, or majorities if they are
	Plan           bool   // only say whether it would be done
	Force          bool   // although fewer acceptors may be lost meanwhile, or after it, than now
}

// Members asks the leader for the processes of the log.
func (c *Client) Members(ctx context.Context) (Members, error) {
	return c.members(ctx, &paxos.Member{Nonce: operateNonce})
}

// ChangeMembers has the leader change the acceptors, proposers or learners, and returns when that is
// in force. That is not yet when one that came has arrived: Members shows when it votes. The
// error is a *DeclinedError if nothing was done, and says why. If it is another one the change
// may have been made, and Members shows it.
func (c *Client) ChangeMembers(ctx context.Context, m MemberChange) (Members, error) {
	return c.members(ctx, &paxos.Member{
		Nonce: operateNonce, Order: m.Order, ID: paxos.NodeID(m.ID), With: paxos.NodeID(m.With), Phase1: m.Phase1, Phase2: m.Phase2, Plan: m.Plan, Force: m.Force,
		Role: m.Role, Addr: m.Addr,
	})
}

func (c *Client) members(ctx context.Context, ask *paxos.Member) (Members, error) {
	leader, reply, err := c.askLeader(ctx, "change the members", ask)
	if err != nil {
		return Members{}, err
	}
	return membersIn(leader, reply)
}

// membersAt asks one leader.
func (c *Client) membersAt(ctx context.Context, leader string, ask *paxos.Member) (Members, error) {
	reply, err := c.operate(ctx, leader, ask)
	if err != nil {
		return Members{}, err
	}
	return membersIn(leader, reply)
}

// membersIn is what a leader has answered.
func membersIn(leader string, reply paxos.Message) (Members, error) {
	m, ok := reply.(*paxos.Membered)
	if !ok {
		return Members{}, fmt.Errorf("%s answers something else: %T", leader, reply)
	}
	out := Members{Epoch: m.Epoch, Version: m.Version, From: m.From, Phase1: m.Phase1, Phase2: m.Phase2, Coming: string(m.Coming), Before: m.Before, During: m.During, After: m.After}
	for _, a := range m.List {
		out.List = append(out.List, Member{
			ID: string(a.ID), Role: a.Role, Addr: a.Addr, Incarnation: a.Incarnation, IsMember: a.IsMember, Up: a.Up, Votes: a.Votes, Held: a.Held, Behind: a.Behind, Gone: a.Gone,
		})
	}
	if m.Why != "" {
		return out, &DeclinedError{ID: leader, Why: m.Why}
	}
	return out, nil
}
