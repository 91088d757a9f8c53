package node

import (
	"slices"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// watchCredentials looks now and then whether the files have changed by which this process
// proves who it is, and judges who is connected by what is in force.
func (n *Node) watchCredentials() {
	n.warnOfCredentials()
	warned := time.Now()
	tick := time.NewTicker(credentialsEach)
	defer tick.Stop()
	for {
		select {
		case <-n.stopping:
			return
		case <-tick.C:
		}
		changed, err := n.creds.Check()
		if changed {
			n.credentialsRead(err)
			warned = time.Now()
		} else if time.Since(warned) >= warnEach {
			n.warnOfCredentials()
			warned = time.Now()
		}
		n.net.Judge(time.Now())
	}
}

// credentialsRead tells what came of reading the files again.
func (n *Node) credentialsRead(err error) {
	s := n.creds.Snapshot()
	if err != nil {
		n.log.Warn().AnErr("reason", err).Str("certificate", s.Describe()).Msg("certificates cannot be used, and those before stay in force")
	} else {
		n.log.Info().Str("certificate", s.Describe()).Msg("certificates read")
	}
	n.warnOfCredentials()
}

func (n *Node) warnOfCredentials() {
	for _, w := range n.creds.Snapshot().Warnings() {
		n.log.Warn().Str("reason", w).Msg("certificates need attention")
	}
}

// withLinks adds to answers about this process what its connections are. It looks at them once
// for all: there may be thousands, and as many who ask at a time.
func (n *Node) withLinks(envelopes []paxos.Envelope) []paxos.Envelope {
	if !n.creds.IsOn() {
		return envelopes
	}
	var plain []paxos.NodeID
	clients := -1 // not looked yet
	for i, e := range envelopes {
		r, ok := e.Msg.(*paxos.StatusReply)
		if !ok {
			continue
		}
		if clients < 0 {
			plain, clients = n.net.Plain()
			plain = slices.Clip(plain[:min(len(plain), paxos.MaxAcceptors)])
		}
		told := *r
		told.TLS = "accept"
		if n.creds.IsRequired() {
			told.TLS = "require"
		}
		told.Plain, told.PlainClients = plain, clients
		told.Ends = uint64(max(0, n.creds.Snapshot().Until().Unix()))
		envelopes[i].Msg = &told
	}
	return envelopes
}
