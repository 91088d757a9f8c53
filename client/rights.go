package client

import (
	"context"
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// Rights are what a principal may do: who a client is, as its certificate names it. Anonymous is
// everybody who shows none, and what it may do everybody may.
type (
	Rights     = paxos.Rights
	Principal  = paxos.Principal
	Permission = paxos.Permission
)

// The rights, and the principal of who shows no certificate.
const (
	RightAppend = paxos.RightAppend
	RightRead   = paxos.RightRead
	RightAdmin  = paxos.RightAdmin
	Anonymous   = paxos.Anonymous
)

// ParseRights reads rights as Rights.String writes them: "append,read".
func ParseRights(text string) (Rights, error) { return paxos.ParseRights(text) }

// Grants asks the leader who has which rights: of Anonymous what everybody has, and of each other
// principal what it was granted besides.
func (c *Client) Grants(ctx context.Context) ([]Permission, error) {
	return c.permit(ctx, &paxos.Permit{Nonce: operateNonce})
}

// Grant grants rights to a principal beside those that it has. It returns who has which then. The
// error is a *DeclinedError if nothing was done, and says why.
func (c *Client) Grant(ctx context.Context, name Principal, r Rights) ([]Permission, error) {
	return c.permit(ctx, &paxos.Permit{Nonce: operateNonce, Name: name, Grant: r})
}

// Revoke takes rights from a principal: from Anonymous, what everybody had. What is under way may
// still be done. The leader declines what would leave nobody, or not the one who asks, with
// RightAdmin.
func (c *Client) Revoke(ctx context.Context, name Principal, r Rights) ([]Permission, error) {
	return c.permit(ctx, &paxos.Permit{Nonce: operateNonce, Name: name, Revoke: r})
}

func (c *Client) permit(ctx context.Context, ask *paxos.Permit) ([]Permission, error) {
	leader, reply, err := c.askLeader(ctx, "say who has which rights", ask)
	if err != nil {
		return nil, err
	}
	m, ok := reply.(*paxos.Permitted)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s answers something else: %T", leader, reply)
	case m.Why != "":
		return nil, &DeclinedError{ID: leader, Why: m.Why}
	}
	return m.List, nil
}

// notPermitted is the error where a process does not do what a client may not ask for.
func notPermitted(id paxos.NodeID, m *paxos.NotPermitted) error {
	return fmt.Errorf("%w by %s: %s", ErrNotPermitted, id, m.Why)
}
