package paxos

// Permit asks a leader to grant rights to a principal, or to take them from it, or, with
// neither, to tell who has which. What it names twice it takes.
type Permit struct {
	Nonce  uint64
	Name   Principal
	Grant  Rights
	Revoke Rights
}

// Permitted answers Permit. Why, if not empty, says why nothing was done. List is what each
// principal has by a grant, sorted, and of Anonymous what everybody has.
type Permitted struct {
	Nonce uint64
	List  []Permission
	Why   string
}

// Permission says which rights a principal has.
type Permission struct {
	Name   Principal
	Rights Rights
}

// NotPermitted answers what a client may not send, by its nonce or its session. An append is
// answered by Refused.
type NotPermitted struct {
	Nonce   uint64
	Session SessionID
	Why     string // who the client is, which right it needs, and how it gets it
}

func (*Permit) MessageKind() Kind       { return 120 }
func (*Permitted) MessageKind() Kind    { return 121 }
func (*NotPermitted) MessageKind() Kind { return 122 }
