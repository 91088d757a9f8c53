package node

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/paxlog/paxlog/acceptor"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/internal/program"
	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
	"github.com/paxlog/paxlog/paxos/paging"
	"github.com/paxlog/paxlog/proposer"
	"github.com/paxlog/paxlog/transport"
	"github.com/paxlog/paxlog/wire"
)

// renewals is how often a subscription is renewed in the time after which it ends. A renewal
// that is not answered is repeated in each heartbeat interval, and a connection would be
// pinged as often anyway.
const renewals = 2

func ticks(d time.Duration) paxos.Ticks { return max(1, paxos.Ticks(d.Milliseconds())) }

func proposerConfig(c *config.Cluster, id paxos.NodeID, seed uint64, logID paxos.LogID) proposer.Config {
	t, l := c.Timeouts, c.Limits
	r := paxos.Rand{State: seed}
	return proposer.Config{
		ID: id, Membership: c.Membership(), Process: r.Uint64(), Seed: r.Uint64(),
		HeartbeatTicks: ticks(t.Heartbeat), ElectionMin: ticks(t.ElectionMin), ElectionMax: ticks(t.ElectionMax),
		RenewTicks: ticks(t.Idle / renewals), RetryTicks: ticks(t.Retry), StallTicks: ticks(t.Stall),
		Window: l.Window, WindowBytes: l.ConnQueueBytes / 2, BatchBytes: l.BatchBytes, LittleBytes: l.BatchBytes / littleShare, EntryBytes: l.EntryBytes, QueueBytes: l.QueueBytes,
		MarkBytes: markBytes, MarkInstances: markInstances, MarkTicks: ticks(markPatience), Processes: processes(c),
		Knows: control.Level, LogID: logID, Program: program.Version(), Blind: !c.TLS.On(),
	}
}

func acceptorConfig(c *config.Cluster, id paxos.NodeID, addr string, incarnation, seed uint64) acceptor.Config {
	t := c.Timeouts
	return acceptor.Config{
		ID: id, Membership: c.Membership(), Addr: addr, Incarnation: incarnation, Seed: seed,
		Sources:       append(others(c.Acceptors, id), others(c.Learners, id)...),
		Proposers:     others(c.Proposers, id),
		ElectionTicks: ticks(t.ElectionMin), HeartbeatTicks: ticks(t.Heartbeat),
		RetryTicks: ticks(t.Retry), StallTicks: ticks(t.Stall), IdleTicks: ticks(t.Idle),
		PageBytes: c.Limits.PageBytes, CopyPages: copyPages(c), ValueBytes: FrameBytes(c) - wire.Overhead,
		Knows: control.Level, Program: program.Version(),
	}
}

// meets has an acceptor that joins know the processes that it was told of when it started, as those of
// its cluster file: of these nobody may be there whom it could copy from.
func meets(cfg *acceptor.Config, met []configuration.Process) {
	for _, p := range met {
		list := &cfg.Sources
		if p.Role == paxos.RoleProposer {
			list = &cfg.Proposers
		}
		if p.ID != cfg.ID && !slices.Contains(*list, p.ID) {
			*list = append(*list, p.ID)
		}
	}
}

func learnerConfig(c *config.Cluster, id paxos.NodeID, seed uint64) learner.Config {
	t, l := c.Timeouts, c.Limits
	return learner.Config{
		ID: id, Membership: c.Membership(), Learners: others(c.Learners, id), Seed: seed,
		PollTicks: ticks(t.Heartbeat), RenewTicks: ticks(t.Idle / renewals), RetryTicks: ticks(t.Retry), ReadTicks: ticks(t.Read),
		PageBytes: l.PageBytes, CopyPages: copyPages(c), EntryBytes: l.EntryBytes, BatchBytes: proposer.MaxAppend(l.BatchBytes, l.EntryBytes), AheadBytes: l.InboxBytes, BurstBytes: l.ConnQueueBytes / 2,
		ChunkBytes: max(l.BatchBytes/4, controlBytes/16), ScrubTicks: ticks(scrubRest), ScrubEach: ticks(scrubEach), Knows: control.Level, Program: program.Version(), Blind: !c.TLS.On(),
	}
}

// copyPages is how many pages a process that copies may have under way: half of what waits on its connection to
// their source at most, for what does not fit there is dropped.
func copyPages(c *config.Cluster) int {
	l := c.Limits
	return max(1, min(paging.Most, l.ConnQueueBytes/2/max(l.PageBytes, l.BatchBytes, l.EntryBytes)))
}

// processes are those of the cluster file.
func processes(c *config.Cluster) (out []configuration.Process) {
	for _, role := range []paxos.Role{paxos.RoleAcceptor, paxos.RoleProposer, paxos.RoleLearner} {
		for _, p := range c.Nodes(role) {
			out = append(out, configuration.Process{Role: role, ID: p.ID, Addr: p.Addr})
		}
	}
	return out
}

func others(nodes []config.Node, me paxos.NodeID) []paxos.NodeID {
	var ids []paxos.NodeID
	for _, n := range nodes {
		if n.ID != me {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

func (n *Node) transportConfig() transport.Config {
	t, l := n.opts.Cluster.Timeouts, n.opts.Cluster.Limits
	cfg := transport.Config{
		Members: n.opts.Cluster.Membership(), Role: n.opts.Role, ID: n.opts.ID, Process: rand.Uint64()>>1 | 1,
		FrameBytes: FrameBytes(n.opts.Cluster), QueueBytes: l.ConnQueueBytes, Connections: n.places.connections, Greetings: n.places.greetings,
		Dial: t.Dial, Handshake: t.Handshake, Idle: t.Idle, Dropped: n.dropped,
		ClientBytes: l.ClientQueueBytes, Crowded: n.inbox.crowded, Rest: n.inbox.rest, Gone: n.inbox.gone,
	}
	if n.store != nil {
		cfg.Incarnation = n.store.Identity().Incarnation
		cfg.Remembered = n.known.of
	}
	cfg.Terms = []transport.Term{{Name: "limits.entry_bytes", Value: uint64(l.EntryBytes)}, {Name: "limits.batch_bytes", Value: uint64(l.BatchBytes)}}
	cfg.Differs = n.differs
	cfg.Credentials = n.creds
	cfg.Named = func(id paxos.NodeID) paxos.Role {
		if role, _, named := n.opts.Cluster.Lookup(id); named {
			return role
		}
		return n.known.role(id) // 0 if it is not there either
	}
	cfg.Log, cfg.Former, cfg.Quota = n.known.logID, n.known.former, n.known.connections
	cfg.Joins = n.opts.Join != "" && n.opts.Role == paxos.RoleAcceptor
	return cfg
}

// controlBytes is what a control command may take, whatever the limits are: the first one
// names every acceptor.
const controlBytes = 64 << 10

// FrameBytes is the largest frame body in a cluster with these limits: a page or
// a batch that admits one entry of the largest size, or a control command, and headers.
func FrameBytes(c *config.Cluster) int {
	l := c.Limits
	largest := max(l.PageBytes, l.BatchBytes, l.EntryBytes, controlBytes) + l.EntryBytes
	return largest + largest/64*wire.ItemOverhead + wire.Overhead
}

func (n *Node) logNote(note paxos.Note) {
	level := zerolog.InfoLevel
	if note.Warn {
		level = zerolog.WarnLevel
	}
	e := n.log.WithLevel(level)
	for _, f := range note.Fields {
		e = e.Interface(f.Key, f.Value)
	}
	e.Msg(note.Text)
}
